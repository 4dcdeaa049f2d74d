"""Graphs of encoders and bins of numbers answer as these do to known, rare, unknown and missing categories."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    KBinsDiscretizer,
    OneHotEncoder,
    OrdinalEncoder,
    PowerTransformer,
    QuantileTransformer,
    SplineTransformer,
    TargetEncoder,
)

from boucle_worker.describe import Cannot
from faithful import compared
from transformed import gap, nearby

RANDOM = np.random.default_rng(0)
CATEGORIES = np.column_stack(
    [RANDOM.choice([1, 2, 3, 7], 400, p=[0.5, 0.3, 0.18, 0.02]), RANDOM.choice([0.5, 1.5, 2.5], 400)]
)
HOLED = np.where(RANDOM.random(CATEGORIES.shape) < 0.1, np.nan, CATEGORIES)
UNKNOWN = np.column_stack([np.resize([4.0, 7.0, np.nan, 1e9, 1.0], 28), np.resize(nearby([0.5, 1.5, 2.5, -1.0]), 28)])
NUMBERS = np.column_stack([RANDOM.normal(size=400), RANDOM.exponential(size=400) * 100, RANDOM.integers(0, 5, 400)])
OTHERS = RANDOM.normal(size=(400, 3)) * [2, 200, 3]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"handle_unknown": "ignore"},
        {"handle_unknown": "ignore", "sparse_output": False, "dtype": np.float32},
        {"handle_unknown": "ignore", "min_frequency": 20},
        {"handle_unknown": "infrequent_if_exist", "min_frequency": 20},
        {"handle_unknown": "infrequent_if_exist", "max_categories": 3, "drop": "first"},
        {"drop": "first"},
        {"drop": "if_binary", "max_categories": 2},
    ],
    ids=str,
)
@pytest.mark.parametrize("rows", [CATEGORIES, HOLED], ids=["whole", "holed"])
def test_one_hot_columns_are_equal_and_unknown_numbers_fail_where_they_must(settings: Any, rows: Any) -> None:
    encoder = OneHotEncoder(**settings).fit(rows)

    assert gap(encoder, rows, UNKNOWN, rows.astype(np.float32)) == 0.0


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"handle_unknown": "use_encoded_value", "unknown_value": -1},
        {"handle_unknown": "use_encoded_value", "unknown_value": np.nan, "encoded_missing_value": -2},
        {"handle_unknown": "use_encoded_value", "unknown_value": 9, "max_categories": 3},
    ],
    ids=str,
)
def test_ordinals_are_equal(settings: Any) -> None:
    assert gap(OrdinalEncoder(**settings).fit(HOLED), HOLED, UNKNOWN) == 0.0


@pytest.mark.parametrize("n_classes", [0, 2, 3])
def test_target_means_are_equal_for_each_kind_of_target(n_classes: int) -> None:
    noise = CATEGORIES[:, 0] + RANDOM.normal(size=400)
    target = np.digitize(noise, [1.5, 3.0][: n_classes - 1]) if n_classes else noise
    encoder = TargetEncoder(random_state=0).fit(HOLED, target)

    assert gap(encoder, HOLED, UNKNOWN) == 0.0


def test_a_hundred_categories_are_one_comparison() -> None:
    rows = RANDOM.integers(0, 100, (400, 1)).astype(np.float64)
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), Ridge()).fit(rows, rows[:, 0])
    found = compared(model, rows, rows + 0.5)

    assert found.is_exact
    assert [node["op"] for node in found.description.nodes].count("Equal") == 1


@pytest.mark.filterwarnings("ignore:Bins whose width")
@pytest.mark.parametrize("encode", ["onehot", "onehot-dense", "ordinal"])
def test_numbers_on_an_edge_fall_into_the_bin_above(encode: Any) -> None:
    bins = KBinsDiscretizer(5, encode=encode, quantile_method="averaged_inverted_cdf").fit(NUMBERS)
    edges = np.column_stack([np.resize(nearby(edges), 60) for edges in bins.bin_edges_])

    assert gap(bins, NUMBERS, OTHERS, edges, OTHERS.astype(np.float32)) == 0.0


@pytest.mark.parametrize("output", ["uniform", "normal"])
@pytest.mark.parametrize("n_quantiles", [7, 300])
def test_quantiles_are_interpolated_both_ways(output: Any, n_quantiles: int) -> None:
    transformer = QuantileTransformer(n_quantiles=n_quantiles, output_distribution=output).fit(NUMBERS)
    ends = np.column_stack([np.resize(nearby(column), 3000) for column in transformer.quantiles_.T])
    holed = np.where(RANDOM.random(OTHERS.shape) < 0.2, np.nan, OTHERS)

    assert gap(transformer, NUMBERS, holed, ends, OTHERS.astype(np.float32)) <= 1e-13


@pytest.mark.filterwarnings("ignore:overflow encountered")
@pytest.mark.parametrize("method", ["yeo-johnson", "box-cox"])
@pytest.mark.parametrize("scale", [1.0, 1e-5])
def test_powers_keep_what_small_numbers_tell(method: Any, scale: float) -> None:
    rows, others = (np.abs(m) + 1e-3 * scale if method == "box-cox" else m for m in (NUMBERS * scale, OTHERS * scale))

    assert gap(PowerTransformer(method, standardize=False).fit(rows), rows, others) <= 1e-13
    assert gap(PowerTransformer(method).fit(rows), rows) <= 1e-9


@pytest.mark.parametrize("extrapolation", ["error", "constant", "linear", "continue", "periodic"])
@pytest.mark.parametrize("degree", [2, 3])
def test_splines_are_equal_between_at_and_beyond_the_knots(extrapolation: Any, degree: int) -> None:
    splines = SplineTransformer(5, degree=degree, extrapolation=extrapolation, include_bias=False).fit(NUMBERS)
    knots = np.column_stack([np.resize(nearby(np.unique(spline.t)), 80) for spline in splines.bsplines_])

    assert gap(splines, NUMBERS, OTHERS, knots) <= 1e-12


def test_splines_hold_knots_that_come_twice() -> None:
    assert gap(SplineTransformer(7, knots="quantile").fit(NUMBERS), NUMBERS, OTHERS) <= 1e-13


def test_straight_splines_that_scikit_learn_mixes_up_are_refused() -> None:
    with pytest.raises(Cannot, match="of degree 1 goes on otherwise in the first column only"):
        gap(SplineTransformer(5, degree=1, extrapolation="linear").fit(NUMBERS), NUMBERS)
