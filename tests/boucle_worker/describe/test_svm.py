"""Graphs of support vector machines vote, decide and tell probabilities as libsvm does."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.svm import SVC, SVR, NuSVC, NuSVR, OneClassSVM

from boucle_worker.describe import Cannot
from boucle_worker.describe.families.svm import _BINARY_SWEEPS, _STOP
from faithful import compared
from fitted import CLASSES, NUMBER, ROWS, THREE, TWO, UNSEEN, fit, gaps

MACHINES = [
    {},
    {"kernel": "linear"},
    {"kernel": "poly"},
    {"kernel": "sigmoid"},
    {"C": 100, "class_weight": "balanced", "gamma": 0.5},
    {"gamma": 40.0},
    {"decision_function_shape": "ovo"},
    {"break_ties": True},
]


@pytest.mark.parametrize("classes", CLASSES)
@pytest.mark.parametrize("settings", MACHINES, ids=repr)
def test_labels_and_decisions_are_those_of_the_machine(settings: dict[str, Any], classes: str) -> None:
    found = gaps(SVC(**settings), CLASSES[classes], unseen=UNSEEN[:300])

    assert found.labels == 0
    assert found.scores < 1e-9


@pytest.mark.parametrize("classes", CLASSES)
@pytest.mark.parametrize("settings", [{}, {"kernel": "linear"}, {"C": 1e4}], ids=repr)
def test_probabilities_stop_where_libsvm_stops(settings: dict[str, Any], classes: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn 1.9 advises against probability=True
        found = gaps(SVC(probability=True, random_state=0, **settings), CLASSES[classes])

    assert found.labels == 0
    assert found.probabilities < 1e-9


@pytest.mark.parametrize("model", [NuSVC(nu=0.3), OneClassSVM(nu=0.1), OneClassSVM(kernel="linear", nu=0.2)], ids=repr)
def test_other_machines_decide_alike(model: object) -> None:
    assert gaps(model, None if isinstance(model, OneClassSVM) else THREE, unseen=UNSEEN[:300]).is_exact


@pytest.mark.parametrize("model", [SVR(), SVR(kernel="poly"), SVR(gamma=30.0), NuSVR(C=10)], ids=repr)
def test_regressors_answer_alike(model: object) -> None:
    assert gaps(model, NUMBER, unseen=UNSEEN[:300]).value < 1e-11


def test_rows_in_single_precision_are_computed_in_double() -> None:
    assert gaps(SVR(), NUMBER, dtype="float32").value < 1e-12


def test_rows_far_from_zero_lose_nothing() -> None:
    assert gaps(SVR(gamma=0.5), NUMBER, ROWS + 1e6, UNSEEN[:300] + 1e6).value < 1e-12


def test_huge_rows_are_like_no_support_vector() -> None:
    huge = np.array([[1e300, 1, 1, 1, 1], [-1e300, -1e300, 0, 0, 0], [0, 1e155, 0, 0, 0]])

    assert gaps(SVC(), TWO, unseen=huge).is_exact


def test_a_machine_fitted_on_sparse_rows_is_followed() -> None:
    cities = np.array(["a", "b", "c", "d", "e", "f", "g"])[np.arange(300) % 7]
    encoder = OneHotEncoder()
    rows = encoder.fit_transform(cities[:, None])
    assert isinstance(csr_matrix(rows), csr_matrix)  # it is sparse
    model = make_pipeline(make_column_transformer((encoder, [0]), sparse_threshold=1.0), SVC())
    example = cities.astype(object)[:, None]

    assert compared(fit(model, example, (cities < "d").astype(int)), example).is_exact


def test_two_sweeps_bring_any_two_classes_to_where_libsvm_stops() -> None:
    a = np.concatenate([np.logspace(-7, -0.3, 10_001), 1 - np.logspace(-7, -0.3, 10_001)])
    b, error = 1 - a, 0.5 - a
    for _sweep in range(_BINARY_SWEEPS):
        half = error**2 * b / (b * (b - error) + error**2)
        is_done = np.maximum(np.abs(b * error - error**2), np.abs(a * error + error**2)) < _STOP / 2
        error = np.where(is_done, error, -(half**2 * a / (a * (a + half) + half**2)))

    assert (np.maximum(np.abs(b * error - error**2), np.abs(a * error + error**2)) < _STOP / 2).all()


def test_a_kernel_of_the_user_is_refused() -> None:
    with pytest.raises(Cannot, match="its SVC has a kernel of its own"):
        gaps(SVC(kernel=lambda a, b: a @ b.T), TWO)
