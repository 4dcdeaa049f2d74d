"""Graphs of votes, bags, boosts and stacks give what these give."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from boucle_worker.describe import Cannot
from faithful import compared

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(300, 5)) * np.arange(1, 6)
OTHERS = RANDOM.normal(size=(300, 5)) * np.arange(1, 6)
SCORE = ROWS[:, 0] + ROWS[:, 1] + RANDOM.normal(size=300)
TARGETS = {
    2: np.array(["no", "yes"])[(SCORE > 0).astype(int)],
    3: np.array(["a", "b", "c"])[np.digitize(SCORE, [-1, 1])],
}
CLASSIFIERS = [
    ("plane", make_pipeline(StandardScaler(), LogisticRegression())),
    ("tree", DecisionTreeClassifier(max_depth=4, random_state=0)),
    ("near", KNeighborsClassifier()),
]
REGRESSORS = [
    ("plane", make_pipeline(StandardScaler(), Ridge())),
    ("tree", DecisionTreeRegressor(max_depth=5, random_state=0)),
    ("near", KNeighborsRegressor()),
]
both = pytest.mark.parametrize("n_classes", [2, 3])


def is_faithful(model: Any) -> bool:
    return compared(model, ROWS, OTHERS, OTHERS * 50).is_exact


@both
@pytest.mark.parametrize("voting", ["hard", "soft"])
@pytest.mark.parametrize("weights", [None, [1, 2, 0.5], [1, 1, 2]], ids=str)
def test_members_vote_with_their_weights(weights: Any, voting: str, n_classes: int) -> None:
    assert is_faithful(VotingClassifier(CLASSIFIERS, voting=voting, weights=weights).fit(ROWS, TARGETS[n_classes]))


def test_dropped_members_do_not_vote() -> None:
    model = VotingClassifier(CLASSIFIERS, voting="soft", weights=[1, 2, 3]).set_params(near="drop")
    assert is_faithful(model.fit(ROWS, TARGETS[3]))
    assert is_faithful(VotingRegressor(REGRESSORS, weights=[1, 2, 3]).set_params(tree="drop").fit(ROWS, SCORE))


@pytest.mark.parametrize("weights", [None, [1, 0.5, 2]], ids=str)
def test_regressors_are_averaged(weights: Any) -> None:
    assert is_faithful(VotingRegressor(REGRESSORS, weights=weights).fit(ROWS, SCORE))


@both
@pytest.mark.parametrize("settings", [{}, {"max_features": 0.6, "bootstrap_features": True}], ids=str)
@pytest.mark.parametrize(
    "base",
    [None, CLASSIFIERS[0][1], LinearSVC(), RidgeClassifier(), KNeighborsClassifier(3)],
    ids=lambda base: type(base).__name__,
)
def test_bags_average_members_of_some_columns(base: Any, settings: dict[str, Any], n_classes: int) -> None:
    assert is_faithful(
        BaggingClassifier(base, n_estimators=5, random_state=0, **settings).fit(ROWS, TARGETS[n_classes])
    )


@pytest.mark.parametrize("base", [CLASSIFIERS[0][1], KNeighborsClassifier(2)], ids=["plane", "near"])
def test_members_of_a_bag_may_have_missed_a_class(base: Any) -> None:
    target = np.digitize(SCORE, [-1, 1])
    target[0] = 7
    model = BaggingClassifier(base, max_samples=0.1, random_state=0).fit(ROWS, target)
    assert min(len(member.classes_) for member in model.estimators_) < len(model.classes_)
    assert is_faithful(model)


@pytest.mark.parametrize("base", [None, Ridge()], ids=["tree", "plane"])
def test_bags_of_regressors_are_averaged(base: Any) -> None:
    assert is_faithful(BaggingRegressor(base, max_features=0.7, random_state=0).fit(ROWS, SCORE))


def test_a_bag_of_trees_is_one_forest() -> None:
    model = BaggingClassifier(n_estimators=30, random_state=0).fit(ROWS, TARGETS[2])
    operators = [node["op"] for node in compared(model, ROWS).description.nodes]
    assert operators.count("TreeEnsemble") == 1


@both
@pytest.mark.parametrize(
    "base",
    [None, DecisionTreeClassifier(max_depth=3), LogisticRegression()],
    ids=["stump", "tree", "plane"],
)
def test_boosted_members_vote_with_what_they_are_worth(base: Any, n_classes: int) -> None:
    assert is_faithful(AdaBoostClassifier(base, n_estimators=20, random_state=0).fit(ROWS, TARGETS[n_classes]))


@pytest.mark.parametrize("base", [None, Ridge()], ids=["tree", "plane"])
def test_boosted_regressors_give_their_weighted_median(base: Any) -> None:
    assert is_faithful(AdaBoostRegressor(base, n_estimators=12, random_state=0).fit(ROWS, SCORE))


@both
@pytest.mark.parametrize("passthrough", [False, True])
@pytest.mark.parametrize("method", ["auto", "predict"])
def test_the_final_classifier_sees_what_the_others_say(method: str, passthrough: bool, n_classes: int) -> None:
    members = [*CLASSIFIERS, ("margin", LinearSVC())]
    model = StackingClassifier(
        members, stack_method=method, passthrough=passthrough, cv=3, final_estimator=CLASSIFIERS[0][1]
    )
    assert is_faithful(model.fit(ROWS, TARGETS[n_classes]))


@pytest.mark.parametrize("passthrough", [False, True])
def test_the_final_regressor_sees_what_the_others_say(passthrough: bool) -> None:
    assert is_faithful(StackingRegressor(REGRESSORS, passthrough=passthrough, cv=3).fit(ROWS, SCORE))


def test_fitted_members_are_stacked_as_they_are() -> None:
    target = (SCORE > 0).astype(int)
    members = [(name, member.fit(ROWS, target)) for name, member in CLASSIFIERS]
    model = StackingClassifier(members, cv="prefit", final_estimator=DecisionTreeClassifier(max_depth=3))
    assert is_faithful(model.fit(ROWS, target))


def test_members_take_raw_rows() -> None:
    rows = pd.DataFrame({"size": ROWS[:, 0], "city": np.array(["Paris", "Lyon"])[RANDOM.integers(0, 2, 300)]})
    encoder = make_column_transformer((StandardScaler(), ["size"]), (OneHotEncoder(handle_unknown="ignore"), ["city"]))
    members = [(name, make_pipeline(encoder, member)) for name, member in CLASSIFIERS]
    others = rows.assign(city="Rome")
    assert compared(VotingClassifier(members).fit(rows, TARGETS[3]), rows, others).is_exact
    assert compared(StackingClassifier(members, cv=3).fit(rows, TARGETS[3]), rows, others).is_exact


def test_texts_for_the_final_estimator_are_refused() -> None:
    target = TARGETS[3]
    members = [("plane", CLASSIFIERS[0][1].fit(ROWS, target))]
    model = StackingClassifier(members, cv="prefit", stack_method="predict_proba", passthrough=True).fit(ROWS, target)
    model.stack_method_ = ["predict"]
    with pytest.raises(Cannot, match="no numbers"):
        compared(model, ROWS)
