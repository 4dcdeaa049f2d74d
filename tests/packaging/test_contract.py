"""Rows that fit their schema, answers that fit their signature."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from boucle.core.schema import ColumnSchema, Schema
from boucle.core.signature import Input, Signature
from boucle.core.table import Table
from boucle.packaging.contract import schema_check
from tables import answers, floats, matrix, texts

SCHEMA = Schema((ColumnSchema("age", "float", nullable=True), ColumnSchema("city", "category")))
SIGNATURE = Signature(
    "pandas",
    (Input("age", "float", "float64"), Input("city", "text", "str")),
    "classification",
    "text",
    classes=("no", "yes"),
    probabilities=True,
)
ROWS = Table({"age": floats([41.0, float("nan")]), "city": texts(["Lyon", "Paris"])})
ANSWERS = answers(prediction=texts(["yes", "no"]), probabilities=matrix([[0.1, 0.9], [0.8, 0.2]]))


def test_what_fits_passes_and_says_what_goes_in_and_out() -> None:
    check = schema_check(SCHEMA, SIGNATURE, ROWS, ANSWERS)
    assert check.status == "pass"
    assert check.observed == "2 columns in, text out with the probabilities of 2 classes"


@pytest.mark.parametrize(
    ("changes", "observed"),
    [
        ({"schema": Schema(SCHEMA.columns[:1])}, "the schema has the columns ['age'], the signature ['age', 'city']"),
        (
            {"schema": Schema((SCHEMA.columns[0], ColumnSchema("city", "int")))},
            "column 'city' is int in the schema, text in the signature",
        ),
        ({"rows": ROWS.without(["city"])}, "the sample lacks column 'city'"),
        (
            {"schema": Schema((ColumnSchema("age", "float"), SCHEMA.columns[1]))},
            "column 'age' holds nulls, which its schema does not allow",
        ),
        ({"answers": ANSWERS.without(["probabilities"])}, "the signature promises probabilities"),
        ({"signature": replace(SIGNATURE, prediction_kind="int")}, "answers are text, the signature says int"),
        ({"signature": replace(SIGNATURE, classes=("no", "maybe"))}, "answers ['yes'] are not among the classes"),
        (
            {"signature": replace(SIGNATURE, classes=("no", "yes", "maybe"))},
            "there are 2 columns of probabilities for 3 classes",
        ),
    ],
    ids=["columns", "kinds", "sample", "nulls", "probabilities", "kind", "labels", "width"],
)
def test_what_contradicts_the_documents_fails(changes: dict[str, Any], observed: str) -> None:
    given = {"schema": SCHEMA, "signature": SIGNATURE, "rows": ROWS, "answers": ANSWERS, **changes}
    check = schema_check(given["schema"], given["signature"], given["rows"], given["answers"])
    assert check.status == "fail"
    assert observed in check.observed
    assert check.advice


def test_answers_that_are_null_or_infinite_are_a_warning() -> None:
    signature = replace(SIGNATURE, task="regression", prediction_kind="float", classes=None, probabilities=False)
    odd = answers(prediction=floats([float("nan"), float("inf")]))
    check = schema_check(SCHEMA, signature, ROWS, odd)
    assert check.status == "warn"
    assert check.observed == "1 of 2 rows have no answer (null); 1 of 2 answers are infinite"


def test_probabilities_that_do_not_add_up_are_a_warning() -> None:
    odd = answers(prediction=texts(["yes", "no"]), probabilities=matrix([[0.9, 0.9], [0.8, 0.2]]))
    check = schema_check(SCHEMA, SIGNATURE, ROWS, odd)
    assert (check.status, check.observed) == ("warn", "the probabilities of 1 of 2 rows do not add up to 1")


FORECAST = replace(
    SIGNATURE, task="regression", prediction_kind="float", classes=None, probabilities=False, interval_level=0.9
)


def test_intervals_are_told_with_their_level() -> None:
    said = answers(prediction=floats([1.0, 2.0]), intervals=matrix([[0.0, 2.0], [1.0, 3.0]]))
    check = schema_check(SCHEMA, FORECAST, ROWS, said)
    assert (check.status, check.observed) == ("pass", "2 columns in, float out with intervals of 90 %")


def test_intervals_that_were_promised_must_come() -> None:
    check = schema_check(SCHEMA, FORECAST, ROWS, answers(prediction=floats([1.0, 2.0])))
    assert check.status == "fail"
    assert "promises intervals of 90 %, but the model gives none" in check.observed


def test_intervals_that_are_none_or_of_no_level_are_a_warning() -> None:
    said = answers(prediction=floats([1.0, 2.0]), intervals=matrix([[0.0, 2.0], [float("nan"), float("nan")]]))
    check = schema_check(SCHEMA, replace(FORECAST, interval_level=None), ROWS, said)
    assert check.status == "warn"
    assert check.observed.startswith("the intervals of 1 of 2 answers are none")
    assert "interval_level=0.9" in check.observed
