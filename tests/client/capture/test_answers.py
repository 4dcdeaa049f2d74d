"""The model's own answers: on which rows, in which container, of which task; or why there are none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.ensemble import IsolationForest
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline

from boucle.client.capture.answers import ask, sample_positions
from boucle.client.capture.rows import candidates
from boucle.core.errors import InvalidRequest, Refused

NUMBERS = pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0], "b": [0.0, 1.0, 0.0, 1.0]})
LABELS = ["no", "no", "yes", "yes"]
LINEAR = LinearRegression().fit(NUMBERS, [1.0, 2.0, 3.0, 4.0])


class Answering:
    """A model that answers what it is told to."""

    def __init__(self, answers: Any) -> None:
        self.answers = answers

    def predict(self, rows: Any) -> Any:
        return self.answers


def test_the_sample_is_a_thousand_rows_in_order_and_always_the_same() -> None:
    positions = sample_positions(50_000)
    assert len(positions) == 1000
    assert (np.diff(positions) > 0).all()
    assert (positions == sample_positions(50_000)).all()


@pytest.mark.parametrize(
    ("model", "task", "kind", "classes"),
    [
        (LINEAR, "regression", "float", None),
        (LogisticRegression().fit(NUMBERS, LABELS), "classification", "text", ("no", "yes")),
        (IsolationForest(n_estimators=2, random_state=0).fit(NUMBERS), "classification", "int", None),
        (KMeans(2, n_init=1, random_state=0).fit(NUMBERS), "classification", "int", None),
        (Answering([True, False, True, False]), "classification", "bool", None),
        (Answering([1, 2, 3, 4]), "regression", "int", None),
        (lambda rows: rows["a"], "regression", "float", None),
    ],
    ids=["regressor", "classifier", "outliers", "clusters", "booleans", "counts", "function"],
)
def test_the_task_is_found_out(model: Any, task: str, kind: str, classes: Any) -> None:
    signature = ask(model, "m", candidates(NUMBERS), None).signature
    assert (signature.task, signature.prediction_kind, signature.classes) == (task, kind, classes)


def test_the_task_given_wins() -> None:
    assert ask(Answering([1, 2, 3, 4]), "m", candidates(NUMBERS), "classification").signature.task == "classification"


def test_probabilities_are_kept_in_the_order_of_the_classes() -> None:
    model = LogisticRegression().fit(NUMBERS, LABELS)
    answered = ask(model, "m", candidates(NUMBERS), None)
    np.testing.assert_array_equal(answered.answers.columns["probabilities"].values, model.predict_proba(NUMBERS))


def test_a_model_whose_probabilities_do_not_work_answers_without_them() -> None:
    class Undecided(Answering):
        def predict_proba(self, rows: Any) -> Any:
            raise RuntimeError("probabilities were not fitted")

    assert not ask(Undecided([1, 2, 3, 4]), "m", candidates(NUMBERS), None).signature.probabilities


def test_a_model_of_dicts_gets_dicts() -> None:
    records = [{"a": 1.0, "city": "Lyon"}, {"a": 2.0, "city": "Paris"}]
    model = make_pipeline(DictVectorizer(), LinearRegression()).fit(records, [1.0, 2.0])
    assert ask(model, "m", candidates(records), None).signature.feed == "records"


def test_a_model_of_tables_gets_a_table_of_the_dicts() -> None:
    assert ask(LINEAR, "m", candidates(NUMBERS.to_dict("records")), None).signature.feed == "pandas"


@pytest.mark.parametrize(
    ("model", "rows", "cause"),
    [
        (
            LogisticRegression().fit(NUMBERS.to_numpy(), LABELS),
            np.array([["Lyon", "x"]], dtype=object),
            "LogisticRegression takes numbers only, but the rows hold text in 'x0', 'x1'.",
        ),
        (
            LogisticRegression().fit(pd.get_dummies(pd.Series(["a", "b", "a", "b"], name="city")), LABELS),
            pd.DataFrame({"city": ["a"]}),
            (
                "LogisticRegression was fitted on other columns than those of the example. It expects 'a', 'b'. "
                "It does not know 'city'."
            ),
        ),
        (LogisticRegression(), NUMBERS, "LogisticRegression is not fitted yet."),
        (LINEAR, NUMBERS.assign(a=np.nan), "LinearRegression takes no missing values, but the rows hold some."),
        (
            LINEAR,
            NUMBERS.assign(b=pd.Timestamp("2020-01-01")),
            "LinearRegression takes numbers only, but the rows hold dates in 'b'.",
        ),
    ],
    ids=["text", "encoded", "unfitted", "missing", "dates"],
)
def test_a_model_that_cannot_answer_is_refused_with_the_cause(model: Any, rows: Any, cause: str) -> None:
    with pytest.raises(Refused) as caught:
        ask(model, "churn", candidates(rows), None)
    assert caught.value.checks[0].observed == cause
    assert caught.value.checks[0].advice


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (3, "int has no predict method"),
        (Answering([1, 2]), "The answer of the model has 2 values, the example has 4 rows"),
        (Answering([[1, 2]] * 4), "gives 2 values for each row"),
    ],
    ids=["no-predict", "too-few", "too-wide"],
)
def test_answers_that_are_not_one_for_each_row_are_refused(model: Any, told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        ask(model, "m", candidates(NUMBERS), None)


def test_an_empty_example_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="The example is empty"):
        ask(LINEAR, "m", candidates(NUMBERS.head(0)), None)
