"""Graphs of imputers and scalers give what these give, bit by bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.preprocessing import (
    Binarizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
)

from boucle_worker.describe import Cannot
from transformed import gap, nearby

RANDOM = np.random.default_rng(0)
ROWS = np.column_stack([RANDOM.normal(size=300), RANDOM.normal(size=300) * 100 + 1e6, RANDOM.integers(0, 4, 300)])
OTHERS = np.vstack(
    [RANDOM.normal(size=(200, 3)) * [2, 1e6, 3], np.zeros((1, 3)), np.full((1, 3), 1e12), np.eye(3) * 1e-300]
)


def holed(rows: Any) -> Any:
    """Return rows of which a fifth of the cells are missing."""
    return np.where(np.random.default_rng(1).random(rows.shape) < 0.2, np.nan, rows)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    "scaler",
    [
        StandardScaler(),
        StandardScaler(with_mean=False),
        StandardScaler(with_std=False),
        MinMaxScaler((-1, 2.5)),
        MinMaxScaler(clip=True),
        MaxAbsScaler(),
        RobustScaler(unit_variance=True),
        RobustScaler(with_centering=False, quantile_range=(10, 80)),
    ],
    ids=repr,
)
def test_scalers_are_equal_to_the_last_bit_in_either_precision(scaler: Any, dtype: Any) -> None:
    fitted = scaler.fit(holed(ROWS).astype(dtype))

    assert gap(fitted, holed(ROWS).astype(dtype), holed(OTHERS).astype(dtype)) == 0.0


@pytest.mark.parametrize("strategy", ["mean", "median", "most_frequent", "constant"])
@pytest.mark.parametrize("keeps", [True, False], ids=["kept", "dropped"])
def test_imputers_fill_tell_what_was_missing_and_drop_empty_columns(strategy: str, keeps: bool) -> None:
    rows = np.column_stack([holed(ROWS), np.full(len(ROWS), np.nan)])
    imputer = SimpleImputer(strategy=strategy, add_indicator=True, keep_empty_features=keeps)
    imputer.fit(rows)

    others = np.column_stack([holed(OTHERS), np.zeros(len(OTHERS))])
    assert gap(imputer, rows, others, rows.astype(np.float32)) == 0.0


def test_an_imputer_takes_any_number_for_missing() -> None:
    rows = np.where(np.isnan(holed(ROWS)), -1.0, ROWS)

    assert gap(SimpleImputer(missing_values=-1, add_indicator=True).fit(rows), rows, ROWS) == 0.0


def test_a_column_that_never_missed_a_cell_makes_the_graph_fail_as_the_indicator_does() -> None:
    rows = ROWS.copy()
    rows[::3, 0] = np.nan
    indicator = MissingIndicator().fit(rows)

    assert gap(indicator, rows) == 0.0
    assert gap(indicator, holed(OTHERS)) == 0.0  # both refuse
    assert gap(MissingIndicator(error_on_new=False).fit(rows), holed(OTHERS)) == 0.0
    assert gap(MissingIndicator(features="all").fit(rows), holed(OTHERS)) == 0.0


@pytest.mark.parametrize("norm", ["l1", "l2", "max"])
def test_rows_of_zeros_keep_their_length(norm: Any) -> None:
    assert gap(Normalizer(norm).fit(ROWS), ROWS, OTHERS) <= 1e-15
    assert gap(Normalizer(norm).fit(ROWS), scipy.sparse.csr_matrix(OTHERS)) <= 1e-15


def test_a_binarizer_asks_for_more_than_its_threshold() -> None:
    rows = np.repeat(nearby([0.3, 0.0])[:, None], 3, axis=1)

    assert gap(Binarizer(threshold=0.3).fit(ROWS), rows, OTHERS) == 0.0


@pytest.mark.parametrize(
    "settings",
    [{"degree": 2}, {"degree": 3, "interaction_only": True, "include_bias": False}, {"degree": (2, 4)}],
    ids=str,
)
def test_products_are_taken_in_the_order_of_scikit_learn(settings: Any) -> None:
    assert gap(PolynomialFeatures(**settings).fit(ROWS), ROWS, OTHERS) == 0.0


@pytest.mark.parametrize(
    "step",
    [StandardScaler(with_mean=False), MaxAbsScaler(), RobustScaler(with_centering=False), Binarizer(), SimpleImputer()],
    ids=repr,
)
def test_sparse_rows_stay_sparse(step: Any) -> None:
    rows = scipy.sparse.csr_matrix(np.where(RANDOM.random(ROWS.shape) < 0.5, 0.0, ROWS))

    assert gap(step.fit(rows), rows) == 0.0


def test_texts_in_a_column_of_numbers_are_refused() -> None:
    imputer = SimpleImputer(strategy="constant", fill_value="none").fit(np.array([["a"]], dtype=object))

    with pytest.raises(Cannot, match="puts texts into a column of numbers"):
        gap(imputer, ROWS[:, :1])
