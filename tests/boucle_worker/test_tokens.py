"""Texts are cut as scikit-learn cuts them: the expected terms come from its own analyzers."""

from __future__ import annotations

import functools
import operator
import re
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, strip_accents_unicode, strip_tags
from sklearn.utils import murmurhash3_32

from boucle_worker.describe.cutting import spec_of
from boucle_worker.tokens import analyzer, counter, counts, murmur3

EDGES = [
    "",
    " ",
    "\t \n\x1c\x85",
    "the and of",
    "Straße ẞ İstanbul ıI",
    "é e\u0301 ﬁ ﬀ ½ ² Ⅻ ǅ",
    "zero\u200bwidth a\u00adb \ufeffbom",
    "emoji 👩‍👩‍👧 🫠 ☕️",
    "snake_case 3.14 a1 _ __ x",
    "日本語 テキスト ไทย हिन्दी",
    "<p>tags &amp; <br/> a < b</p>",
    "\ud800 half",
    "x" * 5000 + " a" * 5000,
]
SETTINGS: dict[str, dict[str, Any]] = {
    "default": {},
    "pairs": {"ngram_range": (1, 2)},
    "only pairs and triples": {"ngram_range": (2, 3)},
    "cased": {"lowercase": False},
    "english stop words": {"stop_words": "english", "ngram_range": (1, 2)},
    "own stop words": {"stop_words": ["a", "straße", "x"]},
    "accents of unicode": {"strip_accents": "unicode"},
    "accents of ascii": {"strip_accents": "ascii", "lowercase": False},
    "accents by function": {"strip_accents": strip_accents_unicode},
    "short words": {"token_pattern": r"(?u)\b\w+\b"},
    "runs of letters": {"token_pattern": r"\w+"},
    "one group": {"token_pattern": r"(\w)\w*"},
    "letters of any case": {"token_pattern": r"(?i)[a-z]+"},
    "characters": {"analyzer": "char", "ngram_range": (1, 3)},
    "pairs of characters": {"analyzer": "char", "ngram_range": (2, 2), "strip_accents": "unicode"},
    "characters in words": {"analyzer": "char_wb", "ngram_range": (1, 4)},
    "long runs in words": {"analyzer": "char_wb", "ngram_range": (4, 7)},
    "split": {"tokenizer": str.split},
    "split at commas": {"tokenizer": operator.methodcaller("split", ",")},
    "split once": {"tokenizer": operator.methodcaller("split", None, 1)},
    "lines": {"tokenizer": str.splitlines},
    "findall": {"tokenizer": re.compile(r"\w+|[^\w\s]").findall},
    "findall of ascii": {"tokenizer": re.compile(r"\w+", re.ASCII).findall},
    "split of a pattern": {"tokenizer": re.compile(r"\s+").split},
    "partial": {"tokenizer": functools.partial(re.findall, r"[A-Z]+", flags=re.IGNORECASE)},
    "analyzer": {"analyzer": str.split},
    "preprocessor": {"preprocessor": str.casefold},
    "tags": {"preprocessor": strip_tags},
}


def made(options: dict[str, Any]) -> CountVectorizer:
    return CountVectorizer(**{"token_pattern": None, **options} if "tokenizer" in options else options)


def both(options: dict[str, Any], text: str) -> tuple[list[str], list[str]]:
    """Return the terms by our code and by scikit-learn's."""
    vectorizer = made(options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = vectorizer.build_analyzer()(text)
    return sorted(analyzer(spec_of(vectorizer))(text)), sorted(theirs)


@pytest.mark.parametrize("options", SETTINGS.values(), ids=SETTINGS)
def test_texts_with_edges_are_cut_as_scikit_learn_cuts_them(options: dict[str, Any]) -> None:
    for text in EDGES:
        ours, theirs = both(options, text)
        assert ours == theirs, text[:50]


words = st.sampled_from(
    ["the", "a", "I", "straße", "É", "e\u0301", "x_1", ",", "  ", "\n", "İ", "ﬁ", "👩", "\u200b", "<b>"]
)
texts = st.one_of(st.text(max_size=60), st.lists(words, max_size=20).map("".join), st.lists(words).map(" ".join))


@settings(max_examples=300, deadline=None)
@given(options=st.sampled_from(list(SETTINGS.values())), text=texts)
def test_any_text_is_cut_as_scikit_learn_cuts_it(options: dict[str, Any], text: str) -> None:
    ours, theirs = both(options, text)
    assert ours == theirs


@settings(max_examples=100, deadline=None)
@given(
    text=texts,
    kind=st.sampled_from(["word", "char", "char_wb"]),
    shortest=st.integers(1, 4),
    more=st.integers(0, 3),
    lowercase=st.booleans(),
    accents=st.sampled_from([None, "ascii", "unicode"]),
)
def test_any_setting_cuts_as_in_scikit_learn(
    text: str, kind: str, shortest: int, more: int, lowercase: bool, accents: str | None
) -> None:
    options = {"analyzer": kind, "ngram_range": (shortest, shortest + more), "lowercase": lowercase}
    ours, theirs = both({**options, "strip_accents": accents}, text)
    assert ours == theirs


def test_every_character_counts_as_a_letter_where_it_does_in_the_pattern() -> None:
    every = "".join(f" {chr(i)}a" for i in range(0x3000)) + "".join(f" b{chr(i)}" for i in range(0x1F600, 0x1F650))
    for options in ({}, {"token_pattern": r"\w+"}):
        for text in (every, every[: 3 * 128]):
            ours, theirs = both(options, text)
            assert ours == theirs


def test_counts_are_those_of_the_fitted_vectorizer() -> None:
    corpus = ["the cat sat on the mat", "the dog", "", "cat cat cat dog", "none of these"]
    vectorizer = CountVectorizer(ngram_range=(1, 2)).fit(corpus)
    vocabulary = sorted(vectorizer.vocabulary_)
    wanted = vectorizer.transform(corpus).toarray()
    for row, found in enumerate(counts(corpus, spec_of(vectorizer), vocabulary)):
        assert found == {i: wanted[row, i] for i in np.flatnonzero(wanted[row])}


def test_terms_outside_the_vocabulary_do_not_count() -> None:
    assert counter(spec_of(CountVectorizer()), ["known"])("unknown known words known") == {0: 2}


def test_binary_counts_are_one() -> None:
    assert counter(spec_of(CountVectorizer(binary=True)), ["aa", "bb"])("aa aa bb cc") == {0: 1, 1: 1}


@pytest.mark.parametrize("options", [{}, {"alternate_sign": False}, {"binary": True}, {"n_features": 3}], ids=str)
def test_hashes_are_those_of_the_hashing_vectorizer(options: dict[str, Any]) -> None:
    vectorizer = HashingVectorizer(**{"n_features": 7, "norm": None, **options})
    for text in ["", "some words some more words", "Straße é 日本 of many words and more of them"]:
        wanted = vectorizer.transform([text]).toarray()[0]
        found = counter(spec_of(vectorizer), [])(text)
        dense = np.zeros(vectorizer.n_features)
        dense[list(found)] = list(found.values())
        np.testing.assert_array_equal(dense, wanted)


def test_signs_that_cancel_each_other_leave_a_term_that_binary_counts() -> None:
    vectorizer = HashingVectorizer(n_features=1, norm=None)
    signs = {word: vectorizer.transform([word]).toarray()[0, 0] for word in ("aa", "bb", "cc", "dd", "ee")}
    plus, minus = (next(word for word, sign in signs.items() if sign == s) for s in (1, -1))
    text = f"{plus} {minus}"
    assert counter(spec_of(vectorizer), [])(text) == {0: 0}
    binary = HashingVectorizer(n_features=1, norm=None, binary=True)
    assert counter(spec_of(binary), [])(text) == {0: 1} == {0: binary.transform([text]).toarray()[0, 0]}


@given(st.binary(max_size=70), st.integers(0, 2**32 - 1))
def test_murmur3_is_that_of_scikit_learn(data: bytes, seed: int) -> None:
    assert murmur3(data, seed) == murmurhash3_32(data, seed)


def test_half_a_character_has_no_hash() -> None:
    with pytest.raises(UnicodeEncodeError):
        counter(spec_of(HashingVectorizer(analyzer="char")), [])("ab\ud800")
