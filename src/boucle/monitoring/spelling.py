"""Spelling: the same class is told as ``1`` by a model, as ``"1"`` by a CSV file and as ``true`` by a form."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from boucle.core.counting import level_of

_WORDS = {"true": True, "yes": True, "y": True, "t": True, "1": True, "on": True, "oui": True, "vrai": True} | {
    "false": False,
    "no": False,
    "n": False,
    "f": False,
    "0": False,
    "off": False,
    "non": False,
    "faux": False,
}


class Classes:
    """Finds the class that a truth means.

    The first of these that names exactly one class: the same text; the same text but for case and blanks around it;
    the same number (``1``, ``1.0``, ``"01"``); and, of two classes that are a no and a yes themselves (``0 1``,
    ``false true``, ``no yes`` ...), the same of the two.

    >>> Classes(("0", "1")).place("yes"), Classes(("no", "yes")).place(True), Classes(("a", "b")).place("c")
    (1, 1, -1)
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._tables = [_unambiguous(names, spelled) for spelled in _SPELLED[:3]]
        words = _unambiguous(names, _as_word) if len(names) == 2 else {}
        self._tables.append(words if len(words) == 2 else {})
        self._known: dict[str, int] = {}

    def place(self, value: Any) -> int:
        """Return the place of a value's class, -1 when it is none."""
        text = level_of(value)
        if text not in self._known:
            if len(self._known) > 100_000:  # a caller may send any number of different texts
                self._known.clear()
            self._known[text] = self._found(text)
        return self._known[text]

    def keys(self, values: Iterable[Any]) -> set[Any]:
        """Return a set of values in which the spellings of one class are one; of no class, texts but for case."""
        return {place if (place := self.place(value)) >= 0 else _folded(level_of(value)) for value in values}

    def _found(self, text: str) -> int:
        for spelled, table in zip(_SPELLED, self._tables, strict=True):
            place = table.get(spelled(text))
            if place is not None:
                return place
        return -1


def _unambiguous(names: Sequence[str], spelled: Callable[[str], Any]) -> dict[Any, int]:
    keys = [spelled(name) for name in names]
    return {key: place for place, key in enumerate(keys) if key is not None and keys.count(key) == 1}


def _folded(text: str) -> str:
    return text.strip().casefold()


def _as_number(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if found == found else None


def _as_word(text: str) -> bool | None:
    key = _folded(text)
    if key in _WORDS:
        return _WORDS[key]
    number = _as_number(key)
    return bool(number) if number in (0.0, 1.0) else None


_SPELLED: tuple[Callable[[str], Any], ...] = (str, _folded, _as_number, _as_word)
