"""Graphs of selections, projections and kernels give what these give."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse
from sklearn.decomposition import PCA, FactorAnalysis, FastICA, IncrementalPCA, KernelPCA, TruncatedSVD
from sklearn.feature_selection import (
    RFE,
    RFECV,
    GenericUnivariateSelect,
    SelectFdr,
    SelectFpr,
    SelectFromModel,
    SelectFwe,
    SelectKBest,
    SelectPercentile,
    SequentialFeatureSelector,
    VarianceThreshold,
)
from sklearn.kernel_approximation import Nystroem, RBFSampler
from sklearn.linear_model import LogisticRegression
from sklearn.random_projection import GaussianRandomProjection, SparseRandomProjection

from boucle_worker.describe import Cannot
from transformed import gap

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(300, 6)) @ RANDOM.normal(size=(6, 6))
OTHERS = RANDOM.normal(size=(300, 6)) * 4
TARGET = (ROWS[:, 0] + ROWS[:, 2] > 0).astype(int)


@pytest.mark.parametrize(
    "selection",
    [
        VarianceThreshold(0.5),
        SelectKBest(k=2),
        SelectPercentile(percentile=50),
        SelectFpr(),
        SelectFdr(),
        SelectFwe(),
        GenericUnivariateSelect(mode="k_best", param=3),
        SelectFromModel(LogisticRegression()),
        RFE(LogisticRegression(), n_features_to_select=2),
        RFECV(LogisticRegression(), cv=3),
        SequentialFeatureSelector(LogisticRegression(), n_features_to_select=2, cv=2),
    ],
    ids=lambda selection: type(selection).__name__,
)
def test_chosen_columns_are_the_same(selection: Any) -> None:
    assert gap(selection.fit(ROWS, TARGET), ROWS, OTHERS) == 0.0


@pytest.mark.parametrize(
    "step",
    [
        PCA(3),
        PCA(0.9, whiten=True),
        IncrementalPCA(3, whiten=True),
        TruncatedSVD(3, random_state=0),
        FastICA(3, random_state=0),
        FactorAnalysis(2),
        GaussianRandomProjection(3, random_state=0),
        SparseRandomProjection(3, random_state=0),
        RBFSampler(random_state=0),
        Nystroem(n_components=30, random_state=0),
        Nystroem("poly", n_components=30, degree=2, coef0=0.5, random_state=0),
        *[
            KernelPCA(3, kernel=kernel, eigen_solver="dense")
            for kernel in ("linear", "rbf", "poly", "sigmoid", "cosine")
        ],
    ],
    ids=repr,
)
def test_projections_are_the_same(step: Any) -> None:
    assert gap(step.fit(ROWS), ROWS, OTHERS) <= 1e-9


def test_projections_of_single_precision_stay_in_it() -> None:
    rows = ROWS.astype(np.float32)

    assert gap(PCA(3).fit(rows), rows, OTHERS.astype(np.float32)) <= 1e-6


def test_sparse_rows_become_dense_where_they_do() -> None:
    rows = scipy.sparse.csr_matrix(np.where(RANDOM.random(ROWS.shape) < 0.5, 0.0, ROWS))

    assert gap(TruncatedSVD(3, random_state=0).fit(rows), rows) <= 1e-12
    assert gap(SparseRandomProjection(3, random_state=0).fit(rows), rows) <= 1e-12
    assert gap(VarianceThreshold().fit(rows), rows) == 0.0


def test_a_kernel_of_its_authors_is_refused() -> None:
    mine = Nystroem(lambda a, b: float(a @ b), n_components=5, random_state=0).fit(ROWS)

    with pytest.raises(Cannot, match="kernel is a function of its author's"):
        gap(mine, ROWS)
