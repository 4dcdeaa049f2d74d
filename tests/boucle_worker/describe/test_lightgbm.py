"""Graphs of LightGBM answer as the fitted models do, on thresholds and among zeros and missing values too."""

from __future__ import annotations

import warnings
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier, LGBMRanker, LGBMRegressor
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, OneHotEncoder, StandardScaler

from boucle_worker.describe import Cannot
from faithful import Found, compared

RNG = np.random.default_rng(0)
ROWS = 400
TINY = 1e-12
ZERO = float(np.float32(1e-35))
ZEROS = [0.0, -0.0, ZERO, -ZERO, np.nextafter(ZERO, 1), np.nextafter(-ZERO, -1), 1e-35, -1e-35, 1e-320]
ODD = [*ZEROS, 1e300, -np.inf, np.inf, np.nan, 0.5, -0.5, 2.5, 3.9, -1.0, 2.0**32 + 3]
SETS = {"min_data_per_group": 5, "cat_smooth": 1}


def numbers() -> Any:
    rows = RNG.normal(size=(ROWS, 4))
    rows[:, 3] = RNG.integers(0, 8, ROWS)
    rows[RNG.random(rows.shape) < 0.1] = np.nan
    rows[RNG.random(rows.shape) < 0.1] = 0.0
    return rows


X = numbers()
Y = np.nan_to_num(X[:, 0]) * 2 + np.nan_to_num(X[:, 1]) ** 2 + np.nan_to_num(X[:, 3]) % 3 + RNG.normal(size=ROWS) / 5
TWO, THREE, SHARE = (Y > 2).astype(int), np.digitize(Y, [1, 3]), np.abs(Y) / (1 + np.abs(Y))


def regressor(**settings: Any) -> Any:
    return LGBMRegressor(**{"n_estimators": 20, "verbose": -1, "n_jobs": 1, **settings})


def classifier(**settings: Any) -> Any:
    return LGBMClassifier(**{"n_estimators": 20, "verbose": -1, "n_jobs": 1, **settings})


def edges(model: Any, rows: Any, n_rows: int = 1500) -> Any:
    """Return rows on thresholds, and up to three neighbours off."""
    nodes = model.booster_.trees_to_dataframe()
    nodes = nodes[nodes["decision_type"] == "<="]
    made = rows[RNG.integers(0, len(rows), n_rows)].copy()
    if len(nodes):
        places = RNG.integers(len(nodes), size=n_rows)
        names = {name: i for i, name in enumerate(model.booster_.feature_name())}
        number = nodes["threshold"].to_numpy(np.float64)[places].clip(-1e38, 1e38).astype(rows.dtype)
        for step in RNG.choice([-np.inf, 0.0, np.inf], size=(3, n_rows)):
            number = np.where(step == 0.0, number, np.nextafter(number, step.astype(rows.dtype)))
        made[np.arange(n_rows), nodes["split_feature"].map(names).to_numpy(int)[places]] = number
    return made


def odd(rows: Any) -> Any:
    with np.errstate(over="ignore"):
        return RNG.choice(ODD, size=(300, rows.shape[1])).astype(rows.dtype)


def found(model: Any, y: Any, rows: Any = X, **fitting: Any) -> Found:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(rows, y, **fitting)
    return compared(model, rows, edges(model, rows), odd(rows))


def assert_faithful(told: Found) -> None:
    assert told.labels == 0
    assert max(told.probabilities, told.value) <= TINY


MODELS: dict[str, Any] = {
    "numbers": (regressor(), Y),
    "zeros missing": (regressor(zero_as_missing=True), Y),
    "nothing missing": (regressor(use_missing=False), Y),
    "random forest": (regressor(boosting_type="rf", bagging_freq=1, bagging_fraction=0.5), Y),
    "dart": (regressor(boosting_type="dart"), Y),
    "goss": (regressor(boosting_type="goss"), Y),
    "no splits": (regressor(min_child_samples=1000), Y),
    "square root": (regressor(reg_sqrt=True), Y),
    "linear leaves": (regressor(linear_tree=True), Y),
    "two classes": (classifier(), TWO),
    "three classes": (classifier(), THREE),
    "words": (classifier(), np.array(["no", "yes"])[TWO]),
    "sigmoid": (classifier(sigmoid=2.5), TWO),
    "one against the rest": (classifier(objective="multiclassova", sigmoid=0.7), THREE),
    "cross entropy": (classifier(objective="cross_entropy"), TWO),
    "forest of three": (classifier(boosting_type="rf", bagging_freq=1, bagging_fraction=0.5), THREE),
    "linear leaves of three": (classifier(linear_tree=True), THREE),
}


@pytest.mark.parametrize(("model", "y"), MODELS.values(), ids=MODELS)
def test_it_answers_as_the_model(model: Any, y: Any) -> None:
    assert_faithful(found(model, y))


@pytest.mark.parametrize(
    "objective",
    ["l1", "huber", "fair", "quantile", "mape", "poisson", "gamma", "tweedie", "cross_entropy", "cross_entropy_lambda"],
)
def test_each_objective_ends_as_it_does_in_lightgbm(objective: str) -> None:
    assert_faithful(found(regressor(objective=objective), SHARE))


def test_thresholds_about_zero_take_the_smallest_numbers_for_zero() -> None:
    rows = RNG.choice([0.0, 1.0, -1.0, 2.0], size=(ROWS, 4))
    model = regressor(min_child_samples=5)
    told = found(model, rows[:, 0] ** 2 + rows[:, 1])
    assert_faithful(told)
    assert_faithful(compared(model, rows, RNG.choice(ZEROS, size=(300, 4))))


def test_an_objective_of_ones_own_leaves_the_sum() -> None:
    model = regressor(objective=lambda y, p: (p - y, np.ones_like(y)))
    assert_faithful(found(model, Y))


def test_trees_beyond_the_best_iteration_do_not_count() -> None:
    model = classifier(n_estimators=300)
    stop = lightgbm.early_stopping(3, verbose=False)
    told = found(model, TWO, eval_set=[(X[:80] * 1.5, TWO[:80])], callbacks=[stop])
    assert model.best_iteration_ < 300
    assert_faithful(told)


def test_a_ranker_gives_its_scores() -> None:
    assert_faithful(found(LGBMRanker(n_estimators=10, verbose=-1, n_jobs=1), THREE, group=[ROWS // 8] * 8))


def test_a_booster_alone_gives_its_predictions() -> None:
    booster = lightgbm.train({"objective": "binary", "verbose": -1, "num_threads": 1}, lightgbm.Dataset(X, TWO), 10)
    assert_faithful(compared(booster, X))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_of_either_precision_are_compared_in_double(dtype: Any) -> None:
    rows = (X * [1, 1e3, 1e-3, 1] + [1.7e9, 0, 0, 0]).astype(dtype)
    assert_faithful(found(classifier(), TWO, rows))
    assert_faithful(compared(make_pipeline(StandardScaler(), classifier()).fit(rows, TWO), rows))


@pytest.mark.parametrize("sparse_threshold", [0.0, 1.0])
def test_absent_zeros_of_sparse_rows_are_zeros(sparse_threshold: float) -> None:
    rows = pd.DataFrame({"a": X[:, 0], "b": X[:, 3], "city": RNG.choice([f"c{i}" for i in range(40)], ROWS)})
    columns = (MaxAbsScaler(), ["a", "b"]), (OneHotEncoder(handle_unknown="ignore"), ["city"])
    preparation = make_column_transformer(*columns, sparse_threshold=sparse_threshold)
    model = make_pipeline(preparation, classifier()).fit(rows, TWO)
    assert preparation.sparse_output_ is (sparse_threshold > 0.0)
    assert_faithful(compared(model, rows, rows.assign(a=0.0), rows.assign(city="new")))


@pytest.mark.parametrize("most", [1, 100])
@pytest.mark.parametrize(
    "column", [np.nan_to_num(X[:, 3]), X[:, 3], RNG.integers(0, 300, ROWS)], ids=["few", "missing", "many"]
)
def test_numbers_as_categories_are_cut_to_whole_ones(column: Any, most: int) -> None:
    model = regressor(categorical_feature=[3], max_cat_to_onehot=most, **SETS)
    assert_faithful(found(model, Y, np.c_[X[:, :3], column]))


def categories() -> pd.DataFrame:
    rows = pd.DataFrame(
        {"a": X[:, 0], "city": pd.Categorical(RNG.choice(np.array(["Nîmes", "Nice", "Paris", None]), ROWS))}
    )
    rows["class"] = pd.Categorical(RNG.choice([10, 20, 7, 33, 1], ROWS))
    rows["letter"] = pd.Categorical(RNG.choice(list("abcdefghijklmnopqrstuvw"), ROWS), ordered=True)
    return rows


CATEGORIES = categories()
ENCODED = Y + CATEGORIES["class"].cat.codes.to_numpy() + CATEGORIES["letter"].cat.codes.to_numpy() % 3


def test_categories_of_pandas_are_those_of_fitting_in_any_order() -> None:
    model = regressor(**SETS).fit(CATEGORIES, ENCODED)
    turned = {c: CATEGORIES[c].cat.set_categories(CATEGORIES[c].cat.categories[::-1]) for c in ("class", "letter")}
    city = CATEGORIES["city"].cat.add_categories(["Rome"]).where(CATEGORIES["a"] > 0, "Rome")
    assert_faithful(compared(model, CATEGORIES))
    assert_faithful(compared(model, CATEGORIES.assign(city=city, **turned)))


def test_a_matrix_of_integers_is_read_in_single_precision_and_a_table_is_not() -> None:
    rows = pd.DataFrame(RNG.integers(0, 2**28, size=(ROWS, 3)), columns=list("abc"))
    for kind in (rows, rows.to_numpy()):
        assert compared(regressor().fit(kind, rows["a"] - rows["b"]), kind, kind + 1).value == 0.0


def test_parity_is_told_the_thresholds() -> None:
    model = regressor(n_estimators=2, num_leaves=4)
    told = found(model, Y)
    thresholds = np.concatenate([told.description.arrays[mark["thresholds"]] for mark in told.description.marks])
    assert set(thresholds) == set(model.booster_.trees_to_dataframe()["threshold"].dropna())


@pytest.mark.parametrize(
    ("model", "y", "reason"),
    [
        (classifier(objective=lambda y, p: (p - y, np.ones_like(y))), TWO, "objective of its author's"),
        (classifier(), np.zeros(ROWS), "1 classes"),
    ],
    ids=["objective", "classes"],
)
def test_what_has_no_exact_graph_is_refused(model: Any, y: Any, reason: str) -> None:
    with pytest.raises(Cannot, match=reason):
        found(model, y)
