"""Graphs of linear models answer as the models do, in each precision and for each way to make probabilities."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import (
    ARDRegression,
    BayesianRidge,
    ElasticNetCV,
    HuberRegressor,
    LarsCV,
    LassoLarsIC,
    LinearRegression,
    LogisticRegression,
    LogisticRegressionCV,
    MultiTaskElasticNet,
    OrthogonalMatchingPursuit,
    Perceptron,
    QuantileRegressor,
    RANSACRegressor,
    Ridge,
    RidgeClassifier,
    RidgeClassifierCV,
    SGDClassifier,
    SGDOneClassSVM,
    SGDRegressor,
    TheilSenRegressor,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC, LinearSVR

from boucle_worker.describe import Cannot
from faithful import compared
from fitted import CLASSES, NUMBER, ROWS, THREE, TWO, UNSEEN, fit, gaps

REGRESSORS = [
    LinearRegression(),
    LinearRegression(fit_intercept=False),
    Ridge(),
    LassoLarsIC(),
    LarsCV(),
    ElasticNetCV(),
    HuberRegressor(),
    TheilSenRegressor(max_subpopulation=100, random_state=0),
    RANSACRegressor(random_state=0),
    ARDRegression(),
    BayesianRidge(),
    SGDRegressor(eta0=0.001, random_state=0),
    OrthogonalMatchingPursuit(),
    LinearSVR(random_state=0),
    QuantileRegressor(alpha=0.01),
]
CLASSIFIERS = [
    LogisticRegression(),
    LogisticRegression(solver="newton-cholesky"),
    LogisticRegressionCV(Cs=2, cv=2),
    LinearSVC(random_state=0),
    SGDClassifier(random_state=0),
    SGDClassifier(loss="log_loss", random_state=0),
    SGDClassifier(loss="modified_huber", random_state=0),
    Perceptron(random_state=0),
    RidgeClassifier(),
    RidgeClassifierCV(),
]


@pytest.mark.parametrize("model", REGRESSORS, ids=repr)
def test_a_weighted_sum_of_the_columns_is_the_regressor(model: object) -> None:
    assert gaps(model, NUMBER).value < 1e-12


@pytest.mark.parametrize("model", [LinearRegression(), Ridge(), MultiTaskElasticNet(0.1)], ids=repr)
def test_several_targets_come_side_by_side(model: object) -> None:
    found = gaps(model, np.column_stack([NUMBER, ROWS[:, 2] ** 2]))

    assert found.value < 1e-12
    assert found.description.outputs["value"]["shape"] == [None, 2]


@pytest.mark.parametrize("classes", CLASSES)
@pytest.mark.parametrize("model", CLASSIFIERS, ids=repr)
def test_labels_probabilities_and_scores_are_those_of_the_classifier(model: object, classes: str) -> None:
    found = gaps(model, CLASSES[classes])

    assert found.labels == 0
    assert found.probabilities < 1e-12
    assert found.scores < 1e-9


def test_one_against_the_rest_is_shared_out_where_all_are_nearly_impossible() -> None:
    far = np.where(np.arange(400)[:, None] % 2, 1.0, -1.0) * np.geomspace(1, 1e4, 400)[:, None] * np.ones(5)

    found = gaps(SGDClassifier(loss="log_loss", random_state=0), THREE, unseen=far)

    assert found.probabilities < 1e-9


def test_liblinear_shares_out_sigmoids() -> None:
    assert gaps(LogisticRegression(solver="liblinear"), TWO).probabilities < 1e-12


@pytest.mark.parametrize("model", [LinearRegression(), Ridge()], ids=repr)
def test_rows_in_single_precision_are_multiplied_in_single_precision(model: object) -> None:
    found = gaps(model, NUMBER, unseen=UNSEEN[:300], dtype="float32")

    assert found.value < 1e-6
    assert found.description.outputs["value"]["dtype"] == "float32"


def test_a_coefficient_in_double_makes_rows_in_single_precision_double() -> None:
    found = gaps(HuberRegressor(), NUMBER, dtype="float32")

    assert found.value < 1e-12
    assert found.description.outputs["value"]["dtype"] == "float64"


def test_a_single_scaled_column_loses_nothing_to_the_multiplication_that_follows() -> None:
    # onnxruntime folds a divisor of one number into a MatMul, in single precision
    model = fit(make_pipeline(StandardScaler(), LinearRegression()), ROWS[:, :1], NUMBER)

    assert compared(model, ROWS[:, :1]).value < 1e-14


def test_outliers_lie_below_the_plane() -> None:
    assert gaps(SGDOneClassSVM(random_state=0)).is_exact


def test_labels_by_the_list_are_refused() -> None:
    with pytest.raises(Cannot, match="gives several labels for one row"):
        gaps(RidgeClassifier(), np.column_stack([TWO, THREE > 1]).astype(int))
