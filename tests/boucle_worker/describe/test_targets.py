"""Graphs of regressors with bent targets bend them back as the library does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
)

from boucle_worker.describe import Cannot
from faithful import compared

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(300, 3))
OTHERS = RANDOM.normal(size=(300, 3)) * 2
TARGET = np.exp(ROWS[:, 0] + ROWS[:, 1] + RANDOM.normal(size=300) / 4) + 1


@pytest.mark.parametrize(
    "transformer",
    [
        StandardScaler(),
        StandardScaler(with_mean=False),
        MinMaxScaler(),
        MaxAbsScaler(),
        RobustScaler(),
        PowerTransformer(),
        PowerTransformer(standardize=False),
        PowerTransformer("box-cox"),
        QuantileTransformer(n_quantiles=50),
        QuantileTransformer(n_quantiles=50, output_distribution="normal"),
        FunctionTransformer(np.log1p, np.expm1),
        make_pipeline(FunctionTransformer(np.log, np.exp), StandardScaler()),
    ],
    ids=str,
)
def test_answers_are_bent_back(transformer: Any) -> None:
    model = TransformedTargetRegressor(LinearRegression(), transformer=transformer).fit(ROWS, TARGET)
    assert compared(model, ROWS, OTHERS).is_exact


@pytest.mark.parametrize("power", [0.0, 2.0, -0.5, 0.5, 3.0])
def test_powers_are_undone_on_both_sides_of_zero(power: float) -> None:
    target = TARGET - TARGET.mean()
    model = TransformedTargetRegressor(transformer=PowerTransformer(standardize=False)).fit(ROWS, target)
    model.transformer_.lambdas_[:] = power
    assert compared(model, ROWS / 8).is_exact


def test_functions_of_numpy_are_named() -> None:
    model = TransformedTargetRegressor(LinearRegression(), func=np.sqrt, inverse_func=np.square).fit(ROWS, TARGET)
    assert compared(model, ROWS, OTHERS).is_exact
    assert compared(TransformedTargetRegressor(LinearRegression()).fit(ROWS, TARGET), ROWS).is_exact


def test_several_targets_are_bent_back_each() -> None:
    model = TransformedTargetRegressor(LinearRegression(), transformer=StandardScaler())
    assert compared(model.fit(ROWS, np.c_[TARGET, ROWS[:, 2]]), ROWS, OTHERS).is_exact


def test_code_of_the_author_is_refused() -> None:
    model = TransformedTargetRegressor(func=np.log, inverse_func=lambda y: np.exp(y) + 0, check_inverse=False).fit(
        ROWS, TARGET
    )
    with pytest.raises(Cannot, match="code of its author's"):
        compared(model, ROWS)


def test_an_inverse_without_a_formula_is_refused() -> None:
    model = TransformedTargetRegressor(transformer=StandardScaler()).fit(ROWS, TARGET)
    model.transformer_ = SplineTransformer().fit(TARGET[:, None])
    with pytest.raises(Cannot, match="SplineTransformer"):
        compared(model, ROWS)
