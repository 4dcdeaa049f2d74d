"""Texts are cut as scikit-learn cuts them: the expected terms come from its own analyzers."""

from __future__ import annotations

import functools
import operator
import re
import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import (
    CountVectorizer,
    HashingVectorizer,
    strip_accents_ascii,
    strip_accents_unicode,
    strip_tags,
)
from sklearn.utils import murmurhash3_32

from boucle_worker.describe.cutting import spec_of
from boucle_worker.describe.errors import Cannot
from boucle_worker.patterns import is_linear
from boucle_worker.tokens import LONGEST_RUN, STEPS, analyzer, counter, counts, murmur3

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


LINEAR = [
    r"(?u)\b\w\w+\b",
    r"(?u)\b\w+\b",
    r"\S+",
    r"\w+",
    r"\w*",
    r"\w+?",
    r"(?s).*",
    r"[a-zA-Z]{2,}",
    r"[^\s,;]+",
    r"\w+|[^\w\s]+",
    r"\w{2,}|[^\w\s]",
    r"#?\w+",
    r"(?<!\S)#\w+",
    r"https?://\S+|\w+",
    r"\d+|[a-z]+",
    r"(\w)\w*",
    r"\b[a-z][a-z]+\b",
    r"\b[a-z]+\b|\b\d+\b",
    r"(?i)\b[a-z]{2,100}\b",
    r"\b[^\d\W]+\b",
    r"\b[a-zA-Z]{3,15}\b",
    r"\w+(?:'\w+)?",
    r"\b\w+(?:'\w+)*\b",
    r"(?:\w+)+",
    r"(?x) (?:[A-Z]\.)+ | \w+(?:-\w+)* | \$?\d+(?:\.\d+)?%? | \.\.\.",
    r"\d{1,2}/\d{1,2}/\d{2,4}|\w+",
    r"\s+",
    r",\s*",
]
NOT_LINEAR = [
    r"(?:a|aa)+b|\w+",
    r"(a+)+b",
    r"(\w+\s?)+$",
    r"\w+!",
    r"\w+$",
    r"(?m)\w+$",
    r"[a-z]+\b",
    r"\b[\w']+\b",
    r"x\b[a-z]+\b|y[a-z]+\b",
    r"\b(?:[a-z]+)+\b",
    r"\b[a-z]+-?[a-z]+\b",
    r"\w+@\w+",
    r"\w+\b!",
    r"\w+?\b",
    r"\w{2,}\B",
    r"\w+|\w+!",
    r"\w{1,1000}!",
    r"\w+(?:'\w+)?!",
    r"(?:\w+){2,}",
    r"(?:a?)*b",
    r"(?:a|b|ab){30}c",
    r"a{0,20}a{0,20}a{0,20}b",
    r".*a.*b",
    r"\s*,\s*",
    r"(.)\1",
    r"(a)?(?(1)b|c)",
    r"(?=\w+!)\w",
    r"[a-z]+(?!x)",
    r"(?i:a)+",
    r"(",
    "(" * 500 + "a" + ")" * 500,
    "a" * 5000,
]
HARD = ("a", "aA", "1", "_", " ", "\n", "'", "a'", "a-", "#", "!", "a.", "A.", "$1.", "a ", "é", "a1", "http://", ", ")
TRIED = """
import re, sys
patterns, texts = eval(sys.stdin.read())
for pattern in patterns:
    for text in texts:
        re.findall(pattern, text)
        re.split(pattern, text)
"""


@pytest.mark.parametrize("pattern", LINEAR)
def test_patterns_that_are_linear_are_known(pattern: str) -> None:
    assert is_linear(pattern)


@pytest.mark.parametrize("pattern", NOT_LINEAR, ids=range(len(NOT_LINEAR)))
def test_patterns_that_are_not_known_to_be_linear_are_refused(pattern: str) -> None:
    assert not is_linear(pattern)
    with pytest.raises(Cannot, match="its token_pattern could take very long on some texts"):
        spec_of(CountVectorizer(token_pattern=pattern))
    with pytest.raises(ValueError, match="could take very long"):
        analyzer({**spec_of(CountVectorizer()), "tokenizer": {"split": pattern, "flags": 0}})


PIECES = r"a b 1 . ' ! # \w \d \s \b [a-z] [^\s!] \W ^ $ | (?: ) )? )* )+ \w+ [a-z]+ a* a? b+? {2,} {1,3} (?!a) (?<=')"
pieces = st.sampled_from(PIECES.split())


@settings(max_examples=60, deadline=None)
@given(patterns=st.lists(st.lists(pieces, min_size=1, max_size=9).map("".join).filter(is_linear), max_size=3))
def test_what_is_accepted_ends_soon_on_texts_made_to_be_slow(patterns: list[str]) -> None:
    _tried([*patterns, *LINEAR[:1]], 4_000, 20)


def test_linear_patterns_are_done_with_long_texts_at_once() -> None:
    _tried(LINEAR, 20_000, 60)


def _tried(patterns: list[str], size: int, timeout_s: float) -> None:
    """See patterns find and split hard texts before the time is out: an exponential or cubic one never would."""
    texts = [(unit * size)[:size] + end for unit in HARD for end in ("", "!", "\n", "é")]
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", TRIED],
        input=repr((patterns, texts)).encode(),
        timeout=timeout_s,
        check=True,
    )


@pytest.mark.parametrize(
    "tokenizer",
    [
        re.compile(r"(?:a|aa)+b").findall,
        re.compile(r"\s*,\s*").split,
        functools.partial(re.findall, r"\w+!"),
        functools.partial(re.split, r"\w+$"),
    ],
    ids=["findall", "split", "partial findall", "partial split"],
)
def test_a_tokenizer_that_could_take_very_long_is_refused(tokenizer: Any) -> None:
    for name in ("tokenizer", "analyzer"):
        vectorizer = CountVectorizer(**{name: tokenizer})
        with pytest.raises(Cannot, match=f"the pattern of the {name} .* could take very long on some texts"):
            spec_of(vectorizer)


@pytest.mark.parametrize("kind", ["word", "char", "char_wb"])
def test_runs_are_of_twenty_terms_at_most(kind: str) -> None:
    spec = spec_of(CountVectorizer(analyzer=kind, ngram_range=(1, LONGEST_RUN)))
    assert analyzer(spec)("ab cd")
    with pytest.raises(Cannot, match="has runs of 21 terms, more than 20"):
        spec_of(CountVectorizer(analyzer=kind, ngram_range=(1, LONGEST_RUN + 1)))
    for ngrams in ([1, LONGEST_RUN + 1], [0, 1], [1, 10**12]):
        with pytest.raises(ValueError, match="runs are of"):
            analyzer({**spec, "ngrams": ngrams})


@given(st.one_of(st.text(alphabet="<>a \n/", max_size=40), st.text(max_size=40)))
def test_tags_are_those_of_the_pattern_of_scikit_learn(text: str) -> None:
    assert STEPS["strip_tags"](text) == strip_tags(text)


accented = st.text(alphabet=st.one_of(st.sampled_from("ae\u0301\u0323\u0327\u0345가각ﬁ\u1100\u1161"), st.characters()))


@given(text=accented, times=st.integers(1, 300))
def test_accents_are_stripped_as_by_scikit_learn(text: str, times: int) -> None:
    text *= times
    assert STEPS["strip_accents_unicode"](text) == strip_accents_unicode(text)
    assert STEPS["strip_accents_ascii"](text) == strip_accents_ascii(text)


def test_steps_take_long_texts_without_delay() -> None:
    for text in ("<" * 1_000_000, "<>" * 500_000, "a" + "\u0345" * 500_000 + "\u0323" * 500_000):
        for step in STEPS.values():
            step(text)  # what takes the square of the length would take hours
