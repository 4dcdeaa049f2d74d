"""Coding: how the cells of a column become the integer codes that a converted graph takes.

A code is the place of a value in the vocabulary of its column; then one code for every other value, one for a missing
cell. The parity check of the build and the gateway apply this one function, so that what was proven is what is served.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

METADATA_KEY = "boucle.coding"
_INFINITY = float("inf")


@dataclass(frozen=True)
class Limit:
    """What a model takes in a column of numbers or dates; it raises on anything else.

    ``lowest`` and ``highest`` are taken themselves, infinite ones too: an infinite limit is none. Dates are told in
    microseconds since 1970.
    """

    takes_missing: bool = True
    lowest: float = -_INFINITY
    highest: float = _INFINITY


@dataclass(frozen=True)
class Coding:
    """The vocabularies of a graph by column, the codes that the model refuses (it raises on them), and the limits.

    A column without a limit takes any number, and a missing cell. ``texts`` tells of each input of terms how its
    ``column`` is cut: the ``spec`` for ``boucle_worker.tokens``, and the ``vocabulary``.

    >>> Coding({"city": ("Lyon", "Paris")}).codes("city", ["Paris", "Rome", None])
    [1, 2, 3]
    """

    vocabularies: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    refused: dict[str, tuple[int, ...]] = field(default_factory=dict)
    limits: dict[str, Limit] = field(default_factory=dict)
    texts: dict[str, dict[str, Any]] = field(default_factory=dict)

    def codes(self, column: str, cells: Sequence[Any]) -> list[int]:
        """Return the codes of cells (None when missing)."""
        return Coder(self.vocabularies[column]).codes(cells)

    def to_text(self) -> str:
        """Return the coding as the text that the file carries."""
        limits = {name: _told(limit) for name, limit in self.limits.items()}
        told = {"vocabularies": self.vocabularies, "refused": self.refused, "limits": limits, "texts": self.texts}
        return json.dumps(told, ensure_ascii=False)


class Coder:
    """The coding of one column, ready for many cells."""

    def __init__(self, vocabulary: Sequence[Any]) -> None:
        self._places: dict[Any, int] = {value: i for i, value in enumerate(vocabulary)}
        self._places[None] = len(vocabulary) + 1
        self._unknown = len(vocabulary)

    def codes(self, cells: Sequence[Any]) -> list[int]:
        """Return the codes of cells (None when missing)."""
        find, unknown = self._places.get, self._unknown
        return [find(cell, unknown) for cell in cells]


def read_coding(text: str) -> Coding:
    """Return the coding that a file carries. Raises ValueError or TypeError when it is none.

    >>> read_coding(Coding({"city": ("Lyon",)}).to_text()).vocabularies
    {'city': ('Lyon',)}
    """
    found = json.loads(text)
    return Coding(
        {name: tuple(values) for name, values in found["vocabularies"].items()},
        {name: tuple(codes) for name, codes in found["refused"].items()},
        {name: _limit(told) for name, told in found.get("limits", {}).items()},
        dict(found.get("texts", {})),
    )


def _told(limit: Limit) -> dict[str, Any]:
    """Return a limit as JSON, which has no infinity."""
    ends = {"lowest": limit.lowest, "highest": limit.highest}
    return {"takes_missing": limit.takes_missing, **{n: None if abs(x) == _INFINITY else x for n, x in ends.items()}}


def _limit(told: Mapping[str, Any]) -> Limit:
    lowest, highest = told["lowest"], told["highest"]
    return Limit(
        bool(told["takes_missing"]),
        -_INFINITY if lowest is None else float(lowest),
        _INFINITY if highest is None else float(highest),
    )
