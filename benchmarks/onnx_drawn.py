"""Pipelines at random: a recipe is plain data (so that it can be told to another process), a case is made of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.feature_selection import SelectKBest, VarianceThreshold
from sklearn.impute import SimpleImputer
from sklearn.linear_model import ElasticNet, LinearRegression, LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier
from xgboost import XGBClassifier, XGBRegressor

from onnx_pipelines import NUMBERS, SLOW, TEXTS, Case

Makers = dict[str, Callable[[], Any]]

IMPUTERS: Makers = {
    "median": lambda: SimpleImputer(strategy="median"),
    "mean": SimpleImputer,
    "most frequent": lambda: SimpleImputer(strategy="most_frequent"),
    "constant": lambda: SimpleImputer(strategy="constant", fill_value=-1.0),
    "indicator": lambda: SimpleImputer(strategy="median", add_indicator=True),
}
SCALERS: Makers = {
    "nothing": lambda: "passthrough",
    "standard": StandardScaler,
    "standard without mean": lambda: StandardScaler(with_mean=False),
    "robust": lambda: RobustScaler(quantile_range=(10.0, 90.0)),
    "min-max": lambda: MinMaxScaler((-1.0, 1.0), clip=True),
    "largest": MaxAbsScaler,
    "power": PowerTransformer,
    "quantile": lambda: QuantileTransformer(n_quantiles=80),
    "bins": lambda: KBinsDiscretizer(4, encode="onehot-dense", strategy="kmeans", random_state=0),
    "squares": lambda: make_pipeline(StandardScaler(), PolynomialFeatures(2, include_bias=False)),
}
ENCODERS: Makers = {
    "one-hot": lambda: OneHotEncoder(handle_unknown="ignore"),
    "rare one-hot": lambda: OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=0.08),
    "imputed one-hot": lambda: make_pipeline(
        SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore", drop="if_binary")
    ),
    "ordinal": lambda: OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2, dtype=np.float32
    ),
    "target": TargetEncoder,
    "none": lambda: "drop",
}
REDUCERS: Makers = {
    "nothing": lambda: "passthrough",
    "directions": lambda: PCA(3, random_state=0),
    "singular": lambda: TruncatedSVD(3, random_state=0),
    "best": lambda: SelectKBest(k=3),
    "varying": VarianceThreshold,
}
CLASSIFIERS: Makers = {
    "logistic": lambda: LogisticRegression(max_iter=300),
    "LinearSVC": LinearSVC,
    "SVC": SVC,
    "tree": lambda: DecisionTreeClassifier(max_depth=6, random_state=0),
    "forest": lambda: RandomForestClassifier(20, random_state=0),
    "extra trees": lambda: ExtraTreesClassifier(20, random_state=0),
    "boosting": lambda: GradientBoostingClassifier(n_estimators=15, random_state=0),
    "histogram": lambda: HistGradientBoostingClassifier(max_iter=15, random_state=0),
    "xgb": lambda: XGBClassifier(n_estimators=15, n_jobs=1),
    "lightgbm": lambda: LGBMClassifier(n_estimators=15, n_jobs=1, verbose=-1),
    "MLP": lambda: MLPClassifier((12,), max_iter=20, random_state=0),
    "KNN": lambda: KNeighborsClassifier(5, weights="distance"),
    "bayes": GaussianNB,
}
REGRESSORS: Makers = {
    "linear": LinearRegression,
    "ridge": Ridge,
    "elastic net": ElasticNet,
    "forest regressor": lambda: RandomForestRegressor(15, random_state=0),
    "boosting regressor": lambda: GradientBoostingRegressor(n_estimators=15, random_state=0),
    "histogram regressor": lambda: HistGradientBoostingRegressor(max_iter=15, random_state=0),
    "xgb regressor": lambda: XGBRegressor(n_estimators=15, n_jobs=1),
    "lightgbm regressor": lambda: LGBMRegressor(n_estimators=15, n_jobs=1, verbose=-1),
    "KNN regressor": lambda: KNeighborsRegressor(5),
}
_SLOW = ("SVC", "KNN", "KNN regressor")


def recipes() -> Any:
    """Return the Hypothesis strategy of recipes."""
    from hypothesis import strategies as st

    task_and_model = st.one_of(
        st.tuples(st.sampled_from(["binary", "words", "classes"]), st.sampled_from(sorted(CLASSIFIERS))),
        st.tuples(st.just("value"), st.sampled_from(sorted(REGRESSORS))),
    ).filter(lambda told: told != ("words", "xgb"))
    return st.fixed_dictionaries(
        {
            "imputer": st.sampled_from(sorted(IMPUTERS)),
            "scaler": st.sampled_from(sorted(SCALERS)),
            "encoder": st.sampled_from(sorted(ENCODERS)),
            "reducer": st.sampled_from(sorted(REDUCERS)),
            "model": task_and_model,
            "rows": st.sampled_from(["table", "table", "frame", "frame32", "holes", "matrix32"]),
            "seed": st.integers(0, 1000),
        }
    ).filter(lambda recipe: not _is_tied(recipe))


def _is_tied(recipe: dict[str, Any]) -> bool:
    """True where many rows may be equally far: which of them a neighbours' model then takes is arbitrary."""
    return "KNN" in recipe["model"][1] and (recipe["scaler"] == "bins" or recipe["reducer"] == "best")


def drawn(n: int) -> list[dict[str, Any]]:
    """Return ``n`` recipes, the same each time."""
    from hypothesis import HealthCheck, Phase, given, settings

    found: list[dict[str, Any]] = []

    @settings(
        max_examples=n,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(recipes())
    def draw(recipe: dict[str, Any]) -> None:
        found.append(recipe)

    draw()
    return found


def case_of(recipe: dict[str, Any]) -> Case:
    """Return the case of a recipe."""
    task, model = recipe["model"]
    told = [recipe[part] for part in ("rows", "imputer", "scaler", "encoder", "reducer")]
    budget = SLOW if model in _SLOW else 30
    return Case(" / ".join([*told, task, model]), lambda: _made(recipe), task, recipe["rows"], budget)


def _made(recipe: dict[str, Any]) -> Any:
    numbers = make_pipeline(IMPUTERS[recipe["imputer"]](), SCALERS[recipe["scaler"]]())
    model = {**CLASSIFIERS, **REGRESSORS}[recipe["model"][1]]()
    reducer = REDUCERS[recipe["reducer"]]()
    if recipe["rows"] != "table":
        return make_pipeline(numbers, reducer, model)
    steps = [("numbers", numbers, NUMBERS), ("texts", ENCODERS[recipe["encoder"]](), TEXTS)]
    return make_pipeline(ColumnTransformer(steps, sparse_threshold=0.0), reducer, model)
