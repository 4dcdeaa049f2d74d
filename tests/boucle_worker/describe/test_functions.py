"""Graphs of numpy's functions give what these give; code of the author's is refused."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.special
from sklearn.compose import make_column_transformer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from boucle_worker.describe import Cannot
from faithful import compared
from transformed import gap

RANDOM = np.random.default_rng(0)
ROWS = np.vstack([RANDOM.normal(size=(200, 3)), RANDOM.normal(size=(50, 3)) * 1e-9, [[0.0, -0.0, np.nan]]])
POSITIVE = np.abs(ROWS) + 1e-12
ANYWHERE = [
    "abs",
    "arcsinh",
    "cbrt",
    "ceil",
    "cos",
    "deg2rad",
    "exp",
    "exp2",
    "expm1",
    "fabs",
    "floor",
    "isfinite",
    "isnan",
    "negative",
    "nan_to_num",
    "rad2deg",
    "rint",
    "round",
    "sign",
    "sin",
    "square",
    "tan",
    "tanh",
    "trunc",
]


@pytest.mark.parametrize("name", ANYWHERE)
def test_functions_are_equal_for_large_small_and_missing_numbers(name: str) -> None:
    assert gap(FunctionTransformer(getattr(np, name)), ROWS, ROWS * 3) <= 1e-13


@pytest.mark.parametrize("name", ["log", "log1p", "log2", "log10", "sqrt", "reciprocal"])
def test_functions_of_positive_numbers_are_equal(name: str) -> None:
    assert gap(FunctionTransformer(getattr(np, name)), POSITIVE, POSITIVE * 1e6) <= 1e-14


@pytest.mark.parametrize("function", [np.log1p, np.expm1, np.arcsinh])
def test_small_numbers_are_not_rounded_away(function: Any) -> None:
    scaled = make_pipeline(FunctionTransformer(function), StandardScaler()).fit(ROWS[200:250])

    assert gap(scaled, ROWS[200:250]) <= 1e-13


@pytest.mark.parametrize(
    ("function", "options"),
    [
        (np.clip, {"a_min": 0.0, "a_max": 0.5}),
        (np.clip, {"a_min": None, "a_max": 0.5}),
        (np.round, {"decimals": 2}),
        (np.nan_to_num, {"nan": -1.0, "posinf": 5.0}),
        (functools.partial(np.clip, a_min=-0.5, a_max=0.5), None),
        (scipy.special.expit, None),
        (None, None),
    ],
    ids=str,
)
def test_options_of_functions_are_taken(function: Any, options: Any) -> None:
    assert gap(FunctionTransformer(function, kw_args=options), ROWS, np.array([[np.inf, -np.inf, np.nan]])) <= 1e-15


def test_columns_of_single_precision_are_computed_in_it_beside_others() -> None:
    rows = pd.DataFrame({"a": POSITIVE[:250, 0].astype(np.float32), "b": POSITIVE[:250, 1], "n": np.arange(250)})
    logs = make_column_transformer((FunctionTransformer(np.sqrt), ["a", "b", "n"]))
    found = compared(make_pipeline(logs, Ridge()).fit(rows, rows.b), rows)

    assert found.is_exact


def test_code_of_its_authors_is_refused_by_its_name() -> None:
    with pytest.raises(Cannot, match=r"calls .*lambda.* of .*test_functions, code of its author's"):
        gap(FunctionTransformer(lambda rows: rows * 2), ROWS)


def test_whole_numbers_that_numpy_would_wrap_are_refused() -> None:
    rows = pd.DataFrame({"n": np.arange(50, dtype=np.int32)})
    model = make_pipeline(FunctionTransformer(np.square), Ridge()).fit(rows, rows.n)

    with pytest.raises(Cannot, match="calls numpy's square on column n of dtype int32"):
        compared(model, rows)
