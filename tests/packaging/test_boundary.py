"""Rows on which a graph and its model differ if anything is wrong, seen with formulas written by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boucle.core.coding import Coding, Limit
from boucle.core.signature import Input, Signature
from boucle.core.table import Column, Table, missing_mask
from boucle.packaging.boundary import boundary_rows
from boucle.packaging.edges import UNKNOWN, edge_rows, mixed_rows
from boucle.packaging.ordered import float_keys, floats_at
from boucle.packaging.ports import Converted, Mark
from boucle_worker.frames import Columns
from tables import floats, texts

DICE = np.random.default_rng(7)
ROWS = Table(
    {
        "a": floats(DICE.normal(10.0, 3.0, 200).tolist()),
        "b": floats(DICE.lognormal(0.0, 1.0, 200).tolist()),
        "n": Column("int", DICE.integers(0, 50, 200)),
        "city": texts(DICE.choice(["Lyon", "Paris"], 200).tolist()),
    }
)
A = ROWS.columns["a"].values


def made(inside: Callable[[Columns], Any], *marks: Mark, coding: Coding | None = None) -> Converted:
    """A graph of which only the marked values are known."""
    inputs = tuple(Input(name, column.kind, column.kind) for name, column in ROWS.columns.items())
    signature = Signature("pandas", inputs, "regression", "float")
    return Converted(b"", signature, coding or Coding({"city": ("Lyon", "Paris")}), marks, inside)


def scaled(columns: Columns) -> dict[str, Any]:
    return {"v": ((columns["a"].values - 10.3) / 2.9)[:, None]}


def sides(values: Any, threshold: float) -> tuple[float, float]:
    """The nearest values at or below a threshold, and above it."""
    return values[values <= threshold].max(), values[values > threshold].min()


@pytest.mark.parametrize("threshold", [0.25, -1.1, 1e-9, 0.1 + 0.2])
def test_rows_lie_on_both_sides_of_a_threshold_behind_a_scaler_one_double_apart(threshold: float) -> None:
    rows = boundary_rows(made(scaled, Mark("v", 0, np.array([threshold]))), ROWS)
    low, high = sides(rows.columns["a"].values, 10.3 + 2.9 * threshold)
    found = np.unique(rows.columns["a"].values)
    value = (found - 10.3) / 2.9
    below, above = found[value <= threshold].max(), found[value > threshold].min()
    assert np.nextafter(below, np.inf) == above
    assert low <= above
    assert below <= high


def test_neighbours_up_to_three_doubles_away_come_too() -> None:
    rows = boundary_rows(made(scaled, Mark("v", 0, np.array([0.25]))), ROWS)
    keys = float_keys(np.unique(rows.columns["a"].values))
    last = keys[((floats_at(keys) - 10.3) / 2.9 <= 0.25)].max()
    assert {last - 2, last - 1, last, last + 1, last + 2, last + 3} <= set(keys.tolist())


def test_rows_lie_where_a_cast_to_single_precision_rounds_across_the_threshold() -> None:
    threshold = np.float64(0.3)  # no float32: the float below it is the last that is <=
    rows = boundary_rows(made(scaled, Mark("v", 0, np.array([threshold]))), ROWS)
    found = np.unique(rows.columns["a"].values)
    found = found[np.isfinite(found)]
    with np.errstate(over="ignore"):
        is_below = ((found - 10.3) / 2.9).astype(np.float32) <= threshold
    assert np.nextafter(found[is_below].max(), np.inf) == found[~is_below].min()


def test_floats_of_single_precision_beside_the_crossing_come_as_callers_send_them() -> None:
    rows = boundary_rows(made(scaled, Mark("v", 0, np.array([0.25]))), ROWS)
    found = rows.columns["a"].values
    found = found[np.abs(found) < 1e30]
    single = found[found.astype(np.float32).astype(np.float64) == found]
    crossing = 10.3 + 2.9 * 0.25
    low, high = sides(single, crossing)
    assert high - low <= 2 * float(np.spacing(np.float32(crossing)))


def test_a_threshold_behind_a_logarithm_is_found_as_near_as_rounding_allows() -> None:
    def logged(columns: Columns) -> dict[str, Any]:
        with np.errstate(all="ignore"):
            return {"v": np.log1p(columns["b"].values)[:, None]}

    rows = boundary_rows(made(logged, Mark("v", 0, np.array([0.7]))), ROWS)
    low, high = sides(logged(rows.columns)["v"][:, 0], 0.7)
    assert low > 0.7 - 1e-13
    assert high < 0.7 + 1e-13


def test_a_projection_is_crossed_by_moving_one_column_and_leaving_the_others() -> None:
    def projected(columns: Columns) -> dict[str, Any]:
        return {"v": np.column_stack([columns["a"].values, columns["b"].values]) @ np.array([[0.6], [0.8]])}

    rows = boundary_rows(made(projected, Mark("v", 0, np.array([7.5]))), ROWS)
    values = projected(rows.columns)["v"][:, 0]
    low, high = sides(values, 7.5)
    assert 7.5 - 1e-11 < low < 7.5 - 1e-15  # closer than its rounding no row is put: the model would not know itself
    assert 7.5 + 1e-15 < high < 7.5 + 1e-11


def test_integer_columns_get_the_integers_on_both_sides() -> None:
    def counted(columns: Columns) -> dict[str, Any]:
        return {"v": columns["n"].values.astype(np.float64)[:, None]}

    rows = boundary_rows(made(counted, Mark("v", 0, np.array([31.5]))), ROWS)
    column = rows.columns["n"]
    assert column.values.dtype == np.int64
    at = np.isin(column.values, [31, 32])
    assert at.sum() >= 2


def test_thresholds_of_all_marks_are_visited_when_there_are_more_than_the_budget_allows() -> None:
    def both(columns: Columns) -> dict[str, Any]:
        return {"v": columns["a"].values[:, None], "w": columns["b"].values[:, None]}

    many = Mark("v", 0, np.linspace(5, 15, 5000))
    few = Mark("w", 0, np.array([0.5]))
    rows = boundary_rows(made(both, many, few), ROWS, n_rows=400)
    assert rows.n_rows <= 400
    found = np.unique(rows.columns["b"].values)
    assert np.nextafter(found[found <= 0.5].max(), np.inf) == found[found > 0.5].min()
    hit = np.isin(many.thresholds, rows.columns["a"].values)
    assert hit.sum() > 20


def test_a_mark_that_no_number_moves_makes_no_rows() -> None:
    def coded(columns: Columns) -> dict[str, Any]:
        return {"v": (columns["city"].values == "Lyon").astype(np.float64)[:, None]}

    with_mark = boundary_rows(made(coded, Mark("v", 0, np.array([0.5]))), ROWS)
    without = boundary_rows(made(coded), ROWS)
    assert with_mark.n_rows == without.n_rows


def test_the_same_seed_gives_the_same_rows() -> None:
    graph = made(scaled, Mark("v", 0, np.array([0.25, 0.5])))
    assert boundary_rows(graph, ROWS, seed=3).digest() == boundary_rows(graph, ROWS, seed=3).digest()
    assert boundary_rows(graph, ROWS, seed=3).digest() != boundary_rows(graph, ROWS, seed=4).digest()


def test_rows_have_the_columns_and_kinds_of_the_sample_and_can_be_stored() -> None:
    rows = boundary_rows(made(scaled, Mark("v", 0, np.array([0.25]))), ROWS)
    again = Table.from_bytes(rows.to_bytes())
    assert {n: c.kind for n, c in again.columns.items()} == {n: c.kind for n, c in ROWS.columns.items()}
    assert again.n_rows == rows.n_rows


def test_a_sample_of_one_row_is_enough() -> None:
    rows = boundary_rows(made(scaled, Mark("v", 0, np.array([0.25]))), ROWS.take(slice(0, 1)))
    found = np.unique(rows.columns["a"].values)
    value = (found - 10.3) / 2.9
    assert rows.n_rows > 50
    assert (value <= 0.25).any()


def test_holes_of_the_sample_are_filled_where_a_number_is_moved() -> None:
    holed = Table({**ROWS.columns, "a": floats(np.where(np.arange(200) % 3, A, np.nan).tolist())})
    filled = made(
        lambda columns: {"v": np.where(np.isnan(columns["a"].values), 9.0, columns["a"].values)[:, None]},
        Mark("v", 0, np.array([9.0])),
    )
    rows = boundary_rows(filled, holed)
    assert {9.0, float(np.nextafter(9.0, 10.0))} <= set(rows.columns["a"].values.tolist())


@given(st.floats(-1e6, 1e6), st.floats(0.01, 1e4), st.floats(-3, 3))
def test_any_scaler_and_threshold_are_crossed_by_neighbours(mean: float, scale: float, threshold: float) -> None:
    sample = Table({"x": floats((mean + scale * np.linspace(-3.5, 3.5, 30)).tolist())})
    graph = made(
        lambda columns: {"v": ((columns["x"].values - mean) / scale)[:, None]}, Mark("v", 0, np.array([threshold]))
    )
    found = np.unique(boundary_rows(graph, sample, n_rows=300).columns["x"].values)
    value = (found - mean) / scale
    below, above = found[value <= threshold].max(), found[value > threshold].min()
    assert np.nextafter(below, np.inf) == above


def test_edges_hold_what_is_missing_unknown_infinite_and_huge() -> None:
    rows = edge_rows(ROWS, Coding({"city": ("Lyon", "Paris")}), np.random.default_rng(0), 500)
    a = rows.columns["a"].values
    assert {np.inf, -np.inf, 1e300, 3.5e38, 3.4028234663852886e38, 5e-324} <= set(a.tolist())
    assert np.signbit(a[a == 0.0]).any()
    assert np.isnan(a).any()
    assert {UNKNOWN, "", None, "Lyon", "Paris"} <= set(rows.columns["city"].values.tolist())
    assert missing_mask(rows.columns["n"]).any()
    assert {2**63 - 1, -(2**63)} <= set(rows.columns["n"].values.tolist())


def test_all_columns_go_missing_together() -> None:
    rows = edge_rows(ROWS, Coding(), np.random.default_rng(0), 500)
    holes = np.column_stack([missing_mask(column) for column in rows.columns.values()])
    assert holes.all(axis=1).any()


def test_what_the_model_refuses_is_met_once_and_what_lies_at_its_limit_too() -> None:
    coding = Coding(limits={"a": Limit(takes_missing=False, lowest=-0.5, highest=1e300)})
    cells = edge_rows(ROWS, coding, np.random.default_rng(0), 500).columns["a"].values
    beyond = cells[~((cells >= -0.5) & (cells <= 1e300))]
    assert -0.5 in cells
    assert np.nextafter(-0.5, -1) in cells  # the first that is refused
    assert len(beyond) == 2  # that, and one of: missing, infinite


def test_dates_come_at_odd_instants_and_missing() -> None:
    days = Column("datetime", np.array(["2024-01-01", "2024-06-01"], dtype="datetime64[us]"))
    found = edge_rows(Table({"day": days}), Coding(), np.random.default_rng(0), 100).columns["day"].values
    assert np.isnat(found).any()
    assert np.datetime64("1969-12-31T23:59:59.999999", "us") in found


def test_mixed_rows_hold_real_cells_only() -> None:
    rows = mixed_rows(ROWS, np.random.default_rng(0), 300)
    assert rows.n_rows == 300
    assert set(rows.columns["a"].values.tolist()) <= set(A.tolist())
    pairs = set(zip(A.tolist(), ROWS.columns["n"].values.tolist(), strict=True))
    assert not set(zip(rows.columns["a"].values.tolist(), rows.columns["n"].values.tolist(), strict=True)) <= pairs


@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=20))
def test_places_of_doubles_are_in_their_order_and_lead_back(values: list[float]) -> None:
    keys = float_keys(np.array(values))
    assert floats_at(keys).tolist() == [abs(x) if x == 0 else x for x in values]
    assert (np.argsort(keys, kind="stable") == np.argsort(np.array(values) + 0.0, kind="stable")).all()
