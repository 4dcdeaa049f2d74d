"""The fixed list of `onnx_faithful.py`, third part: models of all libraries as people use them, real data too."""

from __future__ import annotations

from typing import Any

from lightgbm import LGBMClassifier, LGBMRegressor, early_stopping
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.compose import ColumnTransformer
from sklearn.covariance import EllipticEnvelope
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    BayesianRidge,
    GammaRegressor,
    HuberRegressor,
    LogisticRegression,
    LogisticRegressionCV,
    Perceptron,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
    TweedieRegressor,
)
from sklearn.mixture import GaussianMixture
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor
from sklearn.naive_bayes import BernoulliNB, ComplementNB, GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor, LocalOutlierFactor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR, LinearSVC, LinearSVR, NuSVC, OneClassSVM
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from xgboost import XGBClassifier, XGBRegressor, XGBRFClassifier

from onnx_pipelines import NUMBERS, SLOW, TEXTS, Case, forest, lgbm, mean, one_hot, ordinal, table, xgb

LR = LogisticRegression
BANK_NUMBERS = ["age", "campaign", "pdays", "previous", "euribor3m", "cons_price_idx"]
BANK_TEXTS = ["job", "marital", "education", "default", "housing", "contact", "month", "poutcome"]


def _members() -> list[tuple[str, Any]]:
    return [
        ("forest", RandomForestClassifier(30, max_depth=6, random_state=0)),
        ("neighbours", KNeighborsClassifier(9)),
        ("logistic", LR(max_iter=1000)),
    ]


def _regressors() -> list[tuple[str, Any]]:
    return [
        ("ridge", Ridge()),
        ("forest", RandomForestRegressor(30, random_state=0)),
        ("tree", DecisionTreeRegressor(max_depth=5)),
    ]


def _stopped_lgbm(model: Any, X: Any, y: Any) -> Any:
    half = len(X) // 2
    return model.fit(X[:half], y[:half], eval_set=[(X[half:], y[half:])], callbacks=[early_stopping(5, verbose=False)])


def _stopped_xgb(model: Any, X: Any, y: Any) -> Any:
    half = len(X) // 2
    return model.fit(X[:half], y[:half], eval_set=[(X[half:], y[half:])], verbose=False)


def _scaled(model: Any) -> Any:
    return make_pipeline(StandardScaler(), model)


def _bank(model: Any, **settings: Any) -> Any:
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    steps = [("numbers", numbers, BANK_NUMBERS), ("texts", one_hot(), BANK_TEXTS)]
    return make_pipeline(ColumnTransformer(steps, **settings), model)


def _bank_ordinal(model: Any) -> Any:
    return make_pipeline(ColumnTransformer([("texts", ordinal(), BANK_TEXTS)], remainder="drop"), model)


def _no_dates(model: Any) -> Any:
    """Return a model that takes numbers and pandas categories as they are."""
    return make_pipeline(
        ColumnTransformer([("keep", "passthrough", [*NUMBERS, *TEXTS])]).set_output(transform="pandas"), model
    )


ESTIMATORS = [
    Case("LinearSVC", lambda: table(LinearSVC())),
    Case("LinearSVC 3cl", lambda: table(LinearSVC()), "classes"),
    Case("SVC polynomial", lambda: table(SVC(kernel="poly", degree=2)), budget_us=SLOW),
    Case("SVC with probabilities", lambda: table(SVC(probability=True, random_state=0)), budget_us=SLOW),
    Case("NuSVC", lambda: table(NuSVC(nu=0.3)), "words", budget_us=SLOW),
    Case("SVR", lambda: table(SVR(C=100.0)), "value", budget_us=SLOW),
    Case("LinearSVR", lambda: table(LinearSVR(max_iter=2000, random_state=0)), "value"),
    Case("SGD hinge 3cl", lambda: table(SGDClassifier(random_state=0)), "classes"),
    Case("Perceptron", lambda: table(Perceptron())),
    Case("RidgeClassifier 3cl", lambda: table(RidgeClassifier()), "classes"),
    Case("LogisticRegressionCV words", lambda: table(LogisticRegressionCV(Cs=3, cv=3, max_iter=500)), "words"),
    Case("liblinear logistic, balanced", lambda: table(LR(solver="liblinear", class_weight="balanced"))),
    Case("Poisson", lambda: table(PoissonRegressor()), "counts"),
    Case("Gamma", lambda: table(GammaRegressor(alpha=0.1)), "positive"),
    Case("Tweedie", lambda: table(TweedieRegressor(power=1.5, link="log")), "counts"),
    Case("BayesianRidge", lambda: table(BayesianRidge()), "value"),
    Case("Huber", lambda: table(HuberRegressor(max_iter=1000)), "value"),
    Case("decision tree regressor", lambda: table(DecisionTreeRegressor(max_depth=8)), "value"),
    Case(
        "entropy tree 3cl words",
        lambda: table(DecisionTreeClassifier(criterion="entropy", min_samples_leaf=3)),
        "classes",
    ),
    Case("ExtraTreesRegressor", lambda: table(ExtraTreesRegressor(50, random_state=0)), "value"),
    Case("balanced forest", lambda: table(forest(class_weight="balanced", max_depth=10)), "words"),
    Case("forest of missing values", lambda: forest(n_estimators=50), rows="holes", since=(1, 4)),
    Case("quantile boosting", lambda: table(GradientBoostingRegressor(loss="quantile", alpha=0.9)), "value"),
    Case(
        "Huber boosting", lambda: table(GradientBoostingRegressor(loss="huber", subsample=0.8, random_state=0)), "value"
    ),
    Case(
        "histogram boosting of missing values",
        lambda: HistGradientBoostingClassifier(early_stopping=True, random_state=0),
        rows="holes",
    ),
    Case(
        "histogram boosting, monotonic, DataFrame",
        lambda: HistGradientBoostingRegressor(monotonic_cst=[0, 1, 1, 0, 0, 0], random_state=0),
        "value",
        "frame",
    ),
    Case(
        "histogram boosting, Poisson",
        lambda: HistGradientBoostingRegressor(loss="poisson", max_iter=50, random_state=0),
        "counts",
        "frame",
    ),
    Case(
        "histogram boosting, pandas categories",
        lambda: HistGradientBoostingClassifier(categorical_features="from_dtype", random_state=0),
        rows="categories",
        since=(1, 4),
    ),
    Case("AdaBoost stumps", lambda: table(AdaBoostClassifier(n_estimators=50, random_state=0))),
    Case(
        "AdaBoost 3cl",
        lambda: table(AdaBoostClassifier(DecisionTreeClassifier(max_depth=2), random_state=0)),
        "classes",
    ),
    Case("AdaBoostRegressor", lambda: table(AdaBoostRegressor(random_state=0)), "value"),
    Case("bagged trees", lambda: table(BaggingClassifier(n_estimators=30, random_state=0))),
    Case(
        "bagged neighbours",
        lambda: table(BaggingClassifier(KNeighborsClassifier(), 10, max_samples=0.5, max_features=0.5)),
        budget_us=SLOW,
    ),
    Case("soft votes", lambda: table(VotingClassifier(_members(), voting="soft", weights=[2, 1, 1])), budget_us=SLOW),
    Case("hard votes 3cl", lambda: table(VotingClassifier(_members())), "classes", budget_us=SLOW),
    Case("voting regressor", lambda: table(VotingRegressor(_regressors())), "value"),
    Case(
        "stacking 3cl",
        lambda: table(StackingClassifier(_members(), LR(max_iter=1000), cv=3)),
        "classes",
        budget_us=SLOW,
    ),
    Case(
        "stacking regressor", lambda: table(StackingRegressor(_regressors(), Ridge(), cv=3, passthrough=True)), "value"
    ),
    Case("calibrated LinearSVC", lambda: table(CalibratedClassifierCV(LinearSVC())), budget_us=SLOW),
    Case(
        "calibrated forest 3cl",
        lambda: table(CalibratedClassifierCV(RandomForestClassifier(20, random_state=0), method="isotonic", cv=3)),
        "classes",
        budget_us=SLOW,
    ),
    Case(
        "calibrated naive Bayes",
        lambda: table(CalibratedClassifierCV(GaussianNB(), method="isotonic", ensemble=False), sparse_threshold=0.0),
        budget_us=SLOW,
    ),
    Case(
        "multi-output boosting",
        lambda: table(MultiOutputRegressor(GradientBoostingRegressor(n_estimators=30, random_state=0))),
        "several",
    ),
    Case("multi-output ridge", lambda: table(Ridge()), "several"),
    Case("multi-label logistic", lambda: table(MultiOutputClassifier(LR(max_iter=1000))), "labels"),
    Case("one against the rest, LinearSVC", lambda: table(OneVsRestClassifier(LinearSVC())), "classes"),
    Case("one against the rest, logistic", lambda: table(OneVsRestClassifier(LR(max_iter=1000))), "classes"),
    Case("GaussianNB", lambda: table(GaussianNB(), sparse_threshold=0.0)),
    Case("BernoulliNB", lambda: table(BernoulliNB()), "classes"),
    Case("ComplementNB", ComplementNB, "classes", "counts"),
    Case("LDA 3cl", lambda: table(LinearDiscriminantAnalysis(), sparse_threshold=0.0), "classes"),
    Case("QDA", lambda: _scaled(QuadraticDiscriminantAnalysis()), "classes", "matrix"),
    Case(
        "KNN Manhattan 3cl",
        lambda: _scaled(KNeighborsClassifier(9, p=1, weights="distance")),
        "classes",
        "matrix",
        SLOW,
    ),
    Case("KNN on whole numbers", lambda: KNeighborsRegressor(5, weights="distance"), "value", "counts", SLOW),
    Case("MLPRegressor", lambda: table(MLPRegressor(hidden_layer_sizes=(32,), max_iter=100, random_state=0)), "value"),
    Case(
        "MLP logistic, early stopping",
        lambda: table(MLPClassifier((20,), activation="logistic", early_stopping=True, max_iter=80, random_state=0)),
    ),
    Case("KMeans", lambda: _scaled(KMeans(5, n_init=3, random_state=0)), "none", "matrix"),
    Case("MiniBatchKMeans of a table", lambda: table(MiniBatchKMeans(4, n_init=3, random_state=0)), "none"),
    Case("GaussianMixture", lambda: _scaled(GaussianMixture(3, random_state=0)), "none", "matrix"),
    Case(
        "LOF of a matrix",
        lambda: _scaled(LocalOutlierFactor(10, novelty=True, contamination=0.05)),
        "none",
        "matrix",
        SLOW,
    ),
    Case("OneClassSVM of a matrix", lambda: _scaled(OneClassSVM(gamma="auto", nu=0.05)), "none", "matrix", SLOW),
    Case(
        "IsolationForest, half of the columns",
        lambda: IsolationForest(n_estimators=50, max_features=0.5, random_state=0),
        "none",
        "matrix",
    ),
    Case("EllipticEnvelope", lambda: _scaled(EllipticEnvelope(random_state=0)), "none", "matrix"),
    Case("LightGBM pandas categories", lambda: lgbm(n_estimators=60), rows="categories"),
    Case("LightGBM categories in a pipeline", lambda: _no_dates(lgbm(n_estimators=40)), "classes", "categories"),
    Case("LightGBM early stopping, missing values", lambda: lgbm(n_estimators=300), rows="frame", fit=_stopped_lgbm),
    Case("LightGBM goss", lambda: table(lgbm(boosting_type="goss"))),
    Case("LightGBM forest", lambda: table(lgbm(boosting_type="rf", bagging_freq=1, bagging_fraction=0.7))),
    Case("LightGBM Tweedie", lambda: table(LGBMRegressor(objective="tweedie", verbose=-1, n_jobs=1)), "counts"),
    Case(
        "LightGBM words, balanced",
        lambda: table(LGBMClassifier(class_weight="balanced", verbose=-1, n_jobs=1)),
        "words",
    ),
    Case("XGB missing values", lambda: xgb(n_estimators=80), rows="frame"),
    Case("XGB early stopping", lambda: xgb(n_estimators=300, early_stopping_rounds=5), rows="matrix", fit=_stopped_xgb),
    Case("XGB pandas categories", lambda: xgb(enable_categorical=True), rows="categories"),
    Case("XGB dart", lambda: table(xgb(n_estimators=30, booster="dart", rate_drop=0.1))),
    Case("XGB linear", lambda: table(XGBRegressor(booster="gblinear", n_estimators=30)), "value"),
    Case("XGB forest", lambda: table(XGBRFClassifier(n_estimators=50, max_depth=6))),
    Case("XGB counts", lambda: table(XGBRegressor(objective="count:poisson", n_estimators=60)), "counts"),
    Case("XGB several outputs", lambda: table(XGBRegressor(n_estimators=30, max_depth=3)), "several"),
    Case(
        "XGB sampled columns, base score",
        lambda: XGBClassifier(n_estimators=50, subsample=0.8, colsample_bytree=0.5, base_score=0.3),
        rows="matrix",
    ),
    Case("float32 logistic", lambda: _scaled(LR()), rows="matrix32"),
    Case("float32 forest", lambda: forest(max_depth=10), rows="matrix32"),
    Case(
        "float32 histogram boosting",
        lambda: _scaled(HistGradientBoostingClassifier(max_iter=50, random_state=0)),
        rows="matrix32",
    ),
    Case("float32 columns, XGB", lambda: make_pipeline(mean(StandardScaler()), xgb()), rows="frame32"),
    Case("float32 columns, SVR", lambda: make_pipeline(mean(StandardScaler()), SVR(C=100.0)), "value", "frame32", SLOW),
    Case("bank logistic", lambda: _bank(LR(max_iter=1000)), rows="bank"),
    Case("bank forest", lambda: _bank(forest(min_samples_leaf=2)), "binary", "bank"),
    Case("bank LightGBM", lambda: _bank_ordinal(lgbm()), rows="bank"),
    Case("bank XGB", lambda: _bank(xgb()), rows="bank"),
    Case(
        "bank histogram boosting",
        lambda: _bank(HistGradientBoostingClassifier(max_iter=60, random_state=0), sparse_threshold=0.0),
        "words",
        "bank",
    ),
    Case(
        "bank calibrated boosting",
        lambda: _bank(
            CalibratedClassifierCV(HistGradientBoostingClassifier(max_iter=30, random_state=0), cv=3),
            sparse_threshold=0.0,
        ),
        rows="bank",
        budget_us=SLOW,
    ),
]
