"""Coding: how the cells of a column become the integer codes that a converted graph takes.

A code is the place of a value in the vocabulary of its column; then one code for every other value, one for a missing
cell. The parity check of the build and the gateway apply this one function, so that what was proven is what is served.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

METADATA_KEY = "boucle.coding"


@dataclass(frozen=True)
class Coding:
    """The vocabularies of a graph by column, and the codes that the model refuses (it raises on them).

    >>> Coding({"city": ("Lyon", "Paris")}).codes("city", ["Paris", "Rome", None])
    [1, 2, 3]
    """

    vocabularies: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    refused: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def codes(self, column: str, cells: Sequence[Any]) -> list[int]:
        """Return the codes of cells (None when missing)."""
        return Coder(self.vocabularies[column]).codes(cells)

    def to_text(self) -> str:
        """Return the coding as the text that the file carries."""
        return json.dumps({"vocabularies": self.vocabularies, "refused": self.refused}, ensure_ascii=False)


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
    )
