"""Answers as JSON and CSV."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest

from boucle.core.table import Column
from boucle.serving.encode import Encoder
from boucle_worker.frames import Columns
from tables import floats, matrix, texts

ANSWERS: Columns = {
    "prediction": texts(["no", "yes", "=SUM(A1)"]),
    "probabilities": matrix([[0.75, 0.25], [0.1, 0.9], [0.5, 0.5]]),
    "intervals": matrix([[0.0, 1.0], [-1.0, 2.5], [3.0, 4.0]]),
}


def test_a_json_answer_holds_the_rows_of_its_request_only() -> None:
    answer = json.loads(Encoder(("no", "yes")).to_json(ANSWERS, 1, 2, "0198-id"))

    assert answer == {
        "predictions": ["yes"],
        "classes": ["no", "yes"],
        "probabilities": [[0.1, 0.9]],
        "intervals": [[-1.0, 2.5]],
        "prediction_id": "0198-id",
    }


@pytest.mark.parametrize(
    ("column", "told"),
    [
        (floats([1.5, float("nan"), float("inf")]), [1.5, None, None]),
        (Column("int", np.array([1, 2, -(2**63)])), [1, 2, -(2**63)]),
        (Column("int", np.array([1, 2, 3]), np.array([False, True, False])), [1, None, 3]),
        (Column("bool", np.array([True, False, True])), [True, False, True]),
        (texts(["é", None, "\u2028"]), ["é", None, "\u2028"]),
        (
            Column("datetime", np.array(["2024-05-01T10:20:30", "NaT", "1960-01-01"], dtype="datetime64[us]")),
            ["2024-05-01T10:20:30.000000Z", None, "1960-01-01T00:00:00.000000Z"],
        ),
    ],
    ids=["float", "int", "int-missing", "bool", "text", "datetime"],
)
def test_predictions_of_every_kind_are_json(column: Column, told: list[object]) -> None:
    assert json.loads(Encoder(None).to_json({"prediction": column}, 0, 3, "i"))["predictions"] == told


def test_a_double_comes_back_bit_by_bit() -> None:
    values = np.random.default_rng(3).normal(size=1000) * 10.0 ** np.arange(-300, 300, 0.6)

    told = json.loads(Encoder(None).to_json({"prediction": Column("float", values)}, 0, 1000, "i"))["predictions"]

    assert np.array_equal(np.array(told), values)


def test_a_csv_answer_names_its_columns_and_defuses_formulas() -> None:
    rows = list(csv.reader(io.StringIO(Encoder(("no", "yes")).to_csv(ANSWERS, 0, 3).decode())))

    assert rows == [
        ["prediction", "probability_no", "probability_yes", "low", "high"],
        ["no", "0.75", "0.25", "0.0", "1.0"],
        ["yes", "0.1", "0.9", "-1.0", "2.5"],
        ["'=SUM(A1)", "0.5", "0.5", "3.0", "4.0"],
    ]


def test_negative_numbers_in_csv_stay_numbers_and_nan_is_empty() -> None:
    answers = {"prediction": floats([-1.5, float("nan")])}

    assert Encoder(None).to_csv(answers, 0, 2) == b'prediction\r\n-1.5\r\n""\r\n'


def test_groups_come_after_the_intervals_in_json_and_first_in_csv() -> None:
    encoder, forecasts = Encoder(None), {"prediction": floats([1.5, 2.5, 3.5]), "intervals": ANSWERS["intervals"]}
    told = json.loads(encoder.to_json(forecasts, 1, 3, "0198-id", ("BTC", None)))
    assert list(told) == ["predictions", "intervals", "groups", "prediction_id"]
    assert told["groups"] == ["BTC", None]
    rows = list(csv.reader(io.StringIO(encoder.to_csv(forecasts, 1, 3, ("=BTC", 7)).decode())))
    assert rows == [["group", "prediction", "low", "high"], ["'=BTC", "2.5", "-1.0", "2.5"], ["7", "3.5", "3.0", "4.0"]]
