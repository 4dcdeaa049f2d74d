"""The fixed list of `onnx_faithful.py`, first part: the 45 pipelines of the first comparison, and how one is told.

A case is dropped for no reason but that its library lacks the class: what cannot be converted counts as refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor, LocalOutlierFactor
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, RobustScaler, StandardScaler
from sklearn.svm import SVC, OneClassSVM
from sklearn.tree import DecisionTreeClassifier
from xgboost import XGBClassifier, XGBRegressor

NUMBERS = ["since", "coarse", "income", "a", "b", "c"]
TEXTS = ["city", "plan", "shop"]
FAST, SLOW = 30, 80
"""Microseconds that one row may take; neighbours, support vectors and calibrated ensembles are the slow ones."""


@dataclass(frozen=True)
class Case:
    """A pipeline by name: how to make it, the task that its target comes from, and the kind of rows it takes.

    ``fit`` is called with the model, rows and target where ``model.fit`` does not do; ``since`` is the first
    scikit-learn that has all of it.
    """

    name: str
    make: Callable[[], Any]
    task: str = "binary"
    rows: str = "table"
    budget_us: int = FAST
    since: tuple[int, int] = (1, 3)
    fit: Callable[[Any, Any, Any], Any] | None = None


def columns(numbers: Any = None, texts: Any = None, **settings: Any) -> ColumnTransformer:
    """Return the preparation that most tutorials write: numbers and texts by themselves, all else dropped."""
    numbers = numbers or make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    texts = texts or one_hot()
    return ColumnTransformer([("numbers", numbers, NUMBERS), ("texts", texts, TEXTS)], **settings)


def one_hot(**settings: Any) -> Any:
    """Return the imputer and encoder of text columns."""
    return make_pipeline(
        SimpleImputer(strategy="most_frequent"), OneHotEncoder(**{"handle_unknown": "ignore", **settings})
    )


def ordinal() -> Any:
    """Return the same with integers for the categories."""
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    return make_pipeline(SimpleImputer(strategy="most_frequent"), encoder)


def table(model: Any, numbers: Any = None, texts: Any = None, **settings: Any) -> Any:
    """Return a model behind the usual preparation."""
    return make_pipeline(columns(numbers, texts, **settings), model)


def mean(scaler: Any) -> Any:
    """Return the imputer of means and a scaler."""
    return make_pipeline(SimpleImputer(), scaler)


def xgb(**settings: Any) -> XGBClassifier:
    """Return 100 boosted trees of XGBoost."""
    return XGBClassifier(**{"n_estimators": 100, "max_depth": 4, "n_jobs": 1, **settings})


def lgbm(**settings: Any) -> LGBMClassifier:
    """Return 100 boosted trees of LightGBM, quietly."""
    return LGBMClassifier(**{"n_estimators": 100, "n_jobs": 1, "verbose": -1, **settings})


def forest(**settings: Any) -> RandomForestClassifier:
    """Return 100 trees."""
    return RandomForestClassifier(**{"n_estimators": 100, "random_state": 0, **settings})


def _stacking() -> Any:
    members = [
        ("forest", RandomForestClassifier(n_estimators=30, max_depth=6, random_state=0)),
        ("xgb", xgb(n_estimators=30)),
        ("logistic", LogisticRegression(max_iter=1000)),
    ]
    return StackingClassifier(members, final_estimator=LogisticRegression(), cv=3)


def _calibrated(model: Any, method: str) -> Any:
    return CalibratedClassifierCV(model, method=method, cv=3)


def _knn(**settings: Any) -> Any:
    return KNeighborsClassifier(**{"n_neighbors": 7, **settings})


def _small(model: Any) -> Any:
    """Return a model behind few leading directions."""
    return table(make_pipeline(PCA(5, random_state=0), model))


FACTS = [
    Case("LogisticRegression", lambda: table(LogisticRegression(max_iter=1000))),
    Case("LogisticRegression 3cl", lambda: table(LogisticRegression(max_iter=1000), mean(RobustScaler())), "classes"),
    Case("LinearRegression", lambda: table(LinearRegression(), mean(StandardScaler())), "value"),
    Case("Ridge", lambda: table(Ridge(), mean(MinMaxScaler())), "value"),
    Case("SVC", lambda: table(SVC()), budget_us=SLOW),
    Case("SVC 3cl", lambda: table(SVC(C=2.0)), "classes", budget_us=SLOW),
    Case("DecisionTree", lambda: table(DecisionTreeClassifier(max_depth=8, random_state=0))),
    Case("RandomForest", lambda: table(forest(), texts=ordinal())),
    Case("RandomForest leaf5", lambda: table(forest(min_samples_leaf=5))),
    Case("RandomForest 3cl", lambda: table(forest(), mean(RobustScaler())), "classes"),
    Case("RandomForestRegressor", lambda: table(RandomForestRegressor(100, random_state=0), texts=ordinal()), "value"),
    Case("ExtraTrees", lambda: table(ExtraTreesClassifier(100, random_state=0), mean(MinMaxScaler()))),
    Case("GradientBoosting", lambda: table(GradientBoostingClassifier(random_state=0))),
    Case("GradientBoosting 3cl", lambda: table(GradientBoostingClassifier(n_estimators=50, random_state=0)), "classes"),
    Case("GradientBoostingRegressor", lambda: table(GradientBoostingRegressor(random_state=0)), "value"),
    Case("HistGradientBoosting", lambda: table(HistGradientBoostingClassifier(random_state=0), texts=ordinal())),
    Case("HistGB 3cl", lambda: table(HistGradientBoostingClassifier(max_iter=40, random_state=0)), "classes"),
    Case("HistGBRegressor", lambda: table(HistGradientBoostingRegressor(random_state=0)), "value"),
    Case("XGB hist", lambda: table(xgb())),
    Case("XGB hist ordinal", lambda: table(xgb(), texts=ordinal())),
    Case("XGB exact", lambda: table(xgb(tree_method="exact"), mean(RobustScaler()))),
    Case("XGB sparse input", lambda: table(xgb(), sparse_threshold=1.0)),
    Case("XGB 3cl", lambda: table(xgb(n_estimators=60)), "classes"),
    Case("XGBRegressor", lambda: table(XGBRegressor(n_estimators=100, max_depth=5, n_jobs=1)), "value"),
    Case("LightGBM", lambda: table(lgbm())),
    Case("LightGBM 3cl", lambda: table(lgbm(n_estimators=40)), "classes"),
    Case("LGBMRegressor", lambda: table(LGBMRegressor(n_jobs=1, verbose=-1), texts=ordinal()), "value"),
    Case("MLP", lambda: table(MLPClassifier((32, 16), max_iter=60, random_state=0))),
    Case("MLP 3cl", lambda: table(MLPClassifier((16,), activation="tanh", max_iter=60, random_state=0)), "classes"),
    Case("KNN", lambda: table(_knn()), budget_us=SLOW),
    Case("KNN distance", lambda: table(_knn(weights="distance"), texts=ordinal()), budget_us=SLOW),
    Case("KNNRegressor", lambda: table(KNeighborsRegressor(5), mean(MinMaxScaler())), "value", budget_us=SLOW),
    Case("Stacking", lambda: table(_stacking())),
    Case("Calibrated SVC sigmoid", lambda: table(_calibrated(SVC(), "sigmoid")), budget_us=SLOW),
    Case("Calibrated RF isotonic", lambda: table(_calibrated(forest(max_depth=6), "isotonic")), budget_us=SLOW),
    Case(
        "Calibrated GB 3cl",
        lambda: table(_calibrated(GradientBoostingClassifier(n_estimators=20, random_state=0), "sigmoid")),
        "classes",
        budget_us=SLOW,
    ),
    Case("PCA+LR", lambda: _small(LogisticRegression())),
    Case("PCA+RF", lambda: _small(forest())),
    Case("SVD+XGB hist", lambda: table(make_pipeline(TruncatedSVD(6, random_state=0), xgb()))),
    Case("PCA+HistGB", lambda: _small(HistGradientBoostingClassifier(max_iter=50, random_state=0))),
    Case("PCA+LightGBM", lambda: _small(lgbm(n_estimators=50))),
    Case("IsolationForest", lambda: table(IsolationForest(random_state=0)), "none"),
    Case("IsolationForest cont.05", lambda: table(IsolationForest(contamination=0.05, random_state=0)), "none"),
    Case("OneClassSVM", lambda: table(OneClassSVM(nu=0.1)), "none", budget_us=SLOW),
    Case("LOF novelty", lambda: table(LocalOutlierFactor(novelty=True)), "none", budget_us=SLOW),
]
