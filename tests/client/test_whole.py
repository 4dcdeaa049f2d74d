"""Rows of window models as requests: what makes one answer is never split, and no more is sent than is needed."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from boucle.client.encode import MAX_BODY_BYTES, Body, bodies, csv_bodies
from boucle.client.whole import needed
from boucle.core.window import Window

HOURS = Window(120, "at")
PAIRS = Window(120, "at", "pair")
START = pd.Timestamp("2024-01-01")


def sent(body: Body) -> list[list[Any]]:
    """Return the rows of a request, as lists of cells."""
    document = json.loads(body.data)
    if "dataframe_records" in document:
        return [list(row.values()) for row in document["dataframe_records"]]
    rows: list[list[Any]] = document["dataframe_split"]["data"]
    return rows


def asked() -> Window:
    raise AssertionError("the window is of no matter when one request holds all rows")


def series(n_rows: int, **more: Any) -> pd.DataFrame:
    return pd.DataFrame(
        {"at": pd.date_range(START, periods=n_rows, freq="h"), "close": np.arange(n_rows) * 1.0, **more}
    )


def test_rows_that_fit_one_request_go_as_they_are() -> None:
    [body] = bodies(series(9_999), window=asked)
    assert body.n_rows == 9_999


def test_of_a_long_series_only_the_newest_window_is_sent() -> None:
    [body] = bodies(series(25_000), window=lambda: HOURS)
    assert [row[1] for row in sent(body)] == list(range(24_880, 25_000))


def test_newest_is_told_by_the_order_and_not_by_the_place() -> None:
    [body] = bodies(series(25_000).iloc[::-1], window=lambda: HOURS)
    assert [row[1] for row in sent(body)] == list(range(24_999, 24_879, -1))


def test_records_and_csv_are_sent_like_tables() -> None:
    table = series(12_000)
    records = [
        {"at": at.isoformat() + "+00:00", "close": close} for at, close in zip(table["at"], table["close"], strict=True)
    ]
    [from_records] = bodies(records, window=lambda: HOURS)
    [from_csv] = csv_bodies(table.to_csv(index=False), window=lambda: HOURS)
    assert [row[1] for row in sent(from_records)] == list(range(11_880, 12_000))
    assert from_csv.data.decode().splitlines()[0::120] == ["at,close", "2025-05-14 23:00:00,11999.0"]


def test_a_group_is_never_split_over_two_requests() -> None:
    table = pd.concat([series(120, pair=f"P{i:03}") for i in range(200)]).sort_values("at", kind="stable")
    parts = [sent(body) for body in bodies(table, window=lambda: PAIRS)]
    assert [len(part) for part in parts] == [83 * 120, 83 * 120, 34 * 120]
    pairs = [list(dict.fromkeys(row[2] for row in part)) for part in parts]
    assert [pair for part in pairs for pair in part] == [f"P{i:03}" for i in range(200)]


def test_groups_of_wide_rows_go_in_requests_of_four_megabytes() -> None:
    table = pd.concat([series(120, pair=f"P{i:03}", text="x" * 1000) for i in range(60)])
    parts = list(bodies(table, window=lambda: PAIRS))
    assert len(parts) > 1
    assert all(len(part.data) <= MAX_BODY_BYTES and part.n_rows % 120 == 0 for part in parts)


def test_one_group_too_wide_for_a_request_goes_alone_and_whole() -> None:
    [body] = bodies(series(120, text="x" * 50_000), window=lambda: HOURS)
    assert (body.n_rows, len(body.data) > MAX_BODY_BYTES) == (120, True)


@pytest.mark.parametrize("odd", [None, "yesterday", dt.datetime(2024, 1, 1, tzinfo=dt.UTC)], ids=str)
def test_an_order_that_cannot_be_read_here_is_left_to_the_gateway(odd: Any) -> None:
    records = [{"at": float(i), "x": i} for i in range(10_001)] + [{"at": odd, "x": 0}]
    [body] = bodies(records, window=lambda: HOURS)
    assert body.n_rows == 10_002


def test_a_row_model_is_sent_in_pieces_of_ten_thousand() -> None:
    assert [body.n_rows for body in bodies(series(12_000), window=lambda: None)] == [10_000, 2_000]


@pytest.mark.parametrize(
    "order",
    [
        ["2024-01-01T02:00:00+02:00", "2024-01-01T01:00:00Z", "2024-01-01T03:00:00"],
        ["9", "10", "11"],
        ["9.5", "10.5", "1e9"],
        [1, 2.5, 3],
    ],
    ids=["instants", "whole numbers", "numbers", "mixed numbers"],
)
def test_cells_are_ordered_by_what_they_mean(order: list[Any]) -> None:
    assert needed(order, None, 2) == [[1, 2]]
