"""Texts as terms, cut as scikit-learn's vectorisers cut them: one code for the model's worker and the platform.

A graph takes no texts. What it takes is which terms a text holds and how often, as found here from a *spec*: a dict
of JSON values that says how a fitted vectoriser was set. With the same code on both sides nothing is left to differ;
only letters that one Python's Unicode knows and another's does not may be cut otherwise.

The platform cuts in the process that answers for every model, without a deadline: what is cut here takes time in
proportion to the text, whatever the text. A spec with a pattern for which this cannot be told is refused.

==============  ==================================================================================================
``steps``       what is done to the text first, in order, of ``STEPS``
``analyzer``    ``word``, ``char`` or ``char_wb``
``tokenizer``   of words: ``{"find": pattern, "flags": n}``, ``{"split": pattern, "flags": n}`` (with ``"filled":
                true`` without empty ones), or ``{"method": name of str's, "args": [...]}``
``stop_words``  words that are left out, or None
``ngrams``      the shortest and the longest run of words or characters
``binary``      True when a term counts once however often it comes
``hashed``      None, or ``{"n_features": n, "alternate_sign": bool}``: terms have no vocabulary but a hash
``missing``     the text that stands for a missing one, or None when the model refuses it
==============  ==================================================================================================
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from itertools import chain
from typing import Any, Callable, Dict, Iterable, List, Mapping, Sequence, Tuple

from boucle_worker.patterns import FLAGS, is_linear

Spec = Mapping[str, Any]
Cut = Callable[[str], List[str]]
Count = Callable[[str], Dict[int, int]]

METHODS = ("split", "rsplit", "splitlines")
LONGEST_RUN = 20  # of words or characters
_GAPS = re.compile(r"\s\s+")
_MOST_REMEMBERED = 100_000
_PIECE = 256
_RUNS = {r"(?u)\b\w\w+\b": 2, r"\b\w\w+\b": 2, r"(?u)\b\w+\b": 1, r"\b\w+\b": 1, r"(?u)\w+": 1, r"\w+": 1}
_SPACED = {code: chr(code) if chr(code).isalnum() or chr(code) == "_" else " " for code in range(128)}


def _without_accents(text: str) -> str:
    if text.isascii():
        return text
    return "".join(filter(_stands_alone, _decomposed(text)))


def _stands_alone(character: str) -> bool:
    return not unicodedata.combining(character)


def _ascii(text: str) -> str:
    return _decomposed(text).encode("ascii", "ignore").decode("ascii")


def _decomposed(text: str) -> str:
    """Return a text as characters that stand alone and, in no certain order, the accents after each.

    NFKD piece by piece: it sorts the accents after a character, in time that grows with their square.
    """
    pieces = (text[i : i + _PIECE] for i in range(0, len(text), _PIECE))
    return "".join(unicodedata.normalize("NFKD", piece) for piece in pieces)


def _without_tags(text: str) -> str:
    """Return a text with a space for each ``<([^>]+)>``, which as a pattern takes the square of the text's length."""
    kept: List[str] = []
    at = start = 0  # of the search, and of what is not yet kept
    while True:
        opened = text.find("<", at)
        closed = text.find(">", opened + 1) if opened >= 0 else -1
        if closed < 0:
            return "".join([*kept, text[start:]])
        at = closed + 1
        if closed > opened + 1:  # "<>" is no tag
            kept += [text[start:opened], " "]
            start = at


STEPS: Dict[str, Callable[[str], str]] = {
    "lower": str.lower,
    "upper": str.upper,
    "casefold": str.casefold,
    "strip": str.strip,
    "strip_accents_unicode": _without_accents,
    "strip_accents_ascii": _ascii,
    "strip_tags": _without_tags,
}


def analyzer(spec: Spec) -> Cut:
    """Return what cuts a text into terms, each as often as it comes.

    Raises ValueError for a spec by which some text could take very long.

    >>> spec = {"steps": ["lower"], "analyzer": "word", "ngrams": [1, 2], "stop_words": ["the"]}
    >>> analyzer({**spec, "tokenizer": {"find": "[a-z]+", "flags": 0}})("The old Town")
    ['old', 'town', 'old town']
    """
    steps = [STEPS[name] for name in spec["steps"]]
    cut = _words(spec) if spec["analyzer"] == "word" else _characters(spec)
    if len(steps) == 1:
        only = steps[0]
        return lambda text: cut(only(text))

    def analyze(text: str) -> List[str]:
        for step in steps:
            text = step(text)
        return cut(text)

    return analyze


def counter(spec: Spec, vocabulary: Sequence[str]) -> Count:
    """Return what counts the terms of one text: how often each comes, by its place in the vocabulary.

    Terms outside the vocabulary do not count. Of a hashed vocabulary (``vocabulary`` is empty then) places are
    hashes, and a count is the sum of signs; it raises UnicodeEncodeError for half a character that has no hash.
    Raises ValueError for a spec by which some text could take very long.

    >>> spec = {"steps": [], "analyzer": "word", "ngrams": [1, 1], "tokenizer": {"method": "split", "args": []}}
    >>> counter(spec, ["a", "b"])("b c b a")
    {1: 2, 0: 1}
    """
    cut = analyzer(spec)
    count = _hashed(cut, spec["hashed"]) if spec.get("hashed") else _known(cut, vocabulary)
    if not spec.get("binary"):
        return count
    return lambda text: dict.fromkeys(count(text), 1)


def counts(texts: Iterable[str], spec: Spec, vocabulary: Sequence[str]) -> List[Dict[int, int]]:
    """Return the counts of the terms of each text: see ``counter``."""
    return list(map(counter(spec, vocabulary), texts))


def _words(spec: Spec) -> Cut:
    """Return what cuts into words and runs of words, less the stop words."""
    tokenize = _tokenizer(spec["tokenizer"])
    stops = frozenset(spec.get("stop_words") or ())
    shortest, longest = _lengths(spec)

    def words(text: str) -> List[str]:
        found = tokenize(text)
        if stops:
            found = [word for word in found if word not in stops]
        if longest == 1:
            return found
        runs = found if shortest == 1 else []
        starts = [found[i:] for i in range(longest)]
        joined = (map(" ".join, zip(*starts[:n])) for n in range(max(shortest, 2), longest + 1))
        return [*runs, *chain.from_iterable(joined)]

    return words


def _lengths(spec: Spec) -> Tuple[int, int]:
    shortest, longest = spec["ngrams"]
    if shortest < 1 or longest > LONGEST_RUN:
        raise ValueError(f"runs are of {shortest!r} to {longest!r} terms, not of 1 to {LONGEST_RUN}")
    return shortest, longest


def _tokenizer(told: Mapping[str, Any]) -> Cut:
    if "method" in told:
        if told["method"] not in METHODS:
            raise ValueError("no method cuts a text that is named {!r}".format(told["method"]))
        method, args = getattr(str, told["method"]), told["args"]
        return lambda text: list(method(text, *args))
    flags, is_find = told.get("flags", 0), "find" in told
    shortest = _RUNS.get(told["find"]) if is_find and flags in (0, re.UNICODE) else None
    if shortest is not None:
        return _runs(shortest)
    pattern = _pattern(told["find" if is_find else "split"], flags, most_groups=1 if is_find else 0)
    if is_find:
        return pattern.findall
    split = pattern.split
    if not told.get("filled"):
        return split
    return lambda text: [word for word in split(text) if word]


def _pattern(text: str, flags: int, most_groups: int) -> re.Pattern[str]:
    if not is_linear(text, flags):
        raise ValueError(f"the pattern {text!a:.80} could take very long on some texts")
    pattern = re.compile(text, flags & FLAGS)
    if pattern.groups > most_groups:
        raise ValueError(f"the pattern {text!a:.80} finds several groups at once")
    return pattern


def _runs(shortest: int) -> Cut:
    """Return what finds the runs of letters, digits and underscores, of at least one or two of them.

    The same words as by the patterns, in a third of the time where a text is plain ASCII.
    """
    find = re.compile(r"\w+" if shortest == 1 else r"\w\w+").findall

    def runs(text: str) -> List[str]:
        if not text.isascii():
            return find(text)
        found = text.translate(_SPACED).split()
        return found if shortest == 1 else [word for word in found if len(word) > 1]

    return runs


def _characters(spec: Spec) -> Cut:
    """Return what cuts into runs of characters: of the whole text, or of each word between two spaces (``char_wb``)."""
    shortest, longest = _lengths(spec)
    lengths = range(shortest, longest + 1)

    def whole(text: str) -> List[str]:
        text = _GAPS.sub(" ", text)
        return [text[i : i + n] for n in lengths for i in range(len(text) - n + 1)]

    def by_word(text: str) -> List[str]:
        found: List[str] = []
        for word in text.split():
            padded = " " + word + " "
            for n in lengths:
                if n >= len(padded):  # a word shorter than the run counts once, whole
                    found.append(padded)
                    break
                found += [padded[i : i + n] for i in range(len(padded) - n + 1)]
        return found

    return whole if spec["analyzer"] == "char" else by_word


def _known(cut: Cut, vocabulary: Sequence[str]) -> Count:
    """Return what counts the terms of a vocabulary by their places."""
    place = {term: i for i, term in enumerate(vocabulary)}.get

    def count(text: str) -> Dict[int, int]:
        found: Dict[Any, int] = Counter(map(place, cut(text)))
        found.pop(None, None)
        return dict(found)

    return count


def _hashed(cut: Cut, told: Mapping[str, Any]) -> Count:
    """Return what counts terms by their hashes, the sign of each with it; hashes are remembered."""
    n_features, is_signed = int(told["n_features"]), bool(told["alternate_sign"])
    remembered: Dict[str, Tuple[int, int]] = {}

    def place(term: str) -> Tuple[int, int]:
        found = remembered.get(term)
        if found is None:
            hashed = murmur3(term.encode("utf-8"))
            found = abs(hashed) % n_features, -1 if is_signed and hashed < 0 else 1
            if len(remembered) >= _MOST_REMEMBERED:
                remembered.clear()
            remembered[term] = found
        return found

    def count(text: str) -> Dict[int, int]:
        found: Dict[int, int] = {}
        for (index, sign), times in Counter(map(place, cut(text))).items():
            found[index] = found.get(index, 0) + sign * times
        return found

    return count


def murmur3(data: bytes, seed: int = 0) -> int:
    """Return the MurmurHash3 of bytes, as a signed integer of 32 bits.

    Reference: Austin Appleby, MurmurHash3_x86_32, public domain.

    >>> murmur3(b""), murmur3(b"hello")
    (0, 613153351)
    """
    value, whole = seed, len(data) & ~3
    for i in range(0, whole, 4):
        value ^= _mixed(int.from_bytes(data[i : i + 4], "little"))
        value = ((value << 13) | (value >> 19)) & 0xFFFFFFFF
        value = (value * 5 + 0xE6546B64) & 0xFFFFFFFF
    if whole != len(data):
        value ^= _mixed(int.from_bytes(data[whole:], "little"))
    value ^= len(data)
    value = ((value ^ (value >> 16)) * 0x85EBCA6B) & 0xFFFFFFFF
    value = ((value ^ (value >> 13)) * 0xC2B2AE35) & 0xFFFFFFFF
    value ^= value >> 16
    return value - (1 << 32) if value >= 1 << 31 else value


def _mixed(word: int) -> int:
    word = (word * 0xCC9E2D51) & 0xFFFFFFFF
    word = ((word << 15) | (word >> 17)) & 0xFFFFFFFF
    return (word * 0x1B873593) & 0xFFFFFFFF
