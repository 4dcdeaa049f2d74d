"""Bare estimators: what scikit-learn really raises becomes a cause, and a cure that works."""

from __future__ import annotations

import textwrap
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from boucle.client.capture.rows import read_rows
from boucle.core.check import Check
from boucle.core.diagnosis import Failure
from boucle.packaging.raw_rows import raw_rows_check

N = 60
TARGET = np.arange(N) % 2
NUMBERS = pd.DataFrame({"age": np.arange(N, dtype=float), "weight": np.arange(N)[::-1] * 1.0})
TEXT = NUMBERS.assign(city=["Lyon", "Paris", "Brest"] * (N // 3))
DATES = NUMBERS.assign(born=pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(N), "D"))
HOLES = NUMBERS.assign(weight=np.where(np.arange(N) % 7 == 0, np.nan, 1.0))


def refused(model: Any, rows: pd.DataFrame) -> Check:
    """Return the Check of a model on rows that it cannot take."""
    with warnings.catch_warnings(), pytest.raises(Exception) as raised:  # noqa: PT012  # whatever the library raises
        warnings.simplefilter("ignore")
        model.predict(rows)
    message = " ".join(str(raised.value).split())[:500]  # as a worker tells it
    failure = Failure(type(raised.value).__name__, message, f"{type(model).__module__}.{type(model).__qualname__}")
    read = read_rows(rows)
    return raw_rows_check(read.table, read.inputs, failure)


@pytest.mark.parametrize(
    ("rows", "cause"),
    [
        (TEXT, "LogisticRegression takes numbers only, but the rows hold text in 'city'."),
        (DATES, "LogisticRegression takes numbers only, but the rows hold dates in 'born'."),
        (HOLES, "LogisticRegression takes no missing values, but the rows hold some."),
    ],
    ids=["text", "dates", "missing"],
)
def test_the_cause_names_what_the_estimator_cannot_take_and_the_cure_works(rows: pd.DataFrame, cause: str) -> None:
    width = len(rows.columns)
    model = LogisticRegression().fit(np.random.default_rng(0).random((N, width)), TARGET)
    check = refused(model, rows)
    assert (check.name, check.status, check.observed) == ("raw-rows", "fail", cause)
    assert "make_pipeline(preparation, LogisticRegression(...))" in check.advice
    assert len(cured(check.advice, rows).predict(rows)) == N


def cured(advice: str, rows: pd.DataFrame) -> Any:
    """Run the code that the advice shows, on the rows, and return the pipeline it makes."""
    code = textwrap.dedent("\n".join(line for line in advice.splitlines() if line.startswith("    ")))
    names: dict[str, Any] = {"X": rows, "y": TARGET, "LogisticRegression": LogisticRegression}
    exec(code.replace("(...)", "()"), names)  # noqa: S102  # our own advice
    return names["pipeline"]


def test_rows_of_other_columns_than_at_fit_are_told() -> None:
    model = DecisionTreeClassifier().fit(NUMBERS, TARGET)
    check = refused(model, NUMBERS.rename(columns={"age": "years"}))
    assert check.observed.startswith("DecisionTreeClassifier was fitted on other columns than those of the example.")
    assert "'years'" in check.observed or "years" in check.observed
    assert "make_pipeline(preparation, model)" in check.advice


def test_a_wrong_number_of_features_is_told() -> None:
    model = DecisionTreeClassifier().fit(NUMBERS.to_numpy(), TARGET)
    check = refused(model, NUMBERS.assign(more=1.0))
    assert "X has 3 features, but DecisionTreeClassifier is expecting 2 features" in check.observed


def test_a_model_that_takes_raw_rows_passes_and_says_what_they_are() -> None:
    read = read_rows(TEXT.assign(weight=np.nan))
    check = raw_rows_check(read.table, read.inputs, None)
    assert check.status == "pass"
    assert check.observed == "answers raw rows: 2 float, 1 text; missing values in 1 column(s)"
