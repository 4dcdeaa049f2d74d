"""Graphs of text pipelines answer as the fitted pipelines do, over texts that were never seen."""

from __future__ import annotations

import functools
import operator
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest, chi2, f_regression
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.naive_bayes import BernoulliNB, ComplementNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler, MinMaxScaler, OneHotEncoder, StandardScaler
from sklearn.svm import SVC, LinearSVC

from boucle.core.errors import InvalidRows
from boucle_worker.describe import Cannot
from faithful import Found, compared

QUESTIONS = Path(__file__).parents[4] / "shared/data/stackexchange-questions/devops-2017-02-to-2019-08.parquet"
TINY = 1e-12
WORDS = [
    "the",
    "docker",
    "Build",
    "fails",
    "in",
    "jenkins",
    "straße",
    "é",
    "e\u0301",
    "日本",
    "a",
    "x1",
    "<p>",
    "–",
    "3.14",
]
EDGES = [
    "",
    " ",
    "the",
    "\u200b \ufeff",
    "👩‍👩‍👧 🫠",
    "docker " * 3000,
    "y" * 50_000,
    "İstanbul ẞ ﬁ",
    "never seen words",
]


def rows(n: int, seed: int) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    texts = [" ".join(draw.choice(WORDS, size=draw.integers(0, 30))) for _row in range(n)]
    titles = [" ".join(draw.choice(WORDS, size=draw.integers(1, 5))) for _row in range(n)]
    return pd.DataFrame(
        {
            "text": pd.Series(texts, dtype=object),
            "title": pd.Series(titles, dtype=object),
            "score": draw.normal(size=n),
            "kind": pd.Series(draw.choice(["bug", "idea"], n), dtype=object),
        }
    )


TRAINED, UNSEEN = rows(300, 0), rows(200, 1)
EDGED = UNSEEN.iloc[: len(EDGES)].assign(text=EDGES)
LABELS = np.array([len(t) % 3 for t in TRAINED["text"]])
VALUES = np.array([np.sin(len(t)) for t in TRAINED["text"]])


def on_text(*steps: Any, model: Any = None, column: Any = "text") -> Any:
    vectorizer = steps[0] if len(steps) == 1 else make_pipeline(*steps)
    return make_pipeline(
        ColumnTransformer([("words", vectorizer, column)]), LogisticRegression(max_iter=500) if model is None else model
    )


def found(model: Any, target: Any = LABELS) -> Found:
    return compared(model.fit(TRAINED, target), TRAINED, UNSEEN, EDGED)


VECTORIZERS: dict[str, Any] = {
    "counts": CountVectorizer(),
    "pairs": CountVectorizer(ngram_range=(1, 2), min_df=2, stop_words="english"),
    "tf-idf": TfidfVectorizer(),
    "sublinear": TfidfVectorizer(sublinear_tf=True, smooth_idf=False),
    "no idf": TfidfVectorizer(use_idf=False, norm="l1"),
    "no norm": TfidfVectorizer(norm=None, binary=True),
    "characters": TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), max_features=300),
    "own vocabulary": CountVectorizer(vocabulary=["docker", "the", "never"]),
    "counts, then tf-idf": make_pipeline(CountVectorizer(), TfidfTransformer(sublinear_tf=True)),
    "hashes": HashingVectorizer(n_features=2**18),
    "few hashes": HashingVectorizer(n_features=50, norm="l1"),
    "hashes, then tf-idf": make_pipeline(
        HashingVectorizer(n_features=60, norm=None, alternate_sign=False), TfidfTransformer()
    ),
    "union": make_union(TfidfVectorizer(), CountVectorizer(analyzer="char", ngram_range=(1, 2))),
    "weighted union": FeatureUnion(
        [("a", TfidfVectorizer()), ("b", CountVectorizer(analyzer="char"))], transformer_weights={"a": 0.7, "b": 0.1}
    ),
    "union, then tf-idf": make_pipeline(
        make_union(CountVectorizer(), CountVectorizer(analyzer="char")), TfidfTransformer()
    ),
}
MODELS: dict[str, Any] = {
    "logistic": LogisticRegression(max_iter=500),
    "svm": LinearSVC(),
    "sgd": SGDClassifier(loss="log_loss", random_state=0),
    "multinomial": MultinomialNB(),
    "complement": ComplementNB(),
    "bernoulli": BernoulliNB(),
    "kernel": SVC(),
    "forest": RandomForestClassifier(10, random_state=0),
    "neighbours": KNeighborsClassifier(weights="distance", algorithm="brute"),
}


@pytest.mark.parametrize("vectorizer", VECTORIZERS.values(), ids=VECTORIZERS)
def test_each_vectorizer_before_a_linear_model_answers_as_fitted(vectorizer: Any) -> None:
    same = found(on_text(vectorizer))
    assert same.labels == 0
    assert 0 <= same.probabilities <= TINY


@pytest.mark.parametrize("name", [name for name in MODELS if name != "neighbours"])
def test_each_model_after_tf_idf_answers_as_fitted(name: str) -> None:
    same = found(on_text(TfidfVectorizer(), model=MODELS[name]))
    assert same.labels == 0
    assert max(same.probabilities, same.scores) <= TINY


@pytest.mark.parametrize(
    "steps",
    [
        (CountVectorizer(), SelectKBest(chi2, k=7)),
        (TfidfVectorizer(), TruncatedSVD(5, random_state=0)),
        (CountVectorizer(), MaxAbsScaler()),
        (CountVectorizer(), StandardScaler(with_mean=False)),
    ],
    ids=["selection", "svd", "largest", "scale"],
)
def test_each_step_after_a_vectorizer_answers_as_fitted(steps: tuple[Any, ...]) -> None:
    same = found(on_text(*steps))
    assert same.labels == 0
    assert same.probabilities <= TINY


@pytest.mark.parametrize(
    "model", [LogisticRegression(max_iter=500), RandomForestClassifier(10, random_state=0)], ids=str
)
def test_texts_beside_numbers_and_categories_answer_as_fitted(model: Any) -> None:
    beside = ColumnTransformer(
        [
            ("title", TfidfVectorizer(), "title"),
            ("score", StandardScaler(), ["score"]),
            ("kind", OneHotEncoder(handle_unknown="ignore"), ["kind"]),
            ("text", CountVectorizer(), "text"),
        ]
    )
    same = found(make_pipeline(beside, model))
    assert same.labels == 0
    assert same.probabilities <= TINY


def test_a_selection_of_texts_and_numbers_answers_as_fitted() -> None:
    beside = ColumnTransformer([("text", CountVectorizer(), "text"), ("score", MinMaxScaler(), ["score"])])
    same = found(make_pipeline(beside, SelectKBest(f_regression, k=9), Ridge()), VALUES)
    assert same.value <= TINY


def test_single_precision_is_that_of_the_vectorizer() -> None:
    same = found(on_text(TfidfVectorizer(dtype=np.float32, sublinear_tf=True)))
    assert same.labels == 0
    assert same.probabilities <= 1e-6


def test_a_linear_model_never_sees_the_dense_matrix() -> None:
    description = found(on_text(HashingVectorizer(n_features=2**20), model=SGDClassifier(random_state=0))).description
    assert "Expand" not in {node["op"] for node in description.nodes}


PICKS: dict[str, Any] = {
    "itemgetter": operator.itemgetter("text"),
    "lambda": lambda X: X["text"],
    "values": lambda table: table["text"].values,
}


@pytest.mark.parametrize("function", PICKS.values(), ids=PICKS)
def test_a_function_that_picks_the_column_is_known(function: Any) -> None:
    same = found(make_pipeline(FunctionTransformer(function), TfidfVectorizer(), LogisticRegression()))
    assert same.labels == 0
    assert same.probabilities <= TINY


@pytest.mark.parametrize(
    "model",
    [
        on_text(
            SimpleImputer(strategy="constant", fill_value="the docker"),
            FunctionTransformer(np.ravel),
            TfidfVectorizer(),
            column=["text"],
        ),
        make_pipeline(FunctionTransformer(lambda X: X["text"].fillna("")), TfidfVectorizer(), LogisticRegression()),
    ],
    ids=["imputer", "fillna"],
)
def test_missing_texts_become_what_an_earlier_step_fills_in(model: Any) -> None:
    holes = TRAINED.copy()
    holes.loc[::7, "text"] = np.nan
    same = compared(model.fit(holes, LABELS), holes, UNSEEN)
    assert same.labels == 0
    assert same.probabilities <= TINY


def test_missing_texts_are_refused_where_the_vectorizer_raises() -> None:
    model = on_text(TfidfVectorizer()).fit(TRAINED, LABELS)
    with pytest.raises(InvalidRows, match="Row 1, column 'text'"):
        compared(model, TRAINED, UNSEEN.iloc[:3].assign(text=pd.Series(["a", None, "b"], dtype=object)))


def test_a_matrix_and_a_polars_frame_are_fed_too() -> None:
    matrix = TRAINED[["text", "title"]].to_numpy(dtype=object)
    model = make_pipeline(ColumnTransformer([("text", TfidfVectorizer(), 0)]), LogisticRegression())
    assert compared(model.fit(matrix, LABELS), matrix).probabilities <= TINY
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"text": list(TRAINED["text"]), "score": list(TRAINED["score"])})
    model = on_text(TfidfVectorizer())
    assert compared(model.fit(frame, LABELS), frame).probabilities <= TINY


REFUSED: dict[str, tuple[Any, str]] = {
    "own tokenizer": (TfidfVectorizer(tokenizer=lambda text: text.split(), token_pattern=None), "tokenizer"),
    "own preprocessor": (TfidfVectorizer(preprocessor=lambda text: text[:9]), "preprocessor"),
    "own analyzer": (CountVectorizer(analyzer=list), "analyzer"),
    "own accents": (CountVectorizer(strip_accents=lambda text: text), "strip_accents"),
    "bytes of integers": (CountVectorizer(dtype=np.uint8), "uint8"),
    "own partial": (CountVectorizer(tokenizer=functools.partial(str.split, sep=","), token_pattern=None), "tokenizer"),
    "groups": (CountVectorizer(tokenizer=re.compile("(,)").split, token_pattern=None), "groups"),
}


@pytest.mark.parametrize(("vectorizer", "reason"), REFUSED.values(), ids=REFUSED)
def test_code_of_its_author_is_refused_with_the_reason(vectorizer: Any, reason: str) -> None:
    model = on_text(vectorizer).fit(TRAINED, LABELS)
    with pytest.raises(Cannot, match=reason):
        compared(model, TRAINED)


def test_a_forest_on_a_million_hashes_is_refused() -> None:
    model = on_text(HashingVectorizer(), model=KNeighborsClassifier()).fit(TRAINED, LABELS)
    with pytest.raises(Cannot, match="1,048,576 terms at once"):
        compared(model, TRAINED)


@pytest.mark.skipif(not QUESTIONS.exists(), reason="the questions of Stack Exchange are not here")
def test_real_questions_are_answered_as_fitted() -> None:
    questions = pd.read_parquet(QUESTIONS)
    X = pd.DataFrame({"text": questions["body_html"].astype(object), "title": questions["title"].astype(object)})
    y = np.array(["docker" in tags for tags in questions["tags"]])
    vectorizers = [
        ("text", TfidfVectorizer(max_features=5000), "text"),
        ("title", TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 4)), "title"),
    ]
    model = make_pipeline(ColumnTransformer(vectorizers), LogisticRegression()).fit(X[:1500], y[:1500])
    same = compared(model, X[:300], X[1500:])
    assert same.labels == 0
    assert same.probabilities <= TINY
