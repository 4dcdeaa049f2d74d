"""Graphs of gradient boosting answer as the fitted models do, categories among their columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.random import default_rng
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from boucle_worker.describe import Cannot
from faithful import compared

N = 400
TINY = 1e-14


def rows(seed: int = 0) -> Any:
    """Return rows of five columns; one holds whole numbers below 40."""
    X = default_rng(seed).normal(size=(N, 5))
    X[:, 3] = default_rng(seed).integers(0, 40, N)
    X[:, 4] *= 1e6
    return X


def outcome(X: Any, n_classes: int = 0) -> Any:
    """Return classes of equal size, or numbers when there are none, with noise."""
    z = X[:, 0] + X[:, 1] * (X[:, 3] % 3) + default_rng(9).normal(size=len(X)) / 2
    return np.digitize(z, np.quantile(z, np.linspace(0, 1, n_classes + 1)[1:-1])) if n_classes else z * 100


def with_holes(X: Any) -> Any:
    return np.where(default_rng(3).random(X.shape) < 0.15, np.nan, X)


def on_thresholds(model: Any, X: Any) -> Any:
    """Return rows that stand on the thresholds of the trees, or a step beside them."""
    rng = default_rng(1)
    found = X.copy()
    if hasattr(model, "_predictors"):
        trees = [member.nodes for stage in model._predictors for member in stage]
        asked = [(n["feature_idx"], n["num_threshold"]) for nodes in trees for n in nodes if not n["is_leaf"]]
    else:
        trees = [member.tree_ for member in model.estimators_.ravel()]
        asked = [(t.feature[i], t.threshold[i]) for t in trees for i in np.flatnonzero(t.children_left >= 0)]
    asked = [(column, threshold) for column, threshold in asked if np.isfinite(threshold)]
    for row in found:
        for place in rng.integers(len(asked), size=4):
            column, threshold = asked[place]
            row[column] = rng.choice([threshold, np.nextafter(threshold, np.inf), float(np.float32(threshold))])
    return found


CLASSIFIERS: list[dict[str, Any]] = [
    {},
    {"init": "zero"},
    {"subsample": 0.5, "learning_rate": 0.7},
    {"init": DummyClassifier(strategy="most_frequent")},
    {"init": RandomForestClassifier(5, random_state=0)},
    {"n_estimators": 1, "max_depth": 1},
]


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("settings", CLASSIFIERS, ids=str)
def test_gradient_boosting_gives_the_classes_of_the_model(settings: dict[str, Any], n_classes: int) -> None:
    X = rows()
    model = GradientBoostingClassifier(**{"n_estimators": 20, "random_state": 0, **settings})
    model.fit(X, outcome(X, n_classes))

    found = compared(model, X, rows(7), on_thresholds(model, X))

    assert found.labels == 0
    assert 0.0 <= found.probabilities < TINY


def test_the_exponential_loss_doubles_the_sum() -> None:
    X = rows()
    model = GradientBoostingClassifier(loss="exponential", n_estimators=20).fit(X, outcome(X, 2))

    found = compared(model, X, on_thresholds(model, X))

    assert (found.labels, found.probabilities < TINY) == (0, True)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_histogram_boosting_gives_the_classes_of_the_model(n_classes: int, dtype: Any) -> None:
    X = with_holes(rows()).astype(dtype)
    model = HistGradientBoostingClassifier(max_iter=20).fit(X, outcome(rows(), n_classes))
    huge = np.array([[np.inf] * 5, [-np.inf] * 5, [1e30] * 5, [np.nan] * 5], dtype)

    found = compared(model, X, rows(7).astype(dtype), on_thresholds(model, X), huge)

    assert found.labels == 0
    assert 0.0 <= found.probabilities < TINY


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "quantile"])
def test_gradient_boosting_gives_the_values_of_the_model(loss: str) -> None:
    X = rows()
    model = GradientBoostingRegressor(loss=loss, n_estimators=20).fit(X, outcome(X))

    assert compared(model, X, rows(7), on_thresholds(model, X)).value == 0.0


@pytest.mark.parametrize("init", ["zero", DummyRegressor(strategy="median"), RandomForestRegressor(4)], ids=str)
def test_the_start_is_that_of_the_model(init: Any) -> None:
    X = rows()
    model = GradientBoostingRegressor(init=init, n_estimators=20).fit(X, outcome(X))

    assert compared(model, X, rows(7)).value < TINY


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "poisson", "gamma", "quantile"])
def test_histogram_boosting_gives_the_values_of_the_model(loss: str) -> None:
    X = with_holes(rows())
    y = np.abs(outcome(rows())) + 0.1
    settings = {"quantile": 0.7} if loss == "quantile" else {}
    model = HistGradientBoostingRegressor(loss=loss, max_iter=20, **settings).fit(X, y)

    assert compared(model, X, rows(7), on_thresholds(model, X)).value < TINY


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (
            GradientBoostingClassifier(init=DummyClassifier(strategy="uniform"), n_estimators=2),
            "its GradientBoostingClassifier starts from a guess by strategy 'uniform'",
        ),
        (
            GradientBoostingRegressor(init=LinearRegression(), n_estimators=2),
            "its GradientBoostingRegressor starts from a LinearRegression that computes in single precision",
        ),
    ],
    ids=["a guess", "single precision"],
)
def test_a_start_without_an_exact_graph_is_refused(model: Any, reason: str) -> None:
    X = rows()

    with pytest.raises(Cannot, match=reason):
        compared(model.fit(X, outcome(X, 2)), X)


# categories -----------------------------------------------------------------------------------------------------------
def people(seed: int = 0, *, is_new: bool = False) -> pd.DataFrame:
    """Return rows with texts of few kinds, texts of many, and numbers that name a kind."""
    rng = default_rng(seed)
    cities = ["Paris", "Lyon", "Nice", "Brest"] + ["Rome"] * is_new
    found = pd.DataFrame(
        {
            "age": with_holes(rng.normal(size=(N, 1)))[:, 0],
            "city": rng.choice(np.array(cities, object), N),
            "code": rng.integers(0, 60 + 20 * is_new, N),
            "many": rng.choice([f"m{i}" for i in range(120)], N),
        }
    )
    found.loc[rng.random(N) < 0.1, "city"] = None
    return found


def bought(found: pd.DataFrame) -> Any:
    number = found["many"].str[1:].astype(int)
    score = found["age"].fillna(0) + (found["city"] == "Paris") * 1.5 + (found["code"] % 7 == 3) * 2 - (number % 5 == 1)
    return (score > 0.3).astype(int).to_numpy()


@pytest.mark.parametrize("columns", [["city"], ["code"], ["city", "many"], ["city", "code", "many"]], ids=str)
def test_named_categories_go_where_the_model_sends_them_unknown_ones_too(columns: list[str]) -> None:
    names = ["age", *columns]
    train, new = people()[names], people(1, is_new=True)[names]
    model = HistGradientBoostingClassifier(categorical_features=columns, max_iter=20).fit(train, bought(people()))

    found = compared(model, train, new)

    assert (found.labels, found.probabilities < TINY) == (0, True)


def test_columns_of_categories_are_taken_by_their_dtype() -> None:
    train, new = people(), people(1)
    for column in ("city", "code", "many"):
        train[column] = train[column].astype("category")
        known = train[column].cat.categories
        new[column] = pd.Categorical(new[column].where(new[column].isin(known)), known)
    model = HistGradientBoostingRegressor(categorical_features="from_dtype", max_iter=20).fit(train, bought(people()))

    assert compared(model, train, new).value < TINY


def test_numbers_marked_as_categories_may_be_broken_negative_huge_or_missing() -> None:
    train, new = rows(), rows(7)
    odd = [-1, -0.5, 3.5, 39, 40, 255, 256, 259, 1e12, -1e12, np.nan]
    new[: len(odd), 3] = odd
    train[:20, 3] = np.nan
    model = HistGradientBoostingClassifier(categorical_features=[3], max_iter=20).fit(train, outcome(rows(), 3))

    found = compared(model, train, new)

    assert (found.labels, found.probabilities < TINY) == (0, True)


def test_categories_may_be_numbered_by_a_step_before() -> None:
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    columns = make_column_transformer((encoder, ["city", "many"]), remainder="passthrough")
    model = make_pipeline(columns, HistGradientBoostingClassifier(categorical_features=[0, 1], max_iter=20))
    model.fit(people(), bought(people()))

    found = compared(model, people(), people(1, is_new=True))

    assert (found.labels, found.probabilities < TINY) == (0, True)
