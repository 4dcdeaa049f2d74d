"""Graphs of one estimator made of several give what it gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier, OutputCodeClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier, MultiOutputRegressor, RegressorChain
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from boucle_worker.describe import Cannot
from faithful import compared

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(300, 5)) * np.arange(1, 6)
OTHERS = RANDOM.normal(size=(300, 5)) * np.arange(1, 6)
SCORE = ROWS[:, 0] + ROWS[:, 1] + RANDOM.normal(size=300)
TWO = np.array(["no", "yes"])[(SCORE > 0).astype(int)]
THREE = np.array(["a", "b", "c"])[np.digitize(SCORE, [-1, 1])]
SEVERAL = np.c_[SCORE > 0, ROWS[:, 2] > 1, ROWS[:, 3] > ROWS[:, 0]].astype(int)
NUMBERS = np.c_[SCORE * 10, ROWS[:, 2]]
BASES = [
    make_pipeline(StandardScaler(), LogisticRegression()),
    LinearSVC(),
    DecisionTreeClassifier(max_depth=3, random_state=0),
    KNeighborsClassifier(3),
]
bases = pytest.mark.parametrize("base", BASES, ids=lambda base: type(base).__name__)


def is_faithful(model: Any) -> bool:
    return compared(model, ROWS, OTHERS, OTHERS * 50).is_exact


@bases
@pytest.mark.parametrize("target", [TWO, THREE, SEVERAL], ids=["two", "three", "several"])
def test_each_class_against_the_rest(base: Any, target: Any) -> None:
    assert is_faithful(OneVsRestClassifier(base).fit(ROWS, target))


def test_the_first_of_equally_sure_classes_wins() -> None:
    model = OneVsRestClassifier(KNeighborsClassifier(2)).fit(ROWS, THREE)
    chances = np.sort(model.predict_proba(OTHERS), axis=1)
    assert (chances[:, -1] == chances[:, -2]).any()
    assert compared(model, OTHERS).labels == 0


def test_a_class_of_all_rows_is_a_constant() -> None:
    target = SEVERAL.copy()
    target[:, 1] = 1
    with pytest.warns(UserWarning, match="is present in all training examples"):
        model = OneVsRestClassifier(LogisticRegression()).fit(ROWS, target)
    assert is_faithful(model)


@bases
@pytest.mark.parametrize("target", [TWO, THREE], ids=["two", "three"])
def test_each_class_against_each(base: Any, target: Any) -> None:
    assert is_faithful(OneVsOneClassifier(base).fit(ROWS, target))


@bases
def test_the_nearest_code_tells_the_class(base: Any) -> None:
    assert is_faithful(OutputCodeClassifier(base, code_size=3, random_state=0).fit(ROWS, THREE))


@bases
def test_several_labels_are_told_by_a_model_each(base: Any) -> None:
    assert is_faithful(MultiOutputClassifier(base).fit(ROWS, SEVERAL))


def test_several_labels_that_are_texts_are_refused() -> None:
    with pytest.raises(Cannot, match="no numbers"):
        compared(MultiOutputClassifier(LogisticRegression()).fit(ROWS, np.c_[TWO, THREE]), ROWS)


@bases
def test_a_chain_of_classifiers_sees_the_labels_before(base: Any) -> None:
    assert is_faithful(ClassifierChain(base, order=[1, 2, 0]).fit(ROWS, SEVERAL))


@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function"])
def test_a_chain_hands_on_what_it_is_told_to(method: str) -> None:
    assert is_faithful(ClassifierChain(LogisticRegression(), chain_method=method, cv=3).fit(ROWS, SEVERAL))


@pytest.mark.parametrize("base", [Ridge(), DecisionTreeRegressor(max_depth=4)], ids=["plane", "tree"])
def test_several_numbers_are_told_by_a_model_each(base: Any) -> None:
    assert is_faithful(MultiOutputRegressor(base).fit(ROWS, NUMBERS))
    assert is_faithful(RegressorChain(base, order=[1, 0]).fit(ROWS, NUMBERS))


def test_a_chain_makes_doubles_of_single_precision_rows() -> None:
    rows = ROWS.astype(np.float32)
    assert compared(RegressorChain(LinearRegression()).fit(rows, NUMBERS), rows, OTHERS.astype(np.float32)).is_exact


@bases
@pytest.mark.parametrize("positive", [None, "no"])
def test_a_threshold_of_ones_own_decides(base: Any, positive: Any) -> None:
    assert is_faithful(FixedThresholdClassifier(base, threshold=0.3, pos_label=positive).fit(ROWS, TWO))


@bases
def test_a_tuned_threshold_decides(base: Any) -> None:
    assert is_faithful(TunedThresholdClassifierCV(base, cv=3).fit(ROWS, TWO))


def test_a_score_on_the_threshold_is_positive() -> None:
    model = FixedThresholdClassifier(KNeighborsClassifier(5), threshold=0.4).fit(ROWS, TWO)
    assert (model.predict_proba(ROWS)[:, 1] == model.threshold).any()
    assert compared(model, ROWS, OTHERS).labels == 0


def test_wrappers_answer_as_what_they_wrap() -> None:
    some = np.digitize(SCORE, [-1, 1])
    some[::3] = -1
    assert is_faithful(SelfTrainingClassifier(LogisticRegression()).fit(ROWS, some))
    assert is_faithful(FrozenEstimator(LogisticRegression().fit(ROWS, THREE)))
    scaler = FrozenEstimator(StandardScaler().fit(ROWS))
    assert is_faithful(make_pipeline(scaler, LogisticRegression()).fit(ROWS, THREE))
