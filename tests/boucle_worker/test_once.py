"""Shared work is done once, and the answers are those of scikit-learn to the bit."""

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.ensemble import ExtraTreesClassifier, GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from boucle_worker.once import both

X, Y = load_iris(return_X_y=True)
MODELS = [
    RandomForestClassifier(n_estimators=4, random_state=0),  # few trees: many ties
    ExtraTreesClassifier(n_estimators=4, random_state=0),
    GradientBoostingClassifier(n_estimators=5, random_state=0),
    LogisticRegression(max_iter=500),
    GaussianNB(),
    KNeighborsClassifier(4),
    DecisionTreeClassifier(max_depth=2, random_state=0),
]


class Counting(StandardScaler):  # type: ignore[misc]  # scikit-learn is untyped
    """A scaler that counts how often it works."""

    def transform(self, rows: Any, copy: Any = None) -> Any:
        self.calls = getattr(self, "calls", 0) + 1
        return super().transform(rows, copy)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
@pytest.mark.parametrize("labels", [Y, np.array(["a", "b", "c"])[Y]], ids=["numbers", "texts"])
def test_the_answers_are_those_of_the_pipeline_itself(model: Any, labels: Any) -> None:
    nested = make_pipeline(StandardScaler(), Pipeline([("pass", "passthrough"), ("model", model)])).fit(X, labels)
    noise = X + np.random.default_rng(0).normal(0, 0.5, X.shape)
    predictions, probabilities = both(nested, noise)
    assert np.array_equal(predictions, nested.predict(noise))
    assert np.array_equal(probabilities, nested.predict_proba(noise))


def test_the_transformers_run_once() -> None:
    scaler = Counting()
    pipeline = make_pipeline(scaler, GaussianNB()).fit(X, Y)
    scaler.calls = 0
    both(pipeline, X)
    assert scaler.calls == 1


def test_a_subclass_is_asked_as_it_is() -> None:
    class Contrary(Pipeline):  # type: ignore[misc]  # scikit-learn is untyped
        def predict(self, rows: Any, **_params: Any) -> Any:
            return super().predict(rows)[::-1]

    contrary = Contrary([("model", GaussianNB())]).fit(X, Y)
    assert np.array_equal(both(contrary, X)[0], contrary.predict(X))
