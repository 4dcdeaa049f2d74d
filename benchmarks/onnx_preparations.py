"""The fixed list of `onnx_faithful.py`, second part: preparation, selection, text, dates and wrappers as people use."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor, make_column_selector, make_column_transformer
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.experimental import enable_iterative_imputer  # noqa: F401  # until it is none, scikit-learn wants it
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.feature_selection import RFE, SelectFromModel, SelectKBest, SelectPercentile, VarianceThreshold, f_classif
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import (
    ElasticNet,
    LassoCV,
    LinearRegression,
    LogisticRegression,
    Ridge,
    RidgeCV,
    SGDClassifier,
)
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.naive_bayes import MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline, make_union
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)
from sklearn.svm import SVC, LinearSVC

from onnx_pipelines import NUMBERS, SLOW, TEXTS, Case, columns, forest, lgbm, mean, one_hot, ordinal, table

LR = LogisticRegression


def date_parts(dates: Any) -> Any:
    """Return hour, weekday and month of dates: user code, as most notebooks have it."""
    when = dates.iloc[:, 0].dt
    return np.column_stack([when.hour, when.dayofweek, when.month]).astype(np.float64)


def _titanic(model: Any) -> Any:
    numbers = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    texts = make_pipeline(
        SimpleImputer(strategy="constant", fill_value="missing"),
        OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=60),
    )
    return table(model, numbers, texts)


def _skewed(model: Any) -> Any:
    """Return a model behind logarithms of what is lognormal, everything else scaled (house prices)."""
    logs = make_pipeline(FunctionTransformer(np.log1p, feature_names_out="one-to-one"), StandardScaler())
    rest = [name for name in NUMBERS if name != "income"]
    steps = [("logs", logs, ["income"]), ("numbers", mean(StandardScaler()), rest), ("texts", one_hot(), TEXTS)]
    return make_pipeline(ColumnTransformer(steps), model)


def _native(model: Any) -> Any:
    """Return a histogram model that is told which of its columns are categories."""
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=np.nan)
    return make_pipeline(make_column_transformer((encoder, TEXTS), remainder="drop"), model)


def _mixed_native() -> Any:
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    prepare = ColumnTransformer([("texts", encoder, TEXTS), ("numbers", "passthrough", NUMBERS)])
    return make_pipeline(prepare, HistGradientBoostingClassifier(categorical_features=[0, 1, 2], random_state=0))


def _bins(encode: str) -> KBinsDiscretizer:
    return KBinsDiscretizer(n_bins=5, encode=encode, strategy="uniform")


def _pandas_out() -> Any:
    prepare = columns(texts=one_hot(sparse_output=False)).set_output(transform="pandas")
    return make_pipeline(prepare, GradientBoostingClassifier(n_estimators=50, random_state=0))


def _selected() -> Any:
    """Return a pipeline whose columns are chosen by their dtype."""
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    prepare = ColumnTransformer(
        [
            ("numbers", numbers, make_column_selector(dtype_include=np.float64)),
            ("texts", one_hot(), make_column_selector(dtype_include=object)),
        ],
        remainder="drop",
    )
    return make_pipeline(prepare, LR(max_iter=1000))


def _whole_numbers() -> Any:
    steps = [("rooms", OneHotEncoder(handle_unknown="ignore"), ["rooms"]), ("flags", "passthrough", ["is_new"])]
    return make_pipeline(ColumnTransformer([*steps, ("numbers", mean(StandardScaler()), NUMBERS)]), LR(max_iter=1000))


def _dates() -> Any:
    steps = [("when", FunctionTransformer(date_parts), ["when"]), ("numbers", mean(StandardScaler()), NUMBERS)]
    return make_pipeline(ColumnTransformer(steps), forest(n_estimators=50))


def _nested() -> Any:
    binned = make_pipeline(SimpleImputer(strategy="median"), KBinsDiscretizer(4, encode="onehot-dense"))
    scaled = Pipeline([("impute", SimpleImputer()), ("scale", Pipeline([("s", StandardScaler()), ("p", PCA(3))]))])
    both = FeatureUnion([("binned", binned), ("scaled", scaled)], transformer_weights={"scaled": 2.0})
    return table(LR(max_iter=1000), numbers=both)


def _text(vectorizer: Any, model: Any) -> Any:
    return make_pipeline(ColumnTransformer([("text", vectorizer, "text")]), model)


def _text_and_price() -> Any:
    steps = [("text", TfidfVectorizer(min_df=5), "text"), ("price", StandardScaler(), ["price"])]
    return make_pipeline(ColumnTransformer(steps), LR())


def _searched() -> Any:
    grid = {"logisticregression__C": [0.1, 1.0]}
    return GridSearchCV(table(LR(max_iter=1000)), grid, cv=3)


def _random_search() -> Any:
    told = {"max_depth": [4, 8], "min_samples_leaf": [1, 5]}
    search = RandomizedSearchCV(RandomForestClassifier(30, random_state=0), told, n_iter=3, cv=2, random_state=0)
    return table(search)


def _logged(model: Any) -> Any:
    return TransformedTargetRegressor(model, func=np.log1p, inverse_func=np.expm1)


PREPARATIONS = [
    Case("titanic logistic: indicators, rare categories", lambda: _titanic(LR(max_iter=1000))),
    Case("titanic forest: constant fill", lambda: _titanic(forest(max_depth=7)), "words"),
    Case("house prices ridge: log columns, log target", lambda: _logged(_skewed(Ridge())), "positive"),
    Case("house prices LassoCV", lambda: table(LassoCV(cv=3), mean(RobustScaler())), "value"),
    Case(
        "ElasticNet on squares and products",
        lambda: table(ElasticNet(alpha=0.1), make_pipeline(SimpleImputer(), StandardScaler(), PolynomialFeatures(2))),
        "value",
    ),
    Case(
        "polynomials without bias, interactions only",
        lambda: make_pipeline(
            SimpleImputer(),
            PolynomialFeatures(3, interaction_only=True, include_bias=False),
            StandardScaler(),
            RidgeCV(),
        ),
        "value",
        "frame",
    ),
    Case("Yeo-Johnson", lambda: table(LR(max_iter=1000), mean(PowerTransformer()))),
    Case("Box-Cox", lambda: make_pipeline(PowerTransformer(method="box-cox"), Ridge()), "value", "positive"),
    Case(
        "quantiles to normal",
        lambda: table(LR(), mean(QuantileTransformer(n_quantiles=100, output_distribution="normal"))),
    ),
    Case(
        "quantiles + KNN",
        lambda: table(KNeighborsClassifier(), mean(QuantileTransformer(n_quantiles=50))),
        budget_us=SLOW,
    ),
    Case("bins one-hot", lambda: table(LR(max_iter=1000), make_pipeline(SimpleImputer(), _bins("onehot")))),
    Case("bins ordinal + forest", lambda: table(forest(), make_pipeline(SimpleImputer(), _bins("ordinal")), ordinal())),
    Case("nested bins, scales and directions", _nested),
    Case("splines", lambda: table(Ridge(), make_pipeline(SimpleImputer(), SplineTransformer(5))), "value"),
    Case("target encoder + boosting", lambda: table(GradientBoostingClassifier(random_state=0), texts=TargetEncoder())),
    Case(
        "target encoder + ridge",
        lambda: table(Ridge(), texts=make_pipeline(TargetEncoder(smooth=10.0), StandardScaler())),
        "value",
    ),
    Case("target encoder 3cl", lambda: table(lgbm(n_estimators=30), texts=TargetEncoder()), "classes", since=(1, 4)),
    Case("ordinal encoder keeps missing", lambda: _native(HistGradientBoostingClassifier(random_state=0))),
    Case(
        "histogram boosting, categories by mask",
        lambda: _native(HistGradientBoostingRegressor(categorical_features=[True] * 3, random_state=0)),
        "value",
    ),
    Case("histogram boosting, categories by place", _mixed_native),
    Case("SelectKBest", lambda: make_pipeline(columns(), SelectKBest(f_classif, k=8), LR(max_iter=1000))),
    Case(
        "SelectPercentile of passthrough",
        lambda: make_pipeline(SimpleImputer(), SelectPercentile(percentile=50), forest(n_estimators=50)),
        rows="holes",
    ),
    Case(
        "SelectFromModel",
        lambda: make_pipeline(columns(), SelectFromModel(ExtraTreesClassifier(30, random_state=0)), LR(max_iter=1000)),
    ),
    Case(
        "RFE + SVC", lambda: make_pipeline(columns(), RFE(LR(max_iter=500), step=4), SVC(kernel="linear")), budget_us=80
    ),
    Case(
        "VarianceThreshold + LDA",
        lambda: make_pipeline(columns(sparse_threshold=0.0), VarianceThreshold(0.01), LinearDiscriminantAnalysis()),
    ),
    Case("whitened directions + SVC", lambda: table(make_pipeline(PCA(6, whiten=True), SVC())), budget_us=SLOW),
    Case(
        "95 % of variance + KNN",
        lambda: make_pipeline(StandardScaler(), PCA(0.95), KNeighborsClassifier(3)),
        rows="matrix",
        budget_us=SLOW,
    ),
    Case(
        "SVD of one-hot",
        lambda: make_pipeline(
            make_column_transformer((OneHotEncoder(handle_unknown="ignore"), TEXTS)),
            TruncatedSVD(5, random_state=0),
            LR(),
        ),
    ),
    Case("Nystroem + LinearSVC", lambda: table(make_pipeline(Nystroem(n_components=60, random_state=0), LinearSVC()))),
    Case(
        "Normalizer + KNN",
        lambda: make_pipeline(StandardScaler(), Normalizer(), KNeighborsClassifier()),
        rows="matrix",
        budget_us=80,
    ),
    Case("MaxAbsScaler + SGD", lambda: table(SGDClassifier(loss="log_loss", random_state=0), mean(MaxAbsScaler()))),
    Case(
        "union of directions and best columns",
        lambda: make_pipeline(StandardScaler(), make_union(PCA(2), SelectKBest(k=2)), SVC(kernel="linear")),
        rows="matrix",
        budget_us=SLOW,
    ),
    Case("clipped scales, flags", lambda: table(LR(), make_pipeline(SimpleImputer(), MinMaxScaler(clip=True)))),
    Case("Binarizer", lambda: table(LR(), make_pipeline(SimpleImputer(), StandardScaler(), Binarizer(threshold=0.2)))),
    Case("KNNImputer", lambda: table(LR(max_iter=1000), make_pipeline(StandardScaler(), KNNImputer())), budget_us=SLOW),
    Case("IterativeImputer", lambda: table(LR(max_iter=1000), make_pipeline(IterativeImputer(), StandardScaler()))),
    Case("columns by dtype", _selected, rows="table"),
    Case("whole numbers as categories, flags passed", _whole_numbers),
    Case("dates by own function", _dates),
    Case("pandas between the steps", _pandas_out),
    Case("dropped first categories", lambda: table(LinearRegression(), texts=one_hot(drop="first")), "value"),
    Case("at most 5 categories", lambda: table(LR(max_iter=1000), texts=one_hot(max_categories=5))),
    Case(
        "square roots",
        lambda: make_pipeline(FunctionTransformer(np.abs), FunctionTransformer(np.sqrt), Ridge()),
        "value",
        "matrix",
    ),
    Case("multi-output forest", lambda: table(RandomForestRegressor(30, random_state=0)), "several"),
    Case("grid search", _searched),
    Case("random search inside", _random_search),
    Case(
        "grid search of histogram boosting",
        lambda: GridSearchCV(
            table(HistGradientBoostingClassifier(max_iter=30)),
            {"histgradientboostingclassifier__max_leaf_nodes": [7, 31]},
            cv=2,
        ),
        "words",
    ),
    Case("TF-IDF + logistic", lambda: _text(TfidfVectorizer(), LR()), rows="reviews"),
    Case(
        "TF-IDF pairs + LinearSVC",
        lambda: _text(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LinearSVC()),
        rows="reviews",
    ),
    Case(
        "word counts + naive Bayes",
        lambda: _text(CountVectorizer(stop_words="english"), MultinomialNB()),
        "words",
        "reviews",
    ),
    Case(
        "characters + logistic",
        lambda: _text(TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), max_features=2000), LR()),
        "classes",
        "reviews",
    ),
    Case(
        "latent semantics",
        lambda: _text(TfidfVectorizer(min_df=2), make_pipeline(TruncatedSVD(10, random_state=0), LR())),
        rows="reviews",
    ),
    Case(
        "hashed words + SGD",
        lambda: _text(HashingVectorizer(n_features=2**12), SGDClassifier(random_state=0)),
        rows="reviews",
    ),
    Case("text and a number", _text_and_price, rows="reviews"),
    Case("TF-IDF + boosting", lambda: _text(TfidfVectorizer(max_features=100), lgbm(n_estimators=30)), rows="reviews"),
]
