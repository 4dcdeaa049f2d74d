"""Which regular expressions take time in proportion to the text, whatever the text.

Python's ``re`` goes back and tries again where a match fails, so that ``(?:a|aa)+b`` takes an age on sixty letters, and
``[a-z]+!`` the square of a word's length. A search is linear when each try that fails, fails within a bounded number
of steps, and each that succeeds never goes back:

- before the first repeat without an end, all has a bounded number of ways to match, few enough (``MOST_STEPS``);
- after it only what cannot fail: repeats that may be of none, and ``\\b`` after all of a run of ``\\w``;
- or ``\\b`` once when the match began at ``\\b`` and never left the word, as in ``\\b[a-z]+\\b``: there is one such try
  for each word.

What is not known to be so is refused: backreferences, atomic groups, flags for a group alone, lookarounds with
endless repeats in them.
"""

from __future__ import annotations

import re
import sys
from importlib import import_module
from typing import Any, NamedTuple, Optional, Sequence

FLAGS = int(re.ASCII | re.IGNORECASE | re.MULTILINE | re.DOTALL | re.VERBOSE | re.UNICODE)
MOST_STEPS = 200  # for one place in a text
_LONGEST_PATTERN = 1000
_ENDLESS = 50  # a repeat that may take more than these is like one without an end
_SINGLE = ("LITERAL", "NOT_LITERAL", "ANY", "IN")
_REPEATS = ("MAX_REPEAT", "MIN_REPEAT")
_WORD, _NO_WORD = "CATEGORY_WORD", "CATEGORY_NOT_WORD"

# the parser that re.compile itself uses has another name since 3.11
_parser: Any = import_module("re._parser" if sys.version_info >= (3, 11) else "sre_parse")


class _Unknown(Exception):
    """A pattern that is not known to be linear."""


class _Seen(NamedTuple):
    """What is known where a try has come to.

    ``steps`` and ``ways`` are the most steps taken up to here, and the most ways to come here; ``is_open`` is true
    after a repeat without an end, and ``is_run`` when that took all there was of a run of ``\\w``. ``in_word`` is true
    when the try began at ``\\b`` and took nothing but letters, digits and underscores; None when it took nothing yet.
    """

    steps: int = 0
    ways: int = 1
    is_open: bool = False
    is_run: bool = False
    in_word: Optional[bool] = False

    def after(self, steps: int, ways: int = 1, **changes: Any) -> _Seen:
        """Return what is known after one more item, of so many steps and ways for each way to come to it."""
        found = self._replace(steps=self.steps + self.ways * steps, ways=self.ways * ways, **changes)
        if found.steps > MOST_STEPS or found.ways > MOST_STEPS:
            raise _Unknown
        return found


def is_linear(pattern: str, flags: int = 0) -> bool:
    """True when to find all matches, or to split at them, is known to take linear time on every text.

    >>> is_linear(r"(?u)\\b\\w\\w+\\b"), is_linear(r"\\w+(?:'\\w+)?"), is_linear(r"(?:a|aa)+b"), is_linear(r"\\w+$")
    (True, True, False, False)
    """
    if len(pattern) > _LONGEST_PATTERN or flags & ~FLAGS:
        return False
    try:
        _walked(_parser.parse(pattern, flags), _Seen(in_word=None))
    except (_Unknown, re.error, OverflowError, RecursionError, ValueError):
        return False
    return True


def _walked(items: Any, seen: _Seen) -> _Seen:
    """Return what is known after a sequence. Raises _Unknown."""
    for op, value in items:
        name = str(op)
        if name in _REPEATS:
            seen = _repeated(seen, name, *value)
        elif name == "SUBPATTERN":
            _group, added, removed, inside = value
            if added or removed:
                raise _Unknown
            seen = _walked(inside, seen)
        elif name == "AT" and seen.is_open:
            seen = _bounded(seen, str(value))
        elif seen.is_open:
            raise _Unknown
        elif name in _SINGLE:
            seen = seen.after(1, in_word=_stays(seen, name, value))
        elif name == "AT":
            is_start = str(value) == "AT_BOUNDARY" and seen.in_word is None
            seen = seen.after(1, in_word=True if is_start else seen.in_word)
        elif name == "BRANCH":
            seen = _either(seen, [_walked(choice, seen) for choice in value[1]])
        elif name in ("ASSERT", "ASSERT_NOT"):
            inside = _walked(value[1], _Seen())
            if inside.is_open:
                raise _Unknown
            seen = seen.after(1 + inside.steps)
        else:
            raise _Unknown
    return seen


def _bounded(seen: _Seen, where: str) -> _Seen:
    """Return what is known after an anchor that follows a repeat without an end."""
    if where != "AT_BOUNDARY" or not (seen.is_run or seen.in_word):
        raise _Unknown
    return seen if seen.is_run else seen._replace(in_word=False)


def _either(seen: _Seen, found: Sequence[_Seen]) -> _Seen:
    """Return what is known after one of several choices."""
    words = {choice.in_word for choice in found}
    return _Seen().after(
        sum(choice.steps for choice in found) - (len(found) - 1) * seen.steps,
        sum(choice.ways for choice in found),
        is_open=any(choice.is_open for choice in found),
        is_run=all(choice.is_open and choice.is_run for choice in found),
        in_word=words.pop() if len(words) == 1 else False,
    )


def _repeated(seen: _Seen, name: str, least: int, most: int, inside: Any) -> _Seen:
    """Return what is known after a repeat."""
    is_endless = most > _ENDLESS
    if least > _ENDLESS or (is_endless and not inside.getwidth()[0]):
        raise _Unknown
    is_single = len(inside) == 1 and str(inside[0][0]) in _SINGLE
    if seen.is_open:  # nothing that follows can fail, so that no way but the first is ever tried
        if least:
            raise _Unknown
        body = _walked(inside, _Seen())
        return _Seen(seen.steps, seen.ways).after(body.steps, is_open=True, is_run=seen.is_run and body.is_run)
    if is_single:
        op, value = str(inside[0][0]), inside[0][1]
        in_word = _stays(seen, op, value)
        if not is_endless:
            return seen.after(most, most - least + 1, in_word=in_word)
        is_run = name == "MAX_REPEAT" and most == _parser.MAXREPEAT and _is_word(op, value)
        return seen.after(least + 1, is_open=True, is_run=is_run, in_word=in_word)
    body = _walked(inside, _Seen())
    if body.is_open and least > 1:
        raise _Unknown
    steps, ways, total = 0, 1, 0
    for times in range((least if is_endless or body.is_open else most) + 1):
        total += ways if times >= least else 0
        steps, ways = steps + ways * body.steps, ways * body.ways
        if steps > MOST_STEPS:
            raise _Unknown
    is_open = is_endless or body.is_open
    return seen.after(steps, total, is_open=is_open, is_run=body.is_run and least == 1, in_word=False)


def _stays(seen: _Seen, op: str, value: Any) -> bool:
    """True when a try that kept to one word still does, with one more character."""
    if not seen.in_word:
        return False
    if op == "IN":
        names = [(str(kind), item) for kind, item in value]
        if names[0][0] == "NEGATE":
            return any(kind == "CATEGORY" and str(item) == _NO_WORD for kind, item in names)
        return all(_is_of_word(kind, item) for kind, item in names)
    return _is_of_word(op, value)


def _is_of_word(kind: str, item: Any) -> bool:
    """True when all that an item of a class takes is letters, digits and underscores, with any flags."""
    if kind == "CATEGORY":
        return str(item) in (_WORD, "CATEGORY_DIGIT")
    first, last = item if kind == "RANGE" else (item, item)
    is_told = kind in ("RANGE", "LITERAL") and last < 128
    return is_told and all(chr(code).isalnum() or chr(code) == "_" for code in range(first, last + 1))


def _is_word(op: str, value: Any) -> bool:
    """True for ``\\w`` itself."""
    return op == "IN" and [(str(kind), str(item)) for kind, item in value] == [("CATEGORY", _WORD)]
