"""ONNX graphs fed by windows of rows, and graphs that give intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import helper

import forecasting as fc
from adapters.test_onnx_runtime import DOUBLE, FLOAT, INT64, STRING, graph_of, loaded, signature
from boucle.core.errors import InvalidRows, ModelFailed
from boucle.core.signature import Tensor
from boucle.core.table import Column
from boucle_worker.frames import Columns
from tables import floats, texts

DATES = ["1969-12-31T23:59:59.999999", "1970-01-01T00:00:01.5", "2024-02-29T12:00:00", "2024-03-01T00:00:00"]
TWO_WINDOWS: Columns = {"t": Column("datetime", np.array(DATES, dtype="datetime64[us]"))}


def last_of(dtype: int, axes: list[Any], out: int | None = None) -> bytes:
    """The last row of each window (its first column, if it has several)."""
    nodes = [helper.make_node("Gather", ["x", "last"], ["row" if len(axes) == 3 else "y"], axis=1)]
    if len(axes) == 3:
        nodes.append(helper.make_node("Gather", ["row", "first"], ["y"], axis=1))
    return graph_of(nodes, [("x", dtype, axes)], [("y", out or dtype, [None])], last=np.array(-1), first=np.array(0))


def last(tensor: Tensor, dtype: int, columns: Columns) -> list[Any]:
    told = signature([tensor], {name: column.kind for name, column in columns.items()})
    found: list[Any] = loaded(last_of(dtype, list(tensor.shape)), told).predict(columns)["prediction"].values.tolist()
    return found


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("s", [1, 1709251200]),
        ("ms", [1500, 1709251200_000]),
        ("us", [1500_000, 1709251200_000_000]),
        ("ns", [1500_000_000, 1709251200_000_000_000]),
    ],
)
def test_dates_feed_integers_in_the_unit_told(unit: Any, expected: list[int]) -> None:
    assert last(Tensor("x", "int64", (None, 2), ("t",), unit), INT64, TWO_WINDOWS) == expected


def test_dates_before_1970_are_rounded_down() -> None:
    columns: Columns = {"t": Column("datetime", TWO_WINDOWS["t"].values[[1, 0]])}
    assert last(Tensor("x", "int64", (None, 2), ("t",), "s"), INT64, columns) == [-1]


def test_a_date_that_does_not_fit_in_nanoseconds_is_refused() -> None:
    columns: Columns = {"t": Column("datetime", np.array(["2024-01-01", "2300-01-01"], dtype="datetime64[us]"))}
    with pytest.raises(InvalidRows, match="a date between 1678 and 2262"):
        last(Tensor("x", "int64", (None, 2), ("t",), "ns"), INT64, columns)


def test_a_missing_date_is_refused() -> None:
    columns: Columns = {"t": Column("datetime", np.array(["2024-01-01", "NaT"], dtype="datetime64[us]"))}
    with pytest.raises(InvalidRows) as refused:
        last(Tensor("x", "int64", (None, 2), ("t",), "ms"), INT64, columns)
    assert [(p.code, p.column, p.row) for p in refused.value.problems] == [("missing-value", "t", None)]


def test_a_date_without_a_unit_feeds_nothing() -> None:
    with pytest.raises(ModelFailed, match="in which unit column 't' counts"):
        last(Tensor("x", "int64", (None, 2), ("t",)), INT64, TWO_WINDOWS)


def test_several_columns_feed_one_tensor_side_by_side() -> None:
    columns: Columns = {"a": floats([1, 2, 3, 4, 5, 6]), "b": Column("int", np.arange(6) * 10)}
    tensor = Tensor("x", "float64", (None, 3, 2), ("b", "a"))
    assert last(tensor, DOUBLE, columns) == [20.0, 50.0]
    nodes = [helper.make_node("ReduceSum", ["x", "axes"], ["y"], keepdims=0)]
    file = graph_of(nodes, [("x", DOUBLE, [None, 3, 2])], [("y", DOUBLE, [None])], axes=np.array([1, 2]))
    found = loaded(file, signature([tensor], {"a": "float", "b": "int"})).predict(columns)
    assert found["prediction"].values.tolist() == [6 + 30, 15 + 120]


def test_text_feeds_windows_too() -> None:
    columns: Columns = {"a": texts(["p", "q", "r", None])}
    assert last(Tensor("x", "str", (None, 2), ("a",)), STRING, columns) == ["q", ""]


def test_missing_numbers_are_nan_in_float_windows_and_refused_in_integer_ones() -> None:
    columns: Columns = {"a": Column("int", np.array([1, 0]), np.array([False, True]))}
    assert np.isnan(last(Tensor("x", "float32", (None, 2), ("a",)), FLOAT, columns)).all()
    with pytest.raises(InvalidRows, match="First: Column 'a': expected a value"):
        last(Tensor("x", "int64", (None, 2), ("a",)), INT64, columns)


def test_windows_have_no_shorter_way() -> None:
    graph = loaded(fc.forecaster(), fc.signature())
    assert graph.for_cells(fc.schema().names) is None


def test_a_forecaster_answers_as_computed_by_hand() -> None:
    rows = fc.candles(8)
    found = loaded(fc.forecaster(), fc.signature()).predict(fc.table_of(rows).columns)
    expected = np.array([fc.forecast(rows[:4]), fc.forecast(rows[4:])])
    np.testing.assert_allclose(found["prediction"].values, expected, rtol=1e-15)
    np.testing.assert_allclose(found["intervals"].values, expected[:, None] + [[-1, 2]], rtol=1e-15)
    assert set(found) == {"prediction", "intervals"}


def bounds(name: str = "intervals", task: str = "regression", values: Any = ((0.0, 1.0),)) -> Columns:
    """The answer of a graph with one number a row and, named ``name``, two bounds around it."""
    nodes = [helper.make_node("Identity", ["x"], ["y"]), helper.make_node("Add", ["x", "w"], [name])]
    file = graph_of(nodes, [("x", DOUBLE, [None, 1])], [("y", DOUBLE, [None, 1]), (name, DOUBLE, [None, 2])], w=values)
    outputs = (Tensor("y", "float64", (None, 1)), Tensor(name, "float64", (None, 2)))
    told = signature([Tensor("x", "float64", (None, 1), ("a",))], {"a": "float"}, task=task, output_tensors=outputs)
    return loaded(file, told).predict({"a": floats([1.0, float("nan")])})


@pytest.mark.parametrize("name", ["intervals", "interval"])
def test_the_output_of_that_name_holds_the_intervals(name: str) -> None:
    found = bounds(name)
    np.testing.assert_array_equal(found["intervals"].values, [[1.0, 2.0], [np.nan, np.nan]])
    assert "probabilities" not in found


@pytest.mark.parametrize(("name", "task"), [("scores", "regression"), ("intervals", "classification")])
def test_any_other_output_of_two_columns_holds_probabilities(name: str, task: str) -> None:
    assert set(bounds(name, task)) == {"prediction", "probabilities"}


@pytest.mark.parametrize("values", [((1.0, 0.0),), ((0.0, np.nan),)], ids=["crossed", "half"])
def test_an_interval_that_is_none_has_no_bounds(values: Any) -> None:
    assert np.isnan(bounds(values=values)["intervals"].values).all()
