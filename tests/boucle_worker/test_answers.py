"""Answers of any model as columns: the kind that the signature says, the right shape, or an error that says why."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from boucle_worker.answers import answer, as_column, classes_of, predictor
from boucle_worker.errors import WorkerError

NEW_YEAR = np.datetime64("2024-01-01T00:00:00", "us").item()  # a naive datetime
REGRESSION = {"prediction_kind": "float"}


class Fixed:
    """A model that answers what it was given."""

    def __init__(self, answers: Any, probabilities: Any = None) -> None:
        self.answers, self.probabilities = answers, probabilities

    def predict(self, _rows: Any) -> Any:
        return self.answers

    def predict_proba(self, _rows: Any) -> Any:
        return self.probabilities


@pytest.mark.parametrize(
    "answers",
    [
        [1.5, 2.0],
        (1.5, 2.0),
        np.array([[1.5], [2.0]]),
        np.array([1.5, 2.0], dtype="float32"),
        pd.Series([1.5, 2.0], index=[7, 9]),
        pd.DataFrame({"y": [1.5, 2.0]}),
        pl.Series([1.5, 2.0]),
    ],
    ids=["list", "tuple", "column", "float32", "pandas", "frame", "polars"],
)
def test_predictions_come_in_whatever_container(answers: Any) -> None:
    column = answer(Fixed(answers), None, 2, REGRESSION)["prediction"]

    assert (column.kind, column.values.tolist()) == ("float", [1.5, 2.0])


def test_a_plain_function_is_a_model() -> None:
    assert answer(len_of_city, [{"city": "Lyon"}, {"city": "Aix"}], 2, {"prediction_kind": "int"})[
        "prediction"
    ].values.tolist() == [4, 3]


def len_of_city(rows: list[dict[str, str]]) -> list[int]:
    return [len(row["city"]) for row in rows]


def test_what_cannot_predict_is_refused_by_name() -> None:
    with pytest.raises(WorkerError, match="dict has no predict method and cannot be called"):
        predictor({})


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("text", np.array(["no", "yes"]), ["no", "yes"]),
        ("text", np.array(["no", None], dtype=object), ["no", None]),
        ("int", np.array([3.0, 4.0]), [3, 4]),
        ("int", np.array([np.int8(3)]), [3]),
        ("bool", np.array([0, 1]), [False, True]),
        ("float", np.array([1, None], dtype=object), [1.0, None]),
        ("datetime", np.array(["2024-01-01"], dtype="datetime64[D]"), [NEW_YEAR]),
        ("datetime", np.array([pd.Timestamp("2024-01-01 01:00", tz="Europe/Paris")]), [NEW_YEAR]),
    ],
)
def test_predictions_take_the_kind_of_the_signature(kind: str, values: Any, expected: list[Any]) -> None:
    column = as_column(values, kind)
    found = column.values.tolist()

    assert column.kind == kind
    assert [None if value != value else value for value in found] == expected  # NaN is not itself


def test_missing_integers_are_told_by_a_mask() -> None:
    column = as_column(np.array([3.0, np.nan]), "int")

    assert column.values[0] == 3
    assert column.missing is not None
    assert column.missing.tolist() == [False, True]


@pytest.mark.parametrize(
    ("kind", "values", "cause"),
    [
        ("int", np.array([1.5]), "would change"),
        ("bool", np.array([2]), "would change"),
        ("float", np.array(["high"]), "could not convert"),
        ("datetime", np.array([1.0]), "they are of dtype float64"),
    ],
)
def test_a_prediction_of_another_kind_is_refused_and_never_rounded(kind: str, values: Any, cause: str) -> None:
    with pytest.raises(WorkerError, match=f"the answers are not of kind {kind}: .*{cause}"):
        as_column(values, kind)


@pytest.mark.parametrize("answers", [[1.0], [1.0, 2.0, 3.0], [[1.0, 2.0], [3.0, 4.0]], 5.0])
def test_an_answer_for_other_rows_than_were_sent_is_refused(answers: Any) -> None:
    with pytest.raises(WorkerError, match=r"predict answered shape \(.*\) for 2 rows"):
        answer(Fixed(answers), None, 2, REGRESSION)


def test_probabilities_have_one_column_for_each_class() -> None:
    signature = {"prediction_kind": "text", "classes": ["no", "yes"], "probabilities": True}
    right = Fixed(["no", "yes"], np.array([[0.9, 0.1], [0.2, 0.8]], dtype="float32"))
    wrong = Fixed(["no", "yes"], [[0.9], [0.2]])

    found = answer(right, None, 2, signature)["probabilities"]

    assert (found.kind, found.values.shape, found.values.dtype) == ("matrix", (2, 2), np.dtype("float64"))
    with pytest.raises(WorkerError, match=r"predict_proba answered shape \(2, 1\), expected \(2, 2\)"):
        answer(wrong, None, 2, signature)


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        (np.array(["no", "yes"]), ["no", "yes"]),
        (np.array([0, 1]), [0, 1]),
        (np.array([False, True]), [False, True]),
        ([np.array([0]), np.array([1, 2])], None),
    ],
    ids=["text", "int", "bool", "several outputs"],
)
def test_the_labels_of_a_classifier_are_told_as_json(classes: Any, expected: Any) -> None:
    model = Fixed([])
    model.classes_ = classes  # type: ignore[attr-defined]  # as fitted estimators have it

    assert classes_of(model) == expected


def test_a_regressor_has_no_labels() -> None:
    assert classes_of(Fixed([])) is None
