"""Graphs of neighbours give what scikit-learn's trees and brute force give."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.neighbors import (
    KNeighborsClassifier,
    KNeighborsRegressor,
    LocalOutlierFactor,
    RadiusNeighborsClassifier,
    RadiusNeighborsRegressor,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from boucle_worker.describe import Cannot
from faithful import compared

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(400, 5)) * np.arange(1, 6) + 3
OTHERS = RANDOM.normal(size=(300, 5)) * np.arange(1, 6) + 3
FAR = OTHERS * 1e6
SCORE = ROWS[:, 0] + ROWS[:, 1]
CLASSES = np.array(["low", "mid", "top"])[np.digitize(SCORE, [2.0, 10.0])]
ALGORITHMS = ["kd_tree", "ball_tree", "brute", "auto"]
METRICS: list[dict[str, Any]] = [{}, {"metric": "manhattan"}, {"metric": "chebyshev"}, {"p": 3}, {"metric": "l2"}]


def scaled(estimator: Any) -> Any:
    return make_pipeline(StandardScaler(), estimator)


@pytest.mark.parametrize("metric", METRICS, ids=str)
@pytest.mark.parametrize("weights", ["uniform", "distance"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_classes_and_shares_are_those_of_the_k_nearest(algorithm: str, weights: str, metric: dict[str, Any]) -> None:
    model = scaled(KNeighborsClassifier(algorithm=algorithm, weights=weights, **metric)).fit(ROWS, CLASSES)
    found = compared(model, ROWS, OTHERS, FAR)
    assert found.is_exact
    assert found.probabilities < 1e-9


@pytest.mark.parametrize("metric", METRICS, ids=str)
@pytest.mark.parametrize("weights", ["uniform", "distance"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_targets_are_means_of_the_k_nearest(algorithm: str, weights: str, metric: dict[str, Any]) -> None:
    model = scaled(KNeighborsRegressor(algorithm=algorithm, weights=weights, **metric)).fit(ROWS, SCORE * 10)
    assert compared(model, ROWS, OTHERS, FAR).is_exact


@pytest.mark.parametrize("weights", ["uniform", "distance"])
def test_several_targets_are_averaged_each(weights: str) -> None:
    model = scaled(KNeighborsRegressor(weights=weights)).fit(ROWS, np.c_[SCORE, ROWS[:, 2]])
    assert compared(model, ROWS, OTHERS).is_exact


def test_brute_force_finds_a_training_row_at_the_distance_that_its_matrix_product_leaves() -> None:
    model = KNeighborsRegressor(1, algorithm="brute", weights="distance").fit(ROWS, SCORE)
    assert compared(model, ROWS, OTHERS).value == 0.0


@pytest.mark.parametrize("algorithm", ["kd_tree", "brute"])
def test_one_of_two_equally_frequent_classes_is_the_first(algorithm: str) -> None:
    rows = np.array([[0.0], [1.0], [3.0], [4.0]])
    model = KNeighborsClassifier(4, algorithm=algorithm).fit(rows, ["b", "b", "a", "a"])
    found = compared(model, rows)
    assert (found.labels, found.probabilities) == (0, 0.0)
    assert model.predict(rows).tolist() == ["a"] * 4


def test_rows_that_equal_training_rows_count_only_these() -> None:
    rows = np.array([[0.0, 1.0], [0.0, 1.0], [5.0, 5.0], [6.0, 7.0]])
    model = KNeighborsRegressor(3, weights="distance").fit(rows, [1.0, 3.0, 10.0, 20.0])
    assert compared(model, rows).value == 0.0
    assert model.predict(rows[:1]).tolist() == [2.0]


@pytest.mark.parametrize("algorithm", ["kd_tree", "brute"])
@pytest.mark.parametrize("metric", ["euclidean", "manhattan"])
def test_single_precision_rows_are_measured_as_the_library_does(algorithm: str, metric: str) -> None:
    rows, others = ROWS.astype(np.float32), OTHERS.astype(np.float32)
    model = KNeighborsClassifier(algorithm=algorithm, metric=metric, weights="distance").fit(rows, CLASSES)
    found = compared(model, rows, others)
    assert found.labels == 0
    assert found.probabilities < 1e-6


def test_cosine_distances_are_those_of_units() -> None:
    model = KNeighborsClassifier(metric="cosine").fit(ROWS, CLASSES)
    assert compared(model, ROWS, OTHERS).is_exact


@pytest.mark.parametrize("weights", ["uniform", "distance"])
@pytest.mark.parametrize("algorithm", ["kd_tree", "brute"])
def test_neighbours_within_a_radius_vote(algorithm: str, weights: str) -> None:
    settings: dict[str, Any] = {"radius": 4.0, "weights": weights, "algorithm": algorithm}
    labelled = RadiusNeighborsClassifier(outlier_label="most_frequent", **settings).fit(ROWS, CLASSES)
    assert compared(labelled, ROWS, OTHERS, FAR).is_exact
    assert compared(RadiusNeighborsRegressor(**settings).fit(ROWS, SCORE), ROWS, OTHERS, FAR).is_exact


def test_a_row_without_neighbours_fails_where_the_library_raises() -> None:
    model = RadiusNeighborsClassifier(4.0).fit(ROWS, CLASSES)
    assert compared(model, ROWS).is_exact
    with pytest.raises(Exception, match=r"indices element out of data bounds|Gather"):
        compared_graph(model, FAR[:1])


@pytest.mark.parametrize("algorithm", ["kd_tree", "brute"])
def test_outliers_lie_less_densely_than_their_neighbours(algorithm: str) -> None:
    model = scaled(LocalOutlierFactor(novelty=True, algorithm=algorithm)).fit(ROWS)
    found = compared(model, ROWS, OTHERS, OTHERS * 3)
    assert found.labels == 0
    assert found.scores < 1e-9


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (KNeighborsClassifier(metric=lambda a, b: float(abs(a - b).sum())), "with a function"),
        (KNeighborsClassifier(weights=lambda distances: distances + 1), "weighs neighbours with a function"),
        (KNeighborsClassifier(metric="canberra"), "metric 'canberra'"),
        (KNeighborsClassifier(metric="cosine", weights="distance"), "rounding errors"),
        (RadiusNeighborsClassifier(4.0, outlier_label="out"), "no class"),
    ],
    ids=["function", "weights", "canberra", "cosine", "outlier"],
)
def test_what_is_not_exact_is_refused(model: Any, reason: str) -> None:
    with pytest.raises(Cannot, match=reason):
        compared(model.fit(ROWS, CLASSES), ROWS)


def compared_graph(model: Any, rows: Any) -> Any:
    """Return what the graph of a model answers to rows that the model itself refuses."""
    from faithful import answers, table_of

    found = compared(model, ROWS)
    return answers(found.model, found.description, table_of(rows).columns)
