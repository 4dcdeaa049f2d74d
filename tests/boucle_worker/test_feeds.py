"""The containers that models are fed, rebuilt from columns: each equals what the notebook held, to the dtype."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal as assert_polars_equal

from boucle_worker.errors import WorkerError
from boucle_worker.feeds import builder
from boucle_worker.frames import Column, pack, unpack

NOON = dt.datetime.fromisoformat("2024-03-31T12:00:00.000005")
EARLY = dt.datetime.fromisoformat("1960-01-01")


def floats(*values: float) -> Column:
    return Column("float", np.array(values))


def ints(values: Sequence[int], missing: Sequence[bool] | None = None) -> Column:
    return Column("int", np.array(values, dtype=np.int64), None if missing is None else np.array(missing))


def bools(values: Sequence[bool], missing: Sequence[bool] | None = None) -> Column:
    return Column("bool", np.array(values), None if missing is None else np.array(missing))


def texts(*values: str | None) -> Column:
    return Column("text", np.array(values, dtype=object))


def times(*values: dt.datetime | None) -> Column:
    return Column("datetime", np.array(values, dtype="datetime64[us]"))


def fed(feed: str, column: Column, dtype: str, **words: Any) -> Any:
    """The container of one column ``x``, after a trip through a frame as the worker reads it."""
    inputs = [{"name": "x", "kind": column.kind, "dtype": dtype, **words}]
    _header, columns = unpack(bytearray(pack({}, {"x": column})))
    return builder({"feed": feed, "inputs": inputs})(columns)


HOLE = [False, True, False]
PANDAS: dict[str, tuple[Column, dict[str, Any], Any]] = {
    "float64": (floats(1.5, np.nan), {}, pd.Series([1.5, np.nan], dtype="float64")),
    "float32": (floats(0.1, np.nan), {}, pd.Series([0.1, np.nan], dtype="float32")),
    "int64": (ints([2**53 + 1, -2]), {}, pd.Series([2**53 + 1, -2], dtype="int64")),
    "int8": (ints([1, -2]), {}, pd.Series([1, -2], dtype="int8")),
    "uint16": (ints([1, 65535]), {}, pd.Series([1, 65535], dtype="uint16")),
    "bool": (bools([True, False]), {}, pd.Series([True, False])),
    "object-none": (texts("a", None), {"missing": "none"}, pd.Series(["a", None], dtype=object)),
    "object-nan": (texts("a", None), {"missing": "nan"}, pd.Series(["a", np.nan], dtype=object)),
    "object-NA": (texts("a", None), {"missing": "NA"}, pd.Series(["a", pd.NA], dtype=object)),
    "str": (texts("é", None), {}, pd.Series(["é", np.nan], dtype="str")),
    "string": (texts("a", None), {"missing": "NA"}, pd.Series(["a", pd.NA], dtype="string")),
    "Int8": (ints([1, 0, 3], HOLE), {"missing": "NA"}, pd.Series([1, None, 3], dtype="Int8")),
    "UInt32": (ints([1, 2]), {"missing": "NA"}, pd.Series([1, 2], dtype="UInt32")),
    "boolean": (bools([True, False, False], HOLE), {"missing": "NA"}, pd.Series([True, None, False], dtype="boolean")),
    "Float32": (floats(1.5, np.nan), {"missing": "NA"}, pd.Series([1.5, None], dtype="Float32")),
    "datetime64[ns]": (times(NOON, None), {}, pd.Series([NOON, None], dtype="datetime64[ns]")),
    "datetime64[us]": (times(NOON, EARLY), {}, pd.Series([NOON, EARLY], dtype="datetime64[us]")),
    "datetime64[s]": (times(EARLY), {}, pd.Series([EARLY], dtype="datetime64[s]")),
    "datetime64[ns, Europe/Paris]": (
        times(NOON, None),
        {},
        pd.Series(pd.DatetimeIndex(["2024-03-31 14:00:00.000005", None]).as_unit("ns").tz_localize("Europe/Paris")),
    ),
    "datetime64[us, UTC]": (times(NOON), {}, pd.Series([pd.Timestamp(NOON, tz="UTC")], dtype="datetime64[us, UTC]")),
    "category": (
        texts("b", None, "a"),
        {"categories": ["z", "b", "a"], "ordered": True},
        pd.Series(pd.Categorical(["b", None, "a"], categories=["z", "b", "a"], ordered=True)),
    ),
    "category-int": (
        ints([3, 0, 1], HOLE),
        {"categories": [3, 1, 2]},
        pd.Series(pd.Categorical([3, None, 1], categories=[3, 1, 2])),
    ),
    "category-float": (
        floats(2.5, np.nan),
        {"categories": [1.0, 2.5]},
        pd.Series(pd.Categorical([2.5, None], categories=[1.0, 2.5])),
    ),
    "int8[pyarrow]": (ints([1, 0, 3], HOLE), {"missing": "NA"}, pd.Series([1, None, 3], dtype="int8[pyarrow]")),
    "double[pyarrow]": (floats(1.5, np.nan), {"missing": "NA"}, pd.Series([1.5, None], dtype="double[pyarrow]")),
    "string[pyarrow-arrow]": (
        texts("a", None),
        {"missing": "NA"},
        pd.Series(["a", None], dtype=pd.ArrowDtype(pa.string())),
    ),
    "timestamp[ns, tz=Europe/Paris][pyarrow]": (
        times(NOON),
        {"missing": "NA"},
        pd.Series([pd.Timestamp(NOON, tz="UTC")], dtype=pd.ArrowDtype(pa.timestamp("ns", "Europe/Paris"))),
    ),
}


@pytest.mark.parametrize("word", PANDAS)
def test_a_pandas_column_is_rebuilt_as_the_notebook_held_it(word: str) -> None:
    column, words, expected = PANDAS[word]
    dtype = word.partition("-")[0] if word.startswith(("object", "category")) else word

    found = fed("pandas", column, dtype, **words)

    pd.testing.assert_frame_equal(found, pd.DataFrame({"x": expected}), check_exact=True)


@pytest.mark.parametrize(("missing", "expected"), [("none", None), ("NA", pd.NA)])
def test_a_missing_text_is_the_very_object_that_the_imputer_was_fitted_on(missing: str, expected: Any) -> None:
    assert fed("pandas", texts("a", None), "object", missing=missing)["x"][1] is expected


def test_an_object_column_holds_python_values() -> None:
    found = fed("pandas", ints([1, 0, 3], HOLE), "object", missing="none")["x"].tolist()

    assert found == [1, None, 3]
    assert type(found[0]) is int


def test_an_integer_column_that_gets_missing_cells_becomes_float_with_nan() -> None:
    found = fed("pandas", ints([1, 0, 3], HOLE), "int64")

    pd.testing.assert_frame_equal(found, pd.DataFrame({"x": [1.0, np.nan, 3.0]}))


def test_a_boolean_column_that_gets_missing_cells_becomes_object() -> None:
    assert fed("pandas", bools([True, False, False], HOLE), "bool", missing="none")["x"].tolist() == [True, None, False]


@pytest.mark.parametrize(("dtype", "wide"), [("int8", "int64"), ("uint8", "int64"), ("Int8", "Int64")])
def test_an_integer_beyond_the_dtype_widens_the_column_and_never_wraps(dtype: str, wide: str) -> None:
    found = fed("pandas", ints([300, -1]), dtype)["x"]

    assert (found.tolist(), str(found.dtype)) == ([300, -1], wide)


def test_a_category_that_the_example_did_not_hold_is_missing() -> None:
    found = fed("pandas", texts("b", "new"), "category", categories=["a", "b"])["x"]

    assert found.cat.codes.tolist() == [1, -1]
    assert found.cat.categories.tolist() == ["a", "b"]


def test_a_model_may_change_its_rows_in_place() -> None:
    rows = fed("numpy", floats(1.0, 2.0), "float64")

    rows += 1

    assert rows.tolist() == [[2.0], [3.0]]


def test_a_column_that_was_not_sent_is_named() -> None:
    build = builder({"feed": "pandas", "inputs": [{"name": "age", "kind": "int", "dtype": "int64"}]})

    with pytest.raises(WorkerError, match="column 'age' was not sent"):
        build({"income": floats(1.0)})


def test_columns_come_in_the_order_of_the_signature_whatever_the_order_of_the_request() -> None:
    inputs = [{"name": name, "kind": "float", "dtype": "float64"} for name in ("b", "a")]
    columns = {"a": floats(1.0), "b": floats(2.0)}

    frame = builder({"feed": "pandas", "inputs": inputs})(columns)
    matrix = builder({"feed": "numpy", "inputs": inputs})(columns)

    assert frame.columns.tolist() == ["b", "a"]
    assert matrix.tolist() == [[2.0, 1.0]]


def test_an_unknown_feed_is_refused_with_the_feeds_there_are() -> None:
    with pytest.raises(WorkerError, match="unknown feed 'dask'; feeds: pandas, polars, pyarrow, numpy, records"):
        builder({"feed": "dask", "inputs": []})


POLARS: dict[str, tuple[Column, dict[str, Any], Any]] = {
    "Int8": (ints([1, 0, 3], HOLE), {}, pl.Series([1, None, 3], dtype=pl.Int8)),
    "UInt64": (ints([1, 2]), {}, pl.Series([1, 2], dtype=pl.UInt64)),
    "Float32": (floats(1.5, np.nan), {"missing": "none"}, pl.Series([1.5, None], dtype=pl.Float32)),
    "Float64": (floats(1.5, np.nan), {"missing": "nan"}, pl.Series([1.5, float("nan")])),
    "String": (texts("é", None), {}, pl.Series(["é", None])),
    "Boolean": (bools([True, False, False], HOLE), {}, pl.Series([True, None, False])),
    "Enum": (
        texts("b", None),
        {"categories": ["z", "b"]},
        pl.Series(["b", None], dtype=pl.Enum(["z", "b"])),
    ),
    "Categorical": (texts("b", None), {"categories": ["z", "b"]}, pl.Series(["b", None], dtype=pl.Categorical)),
    "Date": (times(EARLY, None), {}, pl.Series([EARLY.date(), None])),
    "Datetime[us]": (times(NOON, None), {}, pl.Series([NOON, None], dtype=pl.Datetime("us"))),
    "Datetime[ms]": (times(EARLY), {}, pl.Series([EARLY], dtype=pl.Datetime("ms"))),
    "Datetime[ns, Europe/Paris]": (
        times(NOON),
        {},
        pl.Series([NOON], dtype=pl.Datetime("ns")).dt.replace_time_zone("UTC").dt.convert_time_zone("Europe/Paris"),
    ),
}


@pytest.mark.parametrize("word", POLARS)
def test_a_polars_column_is_rebuilt_as_the_notebook_held_it(word: str) -> None:
    column, words, expected = POLARS[word]

    assert_polars_equal(fed("polars", column, word, **words), pl.DataFrame({"x": expected}), check_exact=True)


def test_a_polars_category_keeps_the_physical_number_of_the_example() -> None:
    found = fed("polars", texts("late", "early"), "Enum", categories=["early", "late"])["x"]

    assert found.to_physical().to_list() == [1, 0]


def test_a_polars_integer_beyond_the_dtype_widens_the_column() -> None:
    assert fed("polars", ints([300]), "Int8")["x"].to_list() == [300]


ARROW: dict[str, tuple[Column, dict[str, Any], Any]] = {
    "int8": (ints([1, 0, 3], HOLE), {}, pa.array([1, None, 3], pa.int8())),
    "double": (floats(1.5, np.nan), {"missing": "none"}, pa.array([1.5, None])),
    "float": (floats(1.5, np.nan), {"missing": "none"}, pa.array([1.5, None], pa.float32())),
    "string": (texts("é", None), {}, pa.array(["é", None])),
    "large_string": (texts("é", None), {}, pa.array(["é", None], pa.large_string())),
    "bool": (bools([True, False, False], HOLE), {}, pa.array([True, None, False])),
    "date32[day]": (times(EARLY, None), {}, pa.array([EARLY.date(), None])),
    "timestamp[us]": (times(NOON, None), {}, pa.array([NOON, None], pa.timestamp("us"))),
    "timestamp[ms, tz=Europe/Paris]": (times(EARLY), {}, pa.array([EARLY], pa.timestamp("ms", "Europe/Paris"))),
    "dictionary": (
        texts("b", None),
        {"categories": ["z", "b"]},
        pa.DictionaryArray.from_arrays(pa.array([1, None], pa.int32()), pa.array(["z", "b"])),
    ),
}


@pytest.mark.parametrize("word", ARROW)
def test_a_pyarrow_column_is_rebuilt_as_the_notebook_held_it(word: str) -> None:
    column, words, expected = ARROW[word]

    assert fed("pyarrow", column, word, **words).equals(pa.table({"x": expected}))


MATRICES: dict[str, tuple[Column, str, Any]] = {
    "float32": (floats(1.5, np.nan), "float32", np.array([[1.5], [np.nan]], dtype="float32")),
    "int8": (ints([1, -2]), "int8", np.array([[1], [-2]], dtype="int8")),
    "int with missing": (ints([1, 0], [False, True]), "int64", np.array([[1.0], [np.nan]])),
    "bool": (bools([True, False]), "bool", np.array([[True], [False]])),
    "str": (texts("a", "longer"), "str", np.array([["a"], ["longer"]])),
    "datetime64[D]": (times(EARLY), "datetime64[D]", np.array([["1960-01-01"]], dtype="datetime64[D]")),
}


@pytest.mark.parametrize("name", MATRICES)
def test_a_numpy_matrix_has_the_dtype_of_the_example(name: str) -> None:
    column, dtype, expected = MATRICES[name]

    found = fed("numpy", column, dtype)

    np.testing.assert_array_equal(found, expected)
    assert found.dtype == expected.dtype


def test_a_numpy_matrix_of_objects_holds_python_values_of_each_column() -> None:
    inputs = [{"name": "city", "kind": "text", "dtype": "object"}, {"name": "n", "kind": "int", "dtype": "object"}]

    found = builder({"feed": "numpy", "inputs": inputs})({"city": texts("Lyon"), "n": ints([7])})

    assert found.tolist() == [["Lyon", 7]]
    assert found.dtype == object


def test_records_are_dicts_of_plain_python_values() -> None:
    words = {"a": "int", "b": "str", "c": "datetime", "d": "bool"}
    columns = {
        "a": ints([1, 0], [False, True]),
        "b": texts("x", None),
        "c": times(NOON, None),
        "d": bools([True, False]),
    }
    inputs = [{"name": n, "kind": c.kind, "dtype": words[n], "missing": "none"} for n, c in columns.items()]

    found = builder({"feed": "records", "inputs": inputs})(columns)

    assert found == [{"a": 1, "b": "x", "c": NOON, "d": True}, {"a": None, "b": None, "c": None, "d": False}]
    assert type(found[0]["a"]) is int
