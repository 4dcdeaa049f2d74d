"""Graphs of XGBoost answer as the fitted models do, on thresholds and among missing values too."""

from __future__ import annotations

import json
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, OneHotEncoder, StandardScaler
from xgboost import XGBClassifier, XGBRanker, XGBRegressor, XGBRFClassifier, XGBRFRegressor

from boucle_worker.describe import Cannot
from faithful import Found, compared

RNG = np.random.default_rng(0)
ROWS = 400
TINY = 2e-7
ODD = [0.0, -0.0, 1e300, -1e300, 1e-40, np.nan, 0.5, -0.5, 2.5, 3.9]


def numbers() -> Any:
    rows = RNG.normal(size=(ROWS, 4))
    rows[:, 3] = RNG.integers(0, 8, ROWS)
    rows[RNG.random(rows.shape) < 0.1] = np.nan
    return rows


X = numbers()
Y = np.nan_to_num(X[:, 0]) * 2 + np.nan_to_num(X[:, 1]) ** 2 + np.nan_to_num(X[:, 3]) % 3 + RNG.normal(size=ROWS) / 5
TWO, THREE = (Y > 2).astype(int), np.digitize(Y, [1, 3])


def regressor(**settings: Any) -> Any:
    return XGBRegressor(**{"n_estimators": 20, "n_jobs": 1, **settings})


def classifier(**settings: Any) -> Any:
    return XGBClassifier(**{"n_estimators": 20, "n_jobs": 1, **settings})


def edges(model: Any, rows: Any, n_rows: int = 1500) -> Any:
    """Return rows on thresholds, and up to three neighbours off, in single or in double precision."""
    features, thresholds = splits(model)
    made = rows[RNG.integers(0, len(rows), n_rows)].copy()
    if len(features):
        places = RNG.integers(len(features), size=n_rows)
        single, double = thresholds[places], thresholds[places].astype(np.float64)
        for step in RNG.choice([-np.inf, 0.0, np.inf], size=(3, n_rows)):
            single = np.where(step == 0.0, single, np.nextafter(single, step.astype(np.float32)))
            double = np.where(step == 0.0, double, np.nextafter(double, step))
        made[np.arange(n_rows), features[places]] = np.where(RNG.random(n_rows) < 0.5, single, double)
    return made


def splits(model: Any) -> Any:
    """Return the columns and thresholds of the nodes that ask for a number."""
    told = json.loads(model.get_booster().save_raw("json"))["learner"]["gradient_booster"]
    trees = told.get("gbtree", told)["model"].get("trees", [])
    names = ("split_indices", "split_conditions", "left_children", "split_type")
    feature, threshold, left, kind = (np.concatenate([[], *(tree[name] for tree in trees)]) for name in names)
    is_number = (left >= 0) & (kind == 0)
    return feature[is_number].astype(int), threshold[is_number].astype(np.float32)


def odd(rows: Any) -> Any:
    return RNG.choice(ODD, size=(300, rows.shape[1])).astype(rows.dtype)


def found(model: Any, y: Any, rows: Any = X, **fitting: Any) -> Found:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(rows, y, **fitting)
    more = [] if model.booster == "gblinear" else [odd(rows)]  # which raises at what float32 cannot hold
    return compared(model, rows, edges(model, rows), *more)


def assert_faithful(told: Found) -> None:
    assert told.labels == 0
    assert max(told.probabilities, told.value) <= TINY


MODELS: dict[str, Any] = {
    "two classes": (classifier(), TWO),
    "three classes": (classifier(), THREE),
    "base score": (classifier(base_score=0.3), TWO),
    "softmax": (classifier(objective="multi:softmax"), THREE),
    "hinge": (classifier(objective="binary:hinge"), TWO),
    "logitraw": (classifier(objective="binary:logitraw"), TWO),
    "missing one": (classifier(missing=1.0), TWO),
    "missing zero": (classifier(missing=0.0), TWO),
    "forest of two": (XGBRFClassifier(n_estimators=20, n_jobs=1), TWO),
    "forest of three": (XGBRFClassifier(n_estimators=20, n_jobs=1), THREE),
    "forest": (XGBRFRegressor(n_estimators=20, n_jobs=1), Y),
    "numbers": (regressor(), Y),
    "two outputs": (regressor(), np.c_[Y, -2 * Y]),
    "vectors in leaves": (regressor(multi_strategy="multi_output_tree"), np.c_[Y, -2 * Y, Y**2]),
    "pruned": (regressor(gamma=3, tree_method="exact"), Y),
    "pruned to the root": (regressor(n_estimators=3, gamma=1e6), Y),
    "parallel trees": (regressor(n_estimators=5, num_parallel_tree=3, subsample=0.5), Y),
    "dart": (regressor(booster="dart", rate_drop=0.3), Y),
    "dart of two": (classifier(booster="dart", rate_drop=0.3), TWO),
    "dart of three": (classifier(booster="dart", rate_drop=0.3), THREE),
    "linear": (regressor(booster="gblinear"), Y),
    "linear of two": (classifier(booster="gblinear"), TWO),
    "linear of three": (classifier(booster="gblinear", base_score=0.3), THREE),
}


@pytest.mark.parametrize(("model", "y"), MODELS.values(), ids=MODELS)
def test_it_answers_as_the_model(model: Any, y: Any) -> None:
    assert_faithful(found(model, y))


@pytest.mark.parametrize("base_score", [None, 0.7])
@pytest.mark.parametrize(
    "objective",
    [
        "reg:squarederror",
        "reg:squaredlogerror",
        "reg:absoluteerror",
        "reg:pseudohubererror",
        "reg:gamma",
        "reg:tweedie",
        "reg:logistic",
        "count:poisson",
        "survival:cox",
        "rank:pairwise",
    ],
)
def test_each_objective_starts_and_ends_as_it_does_in_xgboost(objective: str, base_score: float | None) -> None:
    model = regressor(n_estimators=10, objective=objective, base_score=base_score)
    y = np.abs(Y) + 0.01
    assert_faithful(found(model, y / (1 + y) if objective == "reg:logistic" else y))


def test_several_quantiles_are_several_outputs() -> None:
    model = regressor(n_estimators=10, objective="reg:quantileerror", quantile_alpha=[0.1, 0.5])
    told = found(model, Y)
    assert told.description.outputs["value"]["shape"] == [None, 2]
    assert_faithful(told)


def test_trees_beyond_the_best_iteration_do_not_count() -> None:
    model = classifier(n_estimators=200, num_parallel_tree=2, subsample=0.5, early_stopping_rounds=3)
    told = found(model, THREE, eval_set=[(X[:80] * 1.5, THREE[:80])], verbose=False)
    assert model.best_iteration + 1 < model.get_booster().num_boosted_rounds()
    assert_faithful(told)


def test_a_ranker_takes_no_notice_of_the_query() -> None:
    rows = pd.DataFrame({"a": X[:, 0], "qid": np.repeat(np.arange(8), ROWS // 8), "b": X[:, 1]})
    model = XGBRanker(n_estimators=10, n_jobs=1).fit(rows, THREE)
    assert compared(model, rows).value == 0.0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scaler", [StandardScaler(), MaxAbsScaler()], ids=str)
def test_scaled_numbers_are_compared_in_single_precision(dtype: Any, scaler: Any) -> None:
    rows = (X * [1, 1e3, 1e-3, 1] + [1.7e9, 0, 0, 0]).astype(dtype)
    model = make_pipeline(scaler, classifier()).fit(rows, TWO)
    back = scaler.inverse_transform(edges(model[-1], scaler.transform(rows))).astype(dtype)
    assert_faithful(compared(model, rows, back))


@pytest.mark.parametrize("sparse_threshold", [0.0, 1.0])
def test_absent_zeros_of_sparse_rows_are_missing(sparse_threshold: float) -> None:
    rows = pd.DataFrame({"a": X[:, 0], "b": X[:, 3], "city": RNG.choice([f"c{i}" for i in range(40)], ROWS)})
    columns = (MaxAbsScaler(), ["a", "b"]), (OneHotEncoder(handle_unknown="ignore"), ["city"])
    preparation = make_column_transformer(*columns, sparse_threshold=sparse_threshold)
    model = make_pipeline(preparation, classifier()).fit(rows, TWO)
    assert preparation.sparse_output_ is (sparse_threshold > 0.0)
    assert_faithful(compared(model, rows, rows.assign(a=0.0), rows.assign(city="new")))


def categories() -> pd.DataFrame:
    rows = pd.DataFrame(
        {"a": X[:, 0], "city": pd.Categorical(RNG.choice(np.array(["Lyon", "Nice", "Paris", None]), ROWS))}
    )
    rows["class"] = pd.Categorical(RNG.choice([10, 20, 7, 33, 1], ROWS))
    rows["letter"] = pd.Categorical(RNG.choice(list("abcdefghijklmnopqrstuvw"), ROWS))
    return rows


CATEGORIES = categories()
ENCODED = Y + CATEGORIES["class"].cat.codes.to_numpy() + CATEGORIES["letter"].cat.codes.to_numpy() % 3


@pytest.mark.parametrize("most", [1, 100])
@pytest.mark.parametrize("booster", ["gbtree", "dart"])
def test_categories_of_pandas_split_one_by_one_and_in_sets(most: int, booster: str) -> None:
    model = regressor(enable_categorical=True, max_cat_to_onehot=most, booster=booster)
    model.fit(CATEGORIES, ENCODED)
    without = CATEGORIES.assign(city=CATEGORIES["city"].where(CATEGORIES["a"] > 0))
    assert_faithful(compared(model, CATEGORIES, without))


def test_categories_are_known_by_their_names_in_another_order() -> None:
    model = regressor(enable_categorical=True, max_cat_to_onehot=1).fit(CATEGORIES, ENCODED)
    turned = {c: CATEGORIES[c].cat.set_categories(CATEGORIES[c].cat.categories[::-1]) for c in ("class", "letter")}
    assert_faithful(compared(model, CATEGORIES.assign(**turned)))


def test_a_category_that_xgboost_refuses_is_told() -> None:
    model = regressor(n_estimators=5, enable_categorical=True).fit(CATEGORIES, ENCODED)
    rows = CATEGORIES.assign(city=CATEGORIES["city"].cat.add_categories(["Rome"]))
    with pytest.raises(Cannot, match="category 'Rome', on which it was not fitted"):
        compared(model, rows)


def test_names_beyond_ascii_are_taken_in_the_order_of_fitting_alone() -> None:
    names = CATEGORIES["city"].cat.rename_categories({"Nice": "Nîmes"})
    rows = CATEGORIES.assign(city=names)
    model = regressor(n_estimators=5, enable_categorical=True).fit(rows, ENCODED)
    assert_faithful(compared(model, rows))
    with pytest.raises(Cannot, match="not ASCII"):
        compared(model, rows.assign(city=names.cat.set_categories(["Paris", "Lyon", "Nîmes"])))


@pytest.mark.parametrize("most", [1, 100])
def test_numbers_as_categories_are_cut_to_whole_ones(most: int) -> None:
    types = ["q", "q", "q", "c"]
    model = regressor(enable_categorical=True, feature_types=types, max_cat_to_onehot=most)
    assert_faithful(found(model, Y))


def test_integers_beyond_single_precision_are_rounded_once() -> None:
    rows = pd.DataFrame(RNG.integers(0, 2**28, size=(ROWS, 3)), columns=list("abc"))
    model = regressor().fit(rows, rows["a"] - rows["b"])
    assert compared(model, rows, rows + 1).value == 0.0


def test_parity_is_told_the_thresholds() -> None:
    model = regressor(n_estimators=2, max_depth=2)
    told = found(model, Y)
    thresholds = np.concatenate([told.description.arrays[mark["thresholds"]] for mark in told.description.marks])
    assert set(thresholds) == set(splits(model)[1].astype(float))


@pytest.mark.parametrize(
    ("model", "y", "reason"),
    [
        (regressor(n_estimators=2, objective=lambda y, p: (p - y, np.ones_like(y))), Y, "objective of its author's"),
        (classifier(n_estimators=2), np.c_[TWO, 1 - TWO], "several labels at once"),
    ],
    ids=["objective", "labels"],
)
def test_what_has_no_exact_graph_is_refused(model: Any, y: Any, reason: str) -> None:
    with pytest.raises(Cannot, match=reason):
        found(model, y)
