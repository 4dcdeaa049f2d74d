"""Grid: the cells into which a profile counts values, frozen by the reference rows so that profiles can be added."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

PartKind = Literal["number", "level"]
OTHER, UNSEEN = "other", "unseen"


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

    def index(self, name: str) -> int:
        """Return the place of the part of that name. Raises KeyError."""
        for place, part in enumerate(self.parts):
            if part.name == name:
                return place
        raise KeyError(name)
