"""Texts: vectorisers that count terms, and tf-idf. The cutting itself is done outside the graph, by one shared code.

``tokens`` cuts texts by the spec that ``cutting`` reads from a fitted vectoriser; the graph takes the counts.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional

import numpy as np

from boucle_worker.describe.cutting import spec_of
from boucle_worker.describe.errors import Cannot
from boucle_worker.describe.formulas import absolute, log, maximum, sqrt, where
from boucle_worker.describe.frame import UNKNOWN, Frame
from boucle_worker.describe.graph import Value
from boucle_worker.describe.probes import columns_of, is_missing
from boucle_worker.describe.terms import Beside, Terms
from boucle_worker.describe.writer import Rows, Transform, Writer

ROWS = "rows"


def count_vectorizer(writer: Writer, estimator: Any, x: Rows) -> Value:
    """Return how often each term of the vocabulary comes in a text."""
    vocabulary = _vocabulary(estimator)
    return _counted(writer, estimator, x, vocabulary, len(vocabulary))


def tfidf_vectorizer(writer: Writer, estimator: Any, x: Rows) -> Value:
    """Return the counts as tf-idf."""
    return tfidf(writer, estimator._tfidf, count_vectorizer(writer, estimator, x))  # noqa: SLF001  # its own half


def hashing_vectorizer(writer: Writer, estimator: Any, x: Rows) -> Value:
    """Return how often the terms of each hash come in a text, with the sign of the hash, over the norm of the row."""
    return _normalized(_counted(writer, estimator, x, [], int(estimator.n_features)), estimator.norm)


def tfidf(writer: Writer, estimator: Any, x: Value) -> Value:
    """Return ``tf * idf`` over the norm of the row; ``tf`` is the count, or one plus its logarithm."""
    if estimator.sublinear_tf:
        x = _each(x, _sublinear)
    if hasattr(estimator, "idf_"):
        x = (x * np.asarray(estimator.idf_)[None]).astype(x.dtype)
    return _normalized(x, estimator.norm).sparse()


def _sublinear(counts: Value) -> Value:
    """Return ``1 + ln(count)``, and 0 of 0."""
    is_absent = counts.equals(0.0)
    one, zero = counts.dtype.type(1), counts.dtype.type(0)
    return where(is_absent, zero, log(where(is_absent, one, counts)) + 1.0)


def _normalized(x: Value, norm: Optional[str]) -> Value:
    """Return each row over its norm, which is added up in double; a row of zeros stays."""
    if norm is None:
        return x
    if norm not in ("l1", "l2"):
        raise Cannot(f"its texts are normalised by {norm!r}")
    size = (x * x if norm == "l2" else _each(x, absolute)).astype(np.float64).sum()
    size = maximum(sqrt(size) if norm == "l2" else size, 1e-300)
    return (x.astype(np.float64) / size).astype(x.dtype).sparse(x.is_sparse)


def _each(x: Value, change: Callable[[Value], Value]) -> Value:
    """Return what a function that keeps zeros makes of each number, sparse where x is."""
    if isinstance(x, Terms):
        return x.weighed(change(x.weights))
    if isinstance(x, Beside):
        return x.each(lambda piece, _start: _each(piece, change))
    return change(x).sparse(x.is_sparse)


def _counted(writer: Writer, estimator: Any, x: Rows, vocabulary: List[str], width: int) -> Value:
    """Return the counts of the terms of a column of texts."""
    column, missing = _texts(type(estimator).__name__, x)
    dtype = np.dtype(estimator.dtype)
    if dtype.kind not in "iuf" or dtype.itemsize < np.dtype(np.float32).itemsize:
        raise Cannot(f"its {type(estimator).__name__} counts in {dtype}")
    graph = writer.graph
    told = {"column": column, "spec": {**spec_of(estimator), "missing": missing}, "vocabulary": vocabulary}
    terms = graph.text(told)
    owner, ids, counts = (graph.op("Gather", [terms, np.int64(i)], np.int64, (None, None), axis=0) for i in range(3))
    owner = graph.op("Gather", [owner, np.int64(0)], np.int64, (None,), axis=1)
    empty = graph.input(ROWS, np.float64, (None, 1))
    return Terms(empty, owner, ids, counts.astype(dtype if dtype.kind == "f" else np.float64), width)


def _texts(name: str, x: Rows) -> Any:
    """Return the raw column whose texts reach a vectoriser, and the text that stands there for a missing one.

    The probes of the column show what was done to it before: another value than those of the vocabulary must have
    come through as it is.
    """
    if not isinstance(x, Frame) or not x.has_codes:
        raise Cannot(f"numbers reach its {name}")
    if not x.is_vector or len(x.parts) != 1:
        raise Cannot(f"its {name} takes a table: give it one column by its bare name")
    source = x.parts[0].source
    cells = columns_of(x.probes[str(source)])[0]
    vocabulary = x.codes.vocabularies[str(source)]
    if len(cells) != len(vocabulary) + 2 or list(cells[: len(vocabulary)]) != vocabulary or cells[-2] != UNKNOWN:
        raise Cannot(f"the texts of column {source} are changed before they reach its {name}")
    return source, None if is_missing(cells[-1]) else str(cells[-1])


def _vocabulary(estimator: Any) -> List[str]:
    """Return the terms in the order of their columns."""
    if not hasattr(estimator, "vocabulary_"):
        estimator._check_vocabulary()  # noqa: SLF001  # as its transform does with a vocabulary that was given
    places: Dict[Any, int] = estimator.vocabulary_
    terms = sorted(places, key=lambda term: int(places[term]))
    for term in terms:
        if not isinstance(term, str):
            raise Cannot(f"the vocabulary of its {type(estimator).__name__} holds {term!r}, which is no text")
        try:
            term.encode("utf-8")
        except UnicodeEncodeError as error:
            raise Cannot(f"the vocabulary of its {type(estimator).__name__} holds half a character") from error
    return [str(term) for term in terms]


TRANSFORMS: Dict[str, Transform] = {
    "CountVectorizer": count_vectorizer,
    "HashingVectorizer": hashing_vectorizer,
    "TfidfTransformer": tfidf,
    "TfidfVectorizer": tfidf_vectorizer,
}
RAW = ("CountVectorizer", "HashingVectorizer", "TfidfVectorizer")
