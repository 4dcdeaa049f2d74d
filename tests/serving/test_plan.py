"""Rows against a schema: what cannot be is refused and named, what was merely not seen is counted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import forecasting as fc
from boucle.core.errors import InvalidRows
from boucle.core.schema import ColumnSchema, Schema
from boucle.core.table import Table, missing_mask
from boucle.core.window import Window
from boucle.serving.limits import Limits
from boucle.serving.plan import FEW_ROWS, RowPlan, Rows
from boucle.serving.raw import RawRows
from routed import ROW, SCHEMA

MANY = FEW_ROWS + 5


def read(plan: RowPlan, *rows: dict[str, Any], long_texts: bool = False) -> Rows:
    return plan.read(plan.names.of_records(rows), long_texts)


def problems(plan: RowPlan, *rows: dict[str, Any]) -> list[tuple[str, str, int | None]]:
    with pytest.raises(InvalidRows) as refused:
        read(plan, *rows)
    return [(p.code, p.column, p.row) for p in refused.value.problems]


@pytest.fixture
def plan() -> RowPlan:
    return RowPlan(SCHEMA, Limits())


@pytest.mark.parametrize("n_rows", [1, 3, FEW_ROWS, MANY])
def test_rows_become_the_columns_they_say(plan: RowPlan, n_rows: int) -> None:
    rows = [{**ROW, "age": 20 + i, "balance": None if i == 2 else 1.5 * i} for i in range(n_rows)]

    table = Table(plan.columns([read(plan, *rows)]))

    assert table.rows() == [{**row, "since": "2021-03-04T05:06:07.000000Z"} for row in rows]
    assert [c.kind for c in table.columns.values()] == ["int", "float", "text", "text", "datetime", "bool"]


def test_the_rows_of_several_requests_become_one_table_in_order(plan: RowPlan) -> None:
    parts = [read(plan, *({**ROW, "age": age} for age in ages)) for ages in ([20], [30, 40], [50])]

    assert plan.columns(parts)["age"].values.tolist() == [20, 30, 40, 50]


WRONG = [
    ("age", 41.5, "not-an-integer"),
    ("age", 1e300, "not-an-integer"),
    ("age", True, "wrong-type"),
    ("age", "41", "wrong-type"),
    ("age", None, "missing-value"),
    ("age", [41], "wrong-type"),
    ("age", 2**63, "integer-out-of-range"),
    ("balance", True, "wrong-type"),
    ("balance", "1.5", "wrong-type"),
    ("balance", {"a": 1}, "wrong-type"),
    ("job", 3, "wrong-type"),
    ("job", ["clerk"], "wrong-type"),
    ("note", False, "wrong-type"),
    ("since", 1714558830, "wrong-type"),
    ("since", "now", "invalid-date"),
    ("since", "today", "invalid-date"),
    ("since", "01/02/2024", "invalid-date"),
    ("since", "", "invalid-date"),
    ("since", "2024-02-30", "invalid-date"),
    ("since", "2024-05-01T25:00:00", "invalid-date"),
    ("since", "2024-05-01T10:00:00.1234567Z", "invalid-date"),
    ("since", "0001-01-01T00:00:00+23:59", "invalid-date"),
    ("since", "2024-05-01 10:00 Europe/Paris", "invalid-date"),
    ("since", "２０２４-05-01", "invalid-date"),
    ("married", 1, "wrong-type"),
    ("married", "true", "wrong-type"),
    ("married", None, "missing-value"),
]


@pytest.mark.parametrize(("column", "value", "code"), WRONG, ids=lambda value: repr(value)[:30])
def test_a_value_that_cannot_be_is_refused_with_its_row_and_column(
    plan: RowPlan, column: str, value: Any, code: str
) -> None:
    wrong = {**ROW, column: value}
    read(plan, ROW)

    assert problems(plan, wrong) == [(code, column, 0)]
    assert problems(plan, ROW, wrong) == [(code, column, 1)]
    assert problems(plan, *[ROW] * MANY, wrong) == [(code, column, MANY)]


@pytest.mark.parametrize(
    ("column", "value", "cell"),
    [
        ("age", 41.0, 41),
        ("age", -(2**63), -(2**63)),
        ("age", 2**63 - 1, 2**63 - 1),
        ("balance", 7, 7.0),
        ("balance", 2**63 - 1, float(2**63 - 1)),
        ("since", "2024-05-01", "2024-05-01T00:00:00.000000Z"),
        ("since", "2024-05-01T10:20", "2024-05-01T10:20:00.000000Z"),
        ("since", "2024-05-01 10:20:30.5", "2024-05-01T10:20:30.500000Z"),
        ("since", "2024-05-01T10:20:30+02:00", "2024-05-01T08:20:30.000000Z"),
        ("since", "2024-05-01T10:20:30.123456000-0530", "2024-05-01T15:50:30.123456Z"),
        ("since", "1066-10-14T09:00:00Z", "1066-10-14T09:00:00.000000Z"),
        ("note", "", ""),
        ("note", "\u0000é😀", "\u0000é😀"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("n_rows", [1, MANY])
def test_a_value_that_can_be_is_kept_exactly(plan: RowPlan, column: str, value: Any, cell: Any, n_rows: int) -> None:
    rows = read(plan, *[{**ROW, column: value}] * n_rows)

    assert Table(plan.columns([rows])).rows()[-1][column] == cell


@pytest.mark.parametrize("n_rows", [1, 2, MANY])
def test_out_of_range_and_unseen_are_served_and_counted(plan: RowPlan, n_rows: int) -> None:
    odd = {**ROW, "age": 17, "balance": 1e9, "job": "pilot", "since": "1999-12-31"}

    rows = read(plan, *[odd] * n_rows)

    assert (rows.out_of_range, rows.unseen) == (3 * n_rows, n_rows)


@pytest.mark.parametrize("n_rows", [1, MANY])
def test_missing_values_are_neither_out_of_range_nor_unseen(plan: RowPlan, n_rows: int) -> None:
    missing = {**ROW, "balance": None, "job": None, "note": None, "since": None}

    rows = read(plan, *[missing] * n_rows)
    columns = plan.columns([rows])

    assert (rows.out_of_range, rows.unseen) == (0, 0)
    assert [bool(missing_mask(columns[name]).all()) for name in ("balance", "job", "note", "since")] == [True] * 4


def test_a_missing_int_and_bool_keep_a_mask() -> None:
    plan = RowPlan(
        Schema((ColumnSchema("n", "int", nullable=True), ColumnSchema("b", "bool", nullable=True))), Limits()
    )

    columns = plan.columns([plan.read(RawRows(3, [(1, None, 3), (None, True, False)]))])

    assert Table(columns).rows() == [{"n": 1, "b": None}, {"n": None, "b": True}, {"n": 3, "b": False}]
    assert columns["n"].values.dtype == np.int64


def test_only_the_first_20_problems_are_told_and_all_are_counted(plan: RowPlan) -> None:
    with pytest.raises(InvalidRows, match="5000 value") as refused:
        read(plan, *[{**ROW, "age": "x"}] * 5000)

    assert (len(refused.value.problems), refused.value.total) == (20, 5000)


def test_a_text_beyond_64_kib_is_refused_and_one_of_64_kib_is_not() -> None:
    plan = RowPlan(SCHEMA, Limits())

    read(plan, {**ROW, "note": "x" * 65_536}, long_texts=True)
    with pytest.raises(InvalidRows, match="at most 65536 bytes") as refused:
        read(plan, {**ROW, "note": "é" * 32_769}, long_texts=True)

    assert len(str(refused.value)) < 400


def test_what_is_told_of_a_wrong_cell_is_short() -> None:
    plan = RowPlan(SCHEMA, Limits())
    nested: Any = 1
    for _level in range(900):
        nested = [nested]

    for value in ("x" * 1_000_000, nested, list(range(1000)), 10**4000):
        with pytest.raises(InvalidRows) as refused:
            read(plan, {**ROW, "age": value})
        assert len(refused.value.problems[0].detail) < 300


def test_the_example_row_of_a_schema_is_usable(plan: RowPlan) -> None:
    example = plan.example()

    assert example is not None
    assert Table(example).rows() == [{**ROW, "since": "2021-03-04T05:06:07.000000Z"}]
    assert RowPlan(Schema((ColumnSchema("age", "int"),)), Limits()).example() is None


HOURLY = RowPlan(fc.schema(replace(fc.HOURLY, group_by="pair")), Limits())


def test_rows_of_a_window_model_are_as_many_answers_as_there_are_groups() -> None:
    rows = read(HOURLY, *fc.candles(6, group="BTC"), *fc.candles(5, group="DOGE"))
    assert (rows.n_rows, rows.groups, rows.cells) == (2, ("BTC", "DOGE"), None)
    assert (rows.unseen, Table(HOURLY.columns([rows])).n_rows) == (5, 2 * fc.ROWS)


def test_cells_of_a_window_model_are_checked_first() -> None:
    broken = [{**row, "close": "1"} for row in fc.candles(2, group="BTC")]
    assert problems(HOURLY, *broken) == [("wrong-type", "close", 0), ("wrong-type", "close", 1)]
    assert problems(HOURLY, *fc.candles(2, group="BTC")) == [("too-few-rows", "timestamp", None)]


@pytest.mark.parametrize("window", [fc.HOURLY, replace(fc.HOURLY, step=None)], ids=["stepped", "free"])
def test_the_example_of_a_window_model_is_one_window(window: Window) -> None:
    plan = RowPlan(fc.schema(window), Limits())
    example = plan.example()
    assert example is not None
    rows = read(plan, *Table(example).rows())
    assert rows.n_rows == 1
    assert Table(plan.columns([rows])).rows() == Table(example).rows()


def test_a_window_model_without_an_example_time_has_no_example() -> None:
    columns = (ColumnSchema("timestamp", "datetime", nullable=True), ColumnSchema("close", "float", example=1.0))
    assert RowPlan(Schema(columns, fc.HOURLY), Limits()).example() is None
