"""Graphs of models that are sums of kernels answer as the models do."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge
from sklearn.semi_supervised import LabelPropagation, LabelSpreading

from boucle_worker.describe import Cannot
from fitted import NUMBER, ROWS, THREE, TWO, UNSEEN, gaps

KERNELS = [
    KernelRidge(),
    KernelRidge(kernel="rbf"),
    KernelRidge(kernel="rbf", gamma=3.0),
    KernelRidge(kernel="poly", degree=2),
    KernelRidge(kernel="laplacian", gamma=0.1),
    KernelRidge(kernel="sigmoid", gamma=0.01),
    KernelRidge(kernel="cosine"),
]


@pytest.mark.parametrize("model", KERNELS, ids=repr)
def test_each_kernel_is_that_of_scikit_learn(model: object) -> None:
    assert gaps(model, NUMBER, unseen=UNSEEN[:300]).value < 1e-10


@pytest.mark.parametrize("model", KERNELS, ids=repr)
def test_each_kernel_of_rows_in_single_precision_is_that_of_scikit_learn(model: object) -> None:
    assert gaps(model, NUMBER, unseen=UNSEEN[:300], dtype="float32").value < 2e-5  # sums of 300 in single precision


def test_several_targets_share_the_kernel() -> None:
    assert gaps(KernelRidge(kernel="rbf"), np.column_stack([NUMBER, ROWS[:, 2]])).value < 1e-12


@pytest.mark.parametrize("labels", [TWO, THREE], ids=["two", "three"])
@pytest.mark.parametrize("model", [LabelPropagation(gamma=0.5), LabelSpreading(gamma=0.5)], ids=repr)
def test_labels_spread_to_new_rows(model: object, labels: object) -> None:
    found = gaps(model, labels)

    assert found.labels == 0
    assert found.probabilities < 1e-12


def test_neighbours_as_a_kernel_are_refused() -> None:
    with pytest.raises(Cannot, match="its LabelSpreading has kernel 'knn'"):
        gaps(LabelSpreading(kernel="knn"), TWO)


def test_a_kernel_of_the_user_is_refused() -> None:
    with pytest.raises(Cannot, match="its KernelRidge has a kernel of its own"):
        gaps(KernelRidge(kernel=np.dot), NUMBER)
