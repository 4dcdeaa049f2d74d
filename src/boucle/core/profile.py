"""Profile: a summary of rows that can be added. The profile of two sets of rows is the sum of their profiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from boucle.core.grid import Grid


@dataclass(frozen=True, eq=False)
class Profile:
    """What a grid counted.

    ``counts`` (n_bins, int64) and ``sums`` (n_bins, float64: the sum of the values in a bin, 0 for levels) lie in the
    order of the grid's parts; ``missing`` (int64), ``squares`` (sums of squares), ``low`` and ``high`` (float64, inf
    and -inf while empty) have one number for each part.
    """

    grid: Grid
    n_rows: int
    counts: Any
    sums: Any
    missing: Any
    squares: Any
    low: Any
    high: Any

    @classmethod
    def empty(cls, grid: Grid) -> Profile:
        """Return the profile of no rows."""
        bins, parts = grid.n_bins, len(grid.parts)
        return cls(
            grid,
            0,
            np.zeros(bins, np.int64),
            np.zeros(bins),
            np.zeros(parts, np.int64),
            np.zeros(parts),
            np.full(parts, np.inf),
            np.full(parts, -np.inf),
        )

    def __add__(self, other: Profile) -> Profile:
        """Return the profile of the rows of both."""
        return Profile(
            self.grid,
            self.n_rows + other.n_rows,
            self.counts + other.counts,
            self.sums + other.sums,
            self.missing + other.missing,
            self.squares + other.squares,
            np.minimum(self.low, other.low),
            np.maximum(self.high, other.high),
        )

    def __sub__(self, other: Profile) -> Profile:
        """Return the profile less rows that it holds; ``low`` and ``high`` stay, for extremes cannot be taken back."""
        return Profile(
            self.grid,
            self.n_rows - other.n_rows,
            self.counts - other.counts,
            self.sums - other.sums,
            self.missing - other.missing,
            self.squares - other.squares,
            self.low,
            self.high,
        )

    def part(self, place: int) -> slice:
        """Return where the bins of a part lie in ``counts`` and ``sums``."""
        return slice(self.grid.offsets[place], self.grid.offsets[place + 1])

    def present(self, place: int) -> int:
        """Return how many cells of a part are not missing (keywords: how many were found, which may be more)."""
        return int(self.counts[self.part(place)].sum())

    def mean(self, place: int) -> float:
        """Return the mean of a numeric part; NaN when nothing was counted."""
        n = self.present(place)
        return float(self.sums[self.part(place)].sum()) / n if n else float("nan")
