"""Grid: the cells into which a profile counts values, frozen by the reference rows so that profiles can be added."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from boucle.core.packed import PackedReader, PackedWriter

PartKind = Literal["number", "level"]
OTHER, UNSEEN = "other", "unseen"
MOST = 1e140  # larger numbers are counted as this, so that no sum of squares is ever infinite
_WHAT = "grid"


@dataclass(frozen=True)
class Part:
    """One counted aspect of a column.

    ``aspect`` is "" for the value itself, else what is counted of it: ``length``, ``unknown_words`` and ``keywords``
    of a text, ``hour`` and ``weekday`` of a date. A *number* has ``len(edges) + 1`` bins: a value lies in bin
    ``searchsorted(edges, value, side="left")``, so an edge belongs to the bin on its left. A *level* has one bin for
    each of ``levels``, then one for ``other`` (levels of the reference beyond those kept, listed in ``others``) and
    one for ``unseen`` (levels that the reference did not hold). Missing cells are counted apart.
    """

    column: str
    kind: PartKind
    aspect: str = ""
    edges: tuple[float, ...] = ()
    levels: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What names it in a profile: ``price`` or ``title.length``."""
        return f"{self.column}.{self.aspect}" if self.aspect else self.column

    @property
    def n_bins(self) -> int:
        """Number of bins."""
        return len(self.edges) + 1 if self.kind == "number" else len(self.levels) + 2

    @cached_property
    def cuts(self) -> Any:
        """The edges as float64, shape ``(n_bins - 1,)``."""
        return np.array(self.edges, dtype=np.float64)

    @cached_property
    def bins(self) -> dict[str, int]:
        """The bin of each level that the reference held; any other text lies in ``n_bins - 1``."""
        found = dict.fromkeys(self.others, len(self.levels))
        found.update({level: place for place, level in enumerate(self.levels)})
        return found


@dataclass(frozen=True)
class Grid:
    """Parts in order; the bins of all parts lie side by side in a profile's ``counts`` and ``sums``."""

    parts: tuple[Part, ...]

    @cached_property
    def offsets(self) -> tuple[int, ...]:
        """Where the bins of each part begin, and, last, how many bins there are."""
        found = [0]
        for part in self.parts:
            found.append(found[-1] + part.n_bins)
        return tuple(found)

    @property
    def n_bins(self) -> int:
        """Number of bins of all parts."""
        return self.offsets[-1]

    @cached_property
    def numbers(self) -> Any:
        """The places of the number parts, int64, ascending."""
        return np.array([place for place, part in enumerate(self.parts) if part.kind == "number"], dtype=np.int64)

    @cached_property
    def has_sums(self) -> Any:
        """Of each bin whether it is one of numbers, bool ``(n_bins,)``: only those have ``sums``."""
        widths = np.array([part.n_bins for part in self.parts], dtype=np.int64)
        return np.repeat(np.array([part.kind == "number" for part in self.parts], dtype=bool), widths)

    @cached_property
    def outer(self) -> Any:
        """The first and the last bin of each number part, int64: the only ones that bound values on one side alone."""
        ends = [(self.offsets[place], self.offsets[place + 1] - 1) for place in self.numbers.tolist()]
        return np.unique(np.array(ends, dtype=np.int64))

    def index(self, name: str) -> int:
        """Return the place of the part of that name. Raises KeyError."""
        return self._places[name]

    @cached_property
    def _places(self) -> dict[str, int]:
        return {part.name: place for place, part in reversed(list(enumerate(self.parts)))}

    def to_bytes(self) -> bytes:
        """Return the grid packed: the same bytes for the same grid."""
        packed = PackedWriter(_WHAT)
        told = [[p.column, p.kind, p.aspect, len(p.edges), p.levels, p.others] for p in self.parts]
        packed.document(told)
        packed.array(np.array([edge for part in self.parts for edge in part.edges], dtype="<f8"))
        return packed.done()

    @classmethod
    def from_bytes(cls, data: bytes) -> Grid:
        """Read a packed grid. Raises InvalidDocument for bytes that are not one."""
        packed = PackedReader(_WHAT, data)
        told = packed.document()
        edges = packed.array("<f8").tolist()
        parts = []
        with packed.refusing():
            for column, kind, aspect, n_edges, levels, others in told:
                own, edges = tuple(edges[:n_edges]), edges[n_edges:]
                parts.append(Part(column, kind, aspect, own, tuple(levels), tuple(others)))
        packed.end()
        return cls(tuple(parts))
