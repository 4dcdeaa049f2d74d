"""Rows as requests: exact numbers, nulls, UTC; never more than 10,000 rows or 4 MiB at once."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from boucle.client.encode import MAX_BODY_BYTES, bodies, csv_bodies, join
from boucle.core.errors import InvalidRequest


def sent(rows: Any, only: Any = None) -> Any:
    """Return the document of the one request that carries the rows."""
    [body] = bodies(rows, only)
    return json.loads(body.data)


def test_a_table_is_sent_by_columns() -> None:
    rows = pd.DataFrame({"a": [1, 2], "b": ["x", None], "t": [pd.Timestamp("2020-01-01 01:00"), pd.NaT]})
    assert sent(rows) == {
        "dataframe_split": {
            "columns": ["a", "b", "t"],
            "data": [[1, "x", "2020-01-01T01:00:00.000000Z"], [2, None, None]],
        }
    }


def test_floats_keep_all_their_digits_and_nan_is_null() -> None:
    values = [0.1 + 0.2, 1e-300, 5e-324, np.nextafter(1, 2), float(np.float32(0.1))]
    data = sent(pd.DataFrame({"x": [*values, np.nan]}))["dataframe_split"]["data"]
    assert [row[0] for row in data] == [*values, None]


def test_a_matrix_is_sent_as_x0_x1() -> None:
    assert sent(np.array([[1.5, 2.5]]))["dataframe_split"] == {"columns": ["x0", "x1"], "data": [[1.5, 2.5]]}


def test_a_list_of_dicts_is_sent_with_the_keys_it_has() -> None:
    rows = [
        {"a": np.int64(1), "b": np.nan},
        {"a": pd.NA, "t": dt.datetime.fromisoformat("2020-01-01"), "d": dt.date(2020, 1, 2)},
    ]
    assert sent(rows)["dataframe_records"] == [
        {"a": 1, "b": None},
        {"a": None, "t": "2020-01-01T00:00:00+00:00", "d": "2020-01-02"},
    ]


def test_one_row_may_be_a_dict_or_a_pandas_row() -> None:
    row = {"a": 1, "b": "x"}
    assert sent(row)["dataframe_records"] == [row]
    assert sent(pd.DataFrame([row]).iloc[0])["dataframe_records"] == [row]


def test_columns_the_model_does_not_take_are_left_out() -> None:
    assert sent(pl.DataFrame({"a": [1], "odd": [[1]]}), only=["a"])["dataframe_split"]["columns"] == ["a"]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (pd.DataFrame({"x": [np.inf]}), "infinite number, which JSON cannot say"),
        ([{"x": b"raw"}], "Column 'x' holds bytes"),
        (pd.DataFrame({"x": [[1]]}), "Column 'x' holds nested values"),
    ],
    ids=["infinite", "bytes", "nested"],
)
def test_what_json_cannot_say_is_refused(rows: Any, told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        list(bodies(rows))


def test_many_rows_go_in_requests_of_ten_thousand() -> None:
    parts = list(bodies(np.arange(25_000.0).reshape(-1, 1)))
    assert [part.n_rows for part in parts] == [10_000, 10_000, 5_000]
    assert json.loads(parts[2].data)["dataframe_split"]["data"][0] == [20_000.0]


def test_wide_rows_go_in_requests_of_four_megabytes_and_in_order() -> None:
    parts = list(bodies(pd.DataFrame({"i": range(3000), "text": ["x" * 4000] * 3000})))
    assert all(len(part.data) <= MAX_BODY_BYTES for part in parts)
    rows = [row[0] for part in parts for row in json.loads(part.data)["dataframe_split"]["data"]]
    assert rows == list(range(3000))


def test_csv_goes_as_it_is_with_its_header_on_each_request() -> None:
    text = "a,b\n" + '1,"x, y"\n' * 10_001
    parts = list(csv_bodies(text))
    assert [part.n_rows for part in parts] == [10_000, 1]
    assert parts[1].data == b'a,b\n1,"x, y"\n'
    assert parts[0].media == "text/csv"


def test_answers_of_several_requests_are_one() -> None:
    parts = [
        {"predictions": ["a"], "classes": ["a", "b"], "probabilities": [[0.75, 0.25]], "prediction_id": "p"},
        {"predictions": ["b", "a"], "classes": ["a", "b"], "probabilities": [[0, 1], [1, 0]], "prediction_id": "q"},
    ]
    answer = join(parts, "churn", 3)
    assert answer.predictions.tolist() == ["a", "b", "a"]
    assert answer.probabilities.tolist() == [[0.75, 0.25], [0, 1], [1, 0]]
    assert answer.ids == ("p:0", "q:0", "q:1")
    assert (answer.model, answer.version, answer.classes) == ("churn", 3, ["a", "b"])


def test_groups_and_intervals_of_several_requests_are_one() -> None:
    parts = [
        {"predictions": [1.0], "intervals": [[0.5, 1.5]], "groups": ["BTC"], "prediction_id": "p"},
        {"predictions": [2.0], "intervals": [[1.5, 2.5]], "groups": ["ETH"], "prediction_id": "q"},
    ]
    answer = join(parts, "coins", 1)
    assert answer.groups == ("BTC", "ETH")
    assert answer.intervals.tolist() == [[0.5, 1.5], [1.5, 2.5]]


def test_answers_without_groups_have_none() -> None:
    assert join([{"predictions": [1.0], "prediction_id": "p"}], "m", 1).groups is None


@pytest.mark.parametrize(
    ("predictions", "kind", "dtype"),
    [
        ([1, 2], "int", "int64"),
        ([1.5, None], "float", "float64"),
        ([1, 2], "float", "float64"),
        ([True], "bool", "bool"),
    ],
)
def test_predictions_are_arrays_of_their_kind(predictions: list[Any], kind: str, dtype: str) -> None:
    answer = join([{"predictions": predictions, "prediction_id": "p"}], "m", 1, kind)
    assert str(answer.predictions.dtype) == dtype


def test_predicted_times_are_times() -> None:
    answer = join([{"predictions": ["2020-01-01T00:00:00.000000Z", None], "prediction_id": "p"}], "m", 1, "datetime")
    assert answer.predictions[0] == np.datetime64("2020-01-01")
    assert np.isnat(answer.predictions[1])
