"""Graphs of decision trees and forests answer as the fitted models do, on their thresholds too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.random import default_rng
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    RandomTreesEmbedding,
)
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier, ExtraTreeRegressor

from boucle_worker.describe import Cannot
from faithful import Found, compared

N = 400


def rows(n: int = N, seed: int = 0) -> Any:
    """Return rows of six columns; one holds few numbers, one is large."""
    X = default_rng(seed).normal(size=(n, 6))
    X[:, 3] = default_rng(seed).integers(0, 5, n)
    X[:, 4] *= 1e6
    return X


def outcome(X: Any, n_classes: int = 0) -> Any:
    """Return classes of equal size, or numbers when there are none, with noise."""
    z = X[:, 0] + X[:, 1] * X[:, 3] + default_rng(9).normal(size=len(X)) / 2
    return np.digitize(z, np.quantile(z, np.linspace(0, 1, n_classes + 1)[1:-1])) if n_classes else z * 100


def on_thresholds(trees: list[Any], X: Any) -> Any:
    """Return rows that stand on a threshold of a tree, or a few steps beside it, in single or double precision."""
    rng = default_rng(1)
    found = X[rng.integers(len(X), size=300)].copy()
    for row in found:
        tree = trees[rng.integers(len(trees))]
        for node in np.flatnonzero((tree.children_left >= 0) & np.isfinite(tree.threshold))[:8]:
            threshold = tree.threshold[node]
            if rng.random() < 0.5:
                threshold = float(np.nextafter(np.float32(threshold), np.float32(rng.choice([-np.inf, np.inf]))))
            else:
                for _step in range(rng.integers(4)):
                    threshold = np.nextafter(threshold, rng.choice([-np.inf, np.inf]))
            row[tree.feature[node]] = threshold
    return found


def asked(model: Any, X: Any, dtype: Any = np.float64) -> Found:
    """Return how graph and model differ over training rows, unseen rows and rows on thresholds."""
    trees = [member.tree_ for member in np.ravel(getattr(model, "estimators_", [model]))]
    return compared(model, X.astype(dtype), rows(300, seed=7).astype(dtype), on_thresholds(trees, X).astype(dtype))


def is_same(found: Found) -> bool:
    """True when every number is that of the model, to the last bit."""
    return found.rows == N + 600 and found.labels == 0 and max(found.probabilities, found.value, found.scores) <= 0.0


CLASSIFIERS = [
    DecisionTreeClassifier(random_state=0),
    DecisionTreeClassifier(max_depth=3, criterion="entropy"),
    DecisionTreeClassifier(min_samples_leaf=7, class_weight="balanced", ccp_alpha=0.002),
    ExtraTreeClassifier(random_state=0, max_leaf_nodes=20),
    RandomForestClassifier(30, random_state=0),
    RandomForestClassifier(10, min_samples_leaf=5, random_state=0),
    RandomForestClassifier(1, random_state=0),
    RandomForestClassifier(64, max_depth=3, class_weight="balanced", random_state=0),
    ExtraTreesClassifier(20, random_state=0),
    ExtraTreesClassifier(20, min_samples_leaf=3, bootstrap=True, random_state=0),
]
REGRESSORS = [
    DecisionTreeRegressor(random_state=0),
    DecisionTreeRegressor(max_depth=3, criterion="absolute_error"),
    ExtraTreeRegressor(random_state=0, min_samples_leaf=3),
    RandomForestRegressor(30, random_state=0),
    RandomForestRegressor(7, min_samples_leaf=5, random_state=0),
    ExtraTreesRegressor(20, bootstrap=True, random_state=0),
]


@pytest.mark.parametrize("n_classes", [2, 3, 7])
@pytest.mark.parametrize("model", CLASSIFIERS, ids=str)
def test_classes_and_probabilities_are_those_of_the_model(model: Any, n_classes: int) -> None:
    X = rows()

    assert is_same(asked(model.fit(X, outcome(X, n_classes)), X))


@pytest.mark.parametrize("model", REGRESSORS, ids=str)
def test_values_are_those_of_the_model(model: Any) -> None:
    X = rows()

    assert is_same(asked(model.fit(X, outcome(X)), X))


@pytest.mark.parametrize("model", REGRESSORS, ids=str)
def test_several_outputs_are_those_of_the_model(model: Any) -> None:
    X = rows()
    y = outcome(X)

    assert is_same(asked(model.fit(X, np.column_stack([y, -y, y**2])), X))


@pytest.mark.parametrize(("n_trees", "smallest"), [(2, 4), (4, 4), (10, 1)], ids=["2", "4", "pure"])
def test_ties_break_as_in_the_model(n_trees: int, smallest: int) -> None:
    X = rows()
    X[:, :2] = X[:, :2].round()
    model = RandomForestClassifier(n_trees, min_samples_leaf=smallest, random_state=0).fit(X, outcome(X, 2))
    is_tie = np.isclose(*model.predict_proba(X).T)

    assert is_tie.any()
    assert is_same(asked(model, X))


@pytest.mark.parametrize("model", [DecisionTreeClassifier(), RandomForestClassifier(20, min_samples_leaf=3)], ids=str)
def test_missing_numbers_go_where_the_model_sends_them(model: Any) -> None:
    X, new = rows(), rows(300, seed=5)
    for part in (X, new):
        part[default_rng(2).random(part.shape) < 0.2] = np.nan
    model.fit(X, outcome(rows(), 2))

    found = compared(model, X, new)

    assert (found.labels, found.probabilities) == (0, 0.0)


def test_rows_in_single_precision_are_taken_as_they_are() -> None:
    X = rows()

    assert is_same(asked(RandomForestClassifier(20, min_samples_leaf=2).fit(X, outcome(X, 3)), X, np.float32))


def test_rows_of_no_weight_leave_leaves_as_the_model_has_them() -> None:
    X = rows()
    weights = default_rng(0).random(N) * (default_rng(1).random(N) < 0.5)

    assert is_same(asked(RandomForestClassifier(20, min_samples_leaf=2).fit(X, outcome(X, 3), weights), X))


def test_monotonic_constraints_are_in_the_leaves() -> None:
    X = rows()

    assert is_same(asked(RandomForestClassifier(20, monotonic_cst=[1, 0, -1, 0, 0, 0]).fit(X, outcome(X, 2)), X))


@pytest.mark.parametrize("model", [DecisionTreeRegressor(), RandomForestRegressor(3)], ids=str)
def test_a_tree_that_asks_nothing_gives_its_one_value(model: Any) -> None:
    X = rows()

    assert compared(model.fit(X, np.full(N, 2.5)), X).value == 0.0


def test_a_forest_of_one_class_is_sure() -> None:
    X = rows()

    assert compared(RandomForestClassifier(3).fit(X, np.zeros(N, int)), X).probabilities == 0.0


def test_pure_leaves_are_counted_in_one_pass() -> None:
    X = rows()
    found = compared(RandomForestClassifier(30).fit(X, outcome(X, 7)), X)

    (node,) = [node for node in found.description.nodes if node["op"] == "TreeEnsemble"]
    assert len(found.description.arrays[node["tensors"]["tree_roots"].removeprefix("ints:")]) == 30


@pytest.mark.parametrize("is_sparse", [True, False])
def test_an_embedding_has_a_column_for_each_leaf(is_sparse: bool) -> None:
    X = rows()
    embedding = RandomTreesEmbedding(10, max_depth=4, sparse_output=is_sparse, random_state=0)
    model = make_pipeline(embedding, LogisticRegression()).fit(X, outcome(X, 3))
    thresholds = on_thresholds([member.tree_ for member in embedding.estimators_], X)

    found = compared(model, X, rows(300, seed=7), thresholds)

    assert found.labels == 0
    assert found.probabilities < 1e-12


def test_classes_of_several_outputs_are_refused() -> None:
    X = rows()
    model = RandomForestClassifier(3).fit(X, np.column_stack([outcome(X, 2), outcome(X, 3)]))

    with pytest.raises(Cannot, match="its RandomForestClassifier has 2 outputs"):
        compared(model, X)
