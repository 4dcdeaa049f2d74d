"""How a fitted vectoriser of scikit-learn cuts texts, as a spec for ``boucle_worker.tokens``.

Functions of people are known by what they are (``str.split``, the ``findall`` of a pattern), never by trying them.
"""

from __future__ import annotations

import functools
import operator
import re
from typing import Any, Dict, List, Optional, Sequence

from boucle_worker.describe.errors import Cannot
from boucle_worker.patterns import FLAGS, is_linear
from boucle_worker.tokens import LONGEST_RUN, METHODS, STEPS

_OF_SKLEARN = ("strip_accents_unicode", "strip_accents_ascii", "strip_tags")


def spec_of(estimator: Any) -> Dict[str, Any]:
    """Return how a CountVectorizer, TfidfVectorizer or HashingVectorizer cuts. Raises Cannot."""
    name = type(estimator).__name__
    if estimator.input != "content":
        raise Cannot(f"its {name} reads files")
    spec: Dict[str, Any] = {"binary": bool(estimator.binary), "hashed": _hashed(estimator), "stop_words": None}
    if callable(estimator.analyzer):  # it takes the place of all other steps
        cut = _tokenizer(estimator.analyzer, f"the analyzer of its {name}")
        return {**spec, "steps": [], "analyzer": "word", "tokenizer": cut, "ngrams": [1, 1]}
    shortest, longest = (int(n) for n in estimator.ngram_range)
    if shortest < 1:
        raise Cannot(f"its {name} has runs of {shortest} terms")
    if longest > LONGEST_RUN:
        raise Cannot(f"its {name} has runs of {longest} terms, more than {LONGEST_RUN}")
    spec.update(steps=_steps(estimator), analyzer=str(estimator.analyzer), ngrams=[shortest, longest])
    if estimator.analyzer != "word":
        return spec
    stops = estimator.get_stop_words()
    spec["stop_words"] = None if stops is None else sorted(word for word in stops if isinstance(word, str))
    if estimator.tokenizer is not None:
        return {**spec, "tokenizer": _tokenizer(estimator.tokenizer, f"the tokenizer of its {name}")}
    pattern = str(estimator.token_pattern)
    _refuse_slow(pattern, 0, "its token_pattern")
    return {**spec, "tokenizer": {"find": pattern, "flags": 0}}


def _refuse_slow(pattern: str, flags: int, what: str) -> None:
    """Raise Cannot for a pattern that takes more than linear time on some text: it would hold up the platform."""
    if not is_linear(pattern, flags):
        raise Cannot(f"{what} could take very long on some texts")


def _hashed(estimator: Any) -> Optional[Dict[str, Any]]:
    if not hasattr(estimator, "n_features"):
        return None
    return {"n_features": int(estimator.n_features), "alternate_sign": bool(estimator.alternate_sign)}


def _steps(estimator: Any) -> List[str]:
    """Return what is done to a text before it is cut, by the names of ``STEPS``."""
    whose = f"of its {type(estimator).__name__}"
    if estimator.preprocessor is not None:
        return [_step(estimator.preprocessor, "the preprocessor " + whose)]
    lower = ["lower"] if estimator.lowercase else []
    if not estimator.strip_accents:
        return lower
    if callable(estimator.strip_accents):
        return [*lower, _step(estimator.strip_accents, "strip_accents " + whose)]
    return [*lower, f"strip_accents_{estimator.strip_accents}"]


def _step(function: Any, what: str) -> str:
    """Return the name of a function that changes a text: a method of str, or one of scikit-learn's own."""
    name = str(getattr(function, "__name__", ""))
    if function is getattr(str, name, None) and name in STEPS:
        return name
    if name in _OF_SKLEARN and getattr(function, "__module__", "") == "sklearn.feature_extraction.text":
        return name
    raise _unknown(function, what)


def _tokenizer(function: Any, what: str) -> Dict[str, Any]:
    """Return how a function cuts a text into words. Raises Cannot for one that is not known."""
    found = _method(function) or _caller(function) or _of_pattern(function) or _partial(function) or _of_nltk(function)
    if found is None:
        raise _unknown(function, what)
    if "method" in found:
        return found
    pattern, flags = str(found["find" if "find" in found else "split"]), int(found["flags"])
    if re.compile(pattern, flags).groups > ("find" in found):
        raise Cannot(f"{what} finds several groups at once")
    _refuse_slow(pattern, flags, f"the pattern of {what}")
    return found


def _method(function: Any) -> Optional[Dict[str, Any]]:
    """``str.split``, ``str.splitlines``."""
    name = str(getattr(function, "__name__", ""))
    is_known = name in METHODS and function is getattr(str, name)
    return {"method": name, "args": []} if is_known else None


def _caller(function: Any) -> Optional[Dict[str, Any]]:
    """``operator.methodcaller("split", ",")``."""
    if not isinstance(function, operator.methodcaller):
        return None
    pickled: Any = function.__reduce__()
    if pickled[0] is not operator.methodcaller or pickled[1][0] not in METHODS:
        return None
    told, args = pickled[1], list(pickled[1][1:])
    return {"method": told[0], "args": args} if all(type(a) in (str, int, bool, type(None)) for a in args) else None


def _of_pattern(function: Any) -> Optional[Dict[str, Any]]:
    """``re.compile(pattern).findall``, ``.split``."""
    pattern = getattr(function, "__self__", None)
    name = getattr(function, "__name__", "")
    return _cut(name, pattern, 0) if isinstance(pattern, re.Pattern) else None


def _partial(function: Any) -> Optional[Dict[str, Any]]:
    """``functools.partial(re.findall, pattern)``, ``re.split``."""
    if not isinstance(function, functools.partial) or function.func not in (re.findall, re.split):
        return None
    told = dict(function.keywords, **({"pattern": function.args[0]} if len(function.args) == 1 else {}))
    if set(told) - {"pattern", "flags"} or "pattern" not in told:
        return None
    return _cut(function.func.__name__, told["pattern"], int(told.get("flags", 0)))


def _cut(name: str, pattern: Any, flags: int) -> Optional[Dict[str, Any]]:
    if isinstance(pattern, re.Pattern):
        pattern, flags = pattern.pattern, pattern.flags
    how = {"findall": "find", "split": "split"}.get(name)
    return {how: pattern, "flags": int(flags) & FLAGS} if how and isinstance(pattern, str) else None


def _of_nltk(function: Any) -> Optional[Dict[str, Any]]:
    """``nltk.tokenize.wordpunct_tokenize``, and ``tokenize`` of a RegexpTokenizer."""
    owner = getattr(function, "__self__", None)
    kinds: Sequence[str] = ("RegexpTokenizer", "WordPunctTokenizer", "WhitespaceTokenizer", "BlanklineTokenizer")
    if owner is None or getattr(function, "__name__", "") != "tokenize":
        return None
    if type(owner).__module__ != "nltk.tokenize.regexp" or type(owner).__name__ not in kinds:
        return None
    pattern, flags = getattr(owner._pattern, "pattern", owner._pattern), int(owner._flags)  # noqa: SLF001
    if not owner._gaps:  # noqa: SLF001  # it has no other way to tell
        return _cut("findall", pattern, flags)
    found = _cut("split", pattern, flags)
    return found and {**found, "filled": bool(owner._discard_empty)}  # noqa: SLF001  # as above


def _unknown(function: Any, what: str) -> Cannot:
    told = getattr(function, "__qualname__", type(function).__qualname__)
    return Cannot(f"{what} is {told}, which the converter does not know")
