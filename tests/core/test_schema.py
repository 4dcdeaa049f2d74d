"""What the reference rows say about the rows to come."""

from typing import Any

import numpy as np
import pytest

from boucle.core.schema import ColumnSchema, Schema, infer, to_json_schema
from boucle.core.table import Column, Table
from boucle.core.window import Window


def column_of(kind: str, values: Any, missing: Any = None) -> ColumnSchema:
    return infer(Table({"x": Column(kind, values, missing)})).columns[0]


def texts(values: list[str | None]) -> Any:
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def test_numbers_have_a_range() -> None:
    found = column_of("float", np.array([3.5, np.nan, -1.0, np.inf]))
    assert (found.type, found.minimum, found.maximum, found.missing_rate) == ("float", -1.0, 3.5, 0.25)


def test_dates_have_a_range_in_utc() -> None:
    found = column_of("datetime", np.array(["2024-02-29T12:00", "NaT", "2023-01-01"], dtype="datetime64[us]"))
    assert (found.minimum, found.maximum) == ("2023-01-01T00:00:00.000000Z", "2024-02-29T12:00:00.000000Z")


def test_text_that_repeats_is_a_category() -> None:
    found = column_of("text", texts(["b", "a"] * 100))
    assert (found.type, found.categories) == ("category", ("a", "b"))


def test_text_that_hardly_repeats_stays_text() -> None:
    found = column_of("text", texts([f"name {i}" for i in range(200)]))
    assert (found.type, found.categories) == ("text", None)


@pytest.mark.parametrize(
    ("n_rows", "has_null", "is_nullable"),
    [(99, False, True), (100, False, False), (100, True, True)],
    ids=["few-rows-prove-nothing", "many-rows-without-null", "null-seen"],
)
def test_null_is_allowed_when_seen_or_when_few_rows_were_seen(n_rows: int, has_null: bool, is_nullable: bool) -> None:
    missing = np.zeros(n_rows, dtype=bool)
    missing[0] = has_null
    assert column_of("int", np.arange(n_rows), missing).nullable is is_nullable


def test_a_column_without_any_value_has_neither_range_nor_example() -> None:
    found = column_of("float", np.array([np.nan, np.nan]))
    assert (found.minimum, found.maximum, found.example) == (None, None, None)


def test_the_example_is_a_real_value_even_when_the_first_is_missing() -> None:
    assert column_of("text", texts([None, "Lyon"])).example == "Lyon"


def test_the_published_schema_is_json_schema_2020_12() -> None:
    table = Table({"age": Column("int", np.arange(200)), "city": Column("text", texts(["Lyon", None] * 100))})
    assert to_json_schema(infer(table), "churn") == {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "churn",
        "type": "object",
        "properties": {
            "age": {"type": "integer", "x-boucle-minimum": 0, "x-boucle-maximum": 199},
            "city": {"type": ["string", "null"], "x-boucle-categories": ["Lyon"], "x-boucle-missing-rate": 0.5},
        },
        "required": ["age", "city"],
        "additionalProperties": True,
        "examples": [{"age": 0, "city": "Lyon"}],
    }


def test_the_json_schema_of_a_window_model_is_that_of_a_row_and_says_its_window() -> None:
    columns = (ColumnSchema("t", "datetime"), ColumnSchema("close", "float"))
    told = to_json_schema(Schema(columns, Window(120, "t", step=3600, gaps="fill", most_filled=6)), "btc")
    window = told.pop("x-boucle-window")
    assert window == {"rows": 120, "order_by": "t", "step": 3600, "gaps": "fill", "fill": {}, "most_filled": 6}
    assert told == to_json_schema(Schema(columns), "btc")
