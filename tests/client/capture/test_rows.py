"""Rows of each library: told so well that a worker rebuilds exactly what the model saw, or refused with the cure."""

from __future__ import annotations

import datetime as dt
import decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import polars.testing
import pyarrow as pa
import pytest

from boucle.client.capture.rows import candidates, read_rows, read_values
from boucle.core.document import to_json
from boucle.core.errors import InvalidRequest
from boucle.core.table import Table
from boucle_worker import feeds

STAMPS: Any = ["2020-01-01", None, "2021-02-03"]
PANDAS = pd.DataFrame(
    {
        "int": [1, 2, 3],
        "small": np.array([1, 2, 3], dtype="uint8"),
        "float": [1.5, np.nan, 3],
        "single": np.array([1.1, 2.2, 3.3], dtype="float32"),
        "none": pd.Series(["a", None, "c"], dtype=object),
        "nan": pd.Series(["a", np.nan, "c"], dtype=object),
        "str": ["a", "b", "c"],
        "string": pd.Series(["a", None, "b"], dtype="string"),
        "category": pd.Series(["b", None, "a"], dtype=pd.CategoricalDtype(["b", "c", "a"], ordered=True)),
        "codes": pd.Series([3, 1, None], dtype="category"),
        "Int64": pd.Series([1, None, 2], dtype="Int64"),
        "boolean": pd.Series([True, None, False], dtype="boolean"),
        "Float32": pd.Series([1.5, None, 2], dtype="Float32"),
        "bool": [True, False, True],
        "bools": pd.Series([True, None, False], dtype=object),
        "ints": pd.Series([1, 2, 3], dtype=object),
        "time": pd.to_datetime(STAMPS),
        "zoned": pd.to_datetime(STAMPS).tz_localize("Europe/Paris"),
        "int-arrow": pd.Series([1, None, 3], dtype="int64[pyarrow]"),
        "text-arrow": pd.Series(["x", None, "y"], dtype=pd.ArrowDtype(pa.string())),
    }
)
NEW_YEAR = dt.datetime.fromisoformat("2020-01-01 01:02:03.000004")  # naive, as records and polars hold it
INSTANTS = [NEW_YEAR, None, dt.datetime.fromisoformat("1960-01-01")]
POLARS = pl.DataFrame(
    {
        "int": [1, None, 3],
        "small": pl.Series([1, 2, None], dtype=pl.Int8),
        "nan": [1.5, float("nan"), 2],
        "null": [1.5, None, 2],
        "text": ["a", None, "b"],
        "categorical": pl.Series(["a", None, "b"], dtype=pl.Categorical),
        "enum": pl.Series(["a", None, "b"], dtype=pl.Enum(["b", "a"])),
        "date": [dt.date(2020, 1, 1), None, dt.date(1960, 1, 1)],
        "time": INSTANTS,
        "zoned": pl.Series(INSTANTS).dt.replace_time_zone("Europe/Paris"),
        "milliseconds": pl.Series(INSTANTS).cast(pl.Datetime("ms")),
        "bool": [True, None, False],
    }
)
ARROW = pa.table(
    {
        "int": pa.array([1, None, 3], pa.int32()),
        "float": [1.5, None, 2.0],
        "text": ["a", None, "b"],
        "large": pa.array(["a", None, "b"], pa.large_string()),
        "date": pa.array([dt.date(2020, 1, 1), None, dt.date(1960, 1, 1)]),
        "zoned": pa.array([1, None, 2], pa.timestamp("s", "Europe/Paris")),
        "bool": [True, None, False],
        "category": pa.array(["a", None, "b"]).dictionary_encode(),
        "wide": pa.array(["a", None, "b"]).cast(pa.dictionary(pa.uint8(), pa.large_string())),
    }
)


def rebuilt(rows: Any) -> Any:
    """Return the rows as a worker makes them from what was captured and stored."""
    read = read_rows(rows)
    stored = Table.from_bytes(read.table.to_bytes())
    return feeds.builder({"feed": read.feed, "inputs": to_json(read.inputs)})(stored.columns)


def test_a_pandas_table_is_rebuilt_to_the_dtype_and_the_missing_cell() -> None:
    pd.testing.assert_frame_equal(rebuilt(PANDAS), PANDAS, check_column_type=False)
    assert rebuilt(PANDAS)["none"].tolist()[1] is None
    assert rebuilt(PANDAS)["nan"].tolist()[1] is not None


def test_pandas_texts_are_rebuilt_however_they_were_stored() -> None:
    rows = pd.DataFrame({"text": pd.Series(["a", None, "b"], dtype="string[pyarrow]")})
    pd.testing.assert_frame_equal(rebuilt(rows).astype(object), rows.astype(object))
    assert str(rebuilt(rows)["text"].dtype) == "string"


def test_a_polars_table_is_rebuilt_to_the_dtype() -> None:
    pl.testing.assert_frame_equal(rebuilt(POLARS), POLARS)
    assert rebuilt(POLARS)["nan"].is_nan().to_list() == [False, True, False]


def test_a_lazy_polars_table_is_collected() -> None:
    pl.testing.assert_frame_equal(rebuilt(POLARS.lazy()), POLARS)


def test_a_pyarrow_table_is_rebuilt_to_the_type() -> None:
    assert rebuilt(ARROW).equals(ARROW)


@pytest.mark.parametrize(
    "matrix",
    [
        np.array([[1.1, np.nan], [2, 3]], dtype="float32"),
        np.array([[1, 2], [3, 4]], dtype="int16"),
        np.array([["a", "bb"], ["c", "d"]]),
        np.array([["a", 1, None], [None, 2, 3.5]], dtype=object),
        np.array([["2020-01-01", "NaT"]], dtype="datetime64[ns]"),
        np.array([[True, False]]),
    ],
    ids=["float32", "int16", "text", "object", "datetime", "bool"],
)
def test_a_matrix_is_rebuilt_with_its_dtype(matrix: Any) -> None:
    found = rebuilt(matrix)
    assert found.dtype.kind == matrix.dtype.kind
    assert repr(found.tolist()) == repr(matrix.tolist())


def test_columns_of_a_matrix_are_called_x0_x1() -> None:
    assert read_rows(np.zeros((2, 2))).table.names == ("x0", "x1")


def test_records_are_rebuilt_as_pythons_own_values() -> None:
    records = [{"a": 1, "b": "x", "t": NEW_YEAR, "f": 1.5}, {"a": None, "b": "y", "t": None, "f": 2.0}]
    assert rebuilt(records) == records


def test_a_list_of_dicts_may_be_taken_as_it_is_or_as_a_table() -> None:
    assert [rows.feed for rows in candidates([{"a": 1}, {"a": 2}])] == ["records", "pandas"]


def test_a_dict_of_lists_is_a_table_first() -> None:
    assert [rows.feed for rows in candidates({"a": [1, 2]})] == ["pandas", "records"]


def test_times_with_a_zone_are_kept_in_utc() -> None:
    assert read_rows(PANDAS).table.rows()[0]["zoned"] == "2019-12-31T23:00:00.000000Z"


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (pd.DataFrame({"p": [decimal.Decimal(1)]}), r"'p' holds Decimal.*X\[\"p\"\].astype\(float\)"),
        (pd.DataFrame({"p": [b"a"]}), r"'p' holds bytes.*decode"),
        (pd.DataFrame({"p": [[1]]}), r"'p' holds nested values \(list\)"),
        (pd.DataFrame({"p": pd.to_timedelta([1], "s")}), r"'p' holds timedelta64.*total_seconds"),
        (pd.DataFrame({"p": [1j]}), r"'p' holds complex128.*np.real"),
        (pd.DataFrame({"p": ["a", 1]}), r"'p' holds int and str.*astype\(\"string\"\)"),
        (
            pd.DataFrame({"p": pd.Series(["a", None, np.nan], dtype=object)}),
            r"two spellings of a missing cell \(none, nan",
        ),
        (pd.DataFrame({"p": pd.period_range("2020", periods=2)}), r"'p' holds period.*to_timestamp"),
        (pd.DataFrame({"p": [dt.date(2020, 1, 1)]}), r"'p' holds date.*pd.to_datetime"),
        (pd.DataFrame({"p": np.array([2**64 - 1], dtype="uint64")}), r"whole numbers above 9223372036854775807"),
        (pd.DataFrame({"p": [2**70]}), r"whole numbers beyond 64 bits"),
        (pd.DataFrame({"p": pd.to_datetime(["2020-01-01 00:00:00.000000001"])}), r"times finer than a microsecond"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), r"Column 'a' is there twice.*duplicated"),
        (pd.DataFrame([[1, 2]]), r"Column name 0 is no text.*map\(str\)"),
        (pl.DataFrame({"p": [[1]]}), r"'p' holds List\(Int64\)"),
        (pl.DataFrame({"p": [dt.timedelta(1)]}), r"'p' holds Duration.*total_microseconds"),
        (pl.DataFrame({"p": [decimal.Decimal("1.2")]}), r"'p' holds Decimal.*cast\(pl.Float64\)"),
        (pl.DataFrame({"p": [1.0, None, float("nan")]}), r"'p' holds both null and NaN.*fill_nan"),
        (pa.table({"p": [b"a"]}), r"'p' holds Binary.*cast 'p'"),
        (pa.table([[1], [2]], names=["a", "a"]), r"Column 'a' is there twice"),
        (pd.Series([1, 2]), r"one column or one row. A row: example.to_frame\(\).T"),
        (np.zeros(3), r"shape \(3,\), expected \(rows, columns\).*reshape"),
        (np.zeros((1,), dtype=[("a", "f8")]), r"structured array.*pd.DataFrame"),
        ([{"a": 1}, {"b": 1}], r"Row 1 and row 0 differ in the key 'a'"),
        ("nope", r"Rows of type builtins.str cannot be read. Expected rows as pandas, polars"),
    ],
)
def test_what_no_request_can_carry_is_refused_with_the_cure(rows: Any, told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        read_rows(rows)


def test_predictions_may_spell_missing_cells_in_two_ways() -> None:
    rows = pd.DataFrame({"p": pd.Series(["a", None, np.nan], dtype=object)})
    assert [row["p"] for row in read_rows(rows, strict=False).table.rows()] == ["a", None, None]


def test_columns_that_are_not_asked_for_are_not_even_looked_at() -> None:
    rows = pd.DataFrame({"a": [1], "odd": [b"x"]})
    assert read_rows(rows, only=["a", "absent"]).table.names == ("a",)


@pytest.mark.parametrize("values", [[1, 2], np.array([[1], [2]]), pd.Series([1, 2]), pl.Series([1, 2])])
def test_a_target_may_come_from_any_library(values: Any) -> None:
    assert read_values("y", values, 2).values.tolist() == [1, 2]


def test_a_target_of_another_length_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="y has 2 values, the example has 3 rows"):
        read_values("y", [1, 2], 3)


@pytest.mark.parametrize("rows", [PANDAS, POLARS, ARROW, np.zeros((3, 2)), [{"a": 1}, {"a": 2}, {"a": 3}]])
def test_rows_are_taken_by_position_in_their_own_container(rows: Any) -> None:
    read = read_rows(rows)
    taken = read.take(np.array([0, 2]))
    assert type(taken) is type(rows)
    assert len(taken) == 2
    assert read.without(read.table.names[0]).table.names == read.table.names[1:]
