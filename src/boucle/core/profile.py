"""Profile: a summary of rows that can be added. The profile of two sets of rows is the sum of their profiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from boucle.core.grid import Grid
from boucle.core.i18n import _
from boucle.core.packed import PackedReader, PackedWriter

_WHAT = "profile"
_SIZES = ("<u1", "<u2", "<u4", "<i8")


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

    def variance(self, place: int) -> float:
        """Return the variance (divided by n) of a numeric part; NaN when nothing was counted."""
        n = self.present(place)
        return max(float(self.squares[place]) / n - self.mean(place) ** 2, 0.0) if n else float("nan")

    def to_bytes(self) -> bytes:
        """Return the profile packed, without its grid: bins that hold nothing take next to no place."""
        packed = PackedWriter(_WHAT)
        held = np.flatnonzero((self.counts != 0) | (self.sums != 0))
        packed.array(np.array([self.n_rows, self.grid.n_bins, len(self.grid.parts)], dtype="<i8"))
        _pack_integers(packed, np.diff(held, prepend=0))
        _pack_integers(packed, self.counts[held])
        packed.array(self.sums[held][_numeric(self.grid, held)].astype("<f8"))
        _pack_integers(packed, self.missing)
        numbers = self.grid.numbers
        packed.array(np.concatenate([self.squares[numbers], self.low[numbers], self.high[numbers]]).astype("<f8"))
        return packed.done()

    @classmethod
    def from_bytes(cls, grid: Grid, data: bytes) -> Profile:
        """Read a packed profile of that grid. Raises InvalidDocument for bytes that are not one, or of another grid."""
        packed = PackedReader(_WHAT, data)
        with packed.refusing():
            n_rows, n_bins, n_parts = packed.array("<i8").tolist()
        if (n_bins, n_parts) != (grid.n_bins, len(grid.parts)):
            told = _("{parts} parts, {bins} bins; grid: {grid_parts} parts, {grid_bins} bins")
            found_size = {"parts": n_parts, "bins": n_bins, "grid_parts": len(grid.parts), "grid_bins": grid.n_bins}
            raise packed.wrong(told.format(**found_size))
        found = cls.empty(grid)
        numbers = grid.numbers
        with packed.refusing():
            held = np.cumsum(_integers(packed))
            found.counts[held] = _integers(packed)
            found.sums[held[_numeric(grid, held)]] = packed.array("<f8")
            found.missing[:] = _integers(packed)
            rest = packed.array("<f8").reshape(3, len(numbers))
        packed.end()
        found.squares[numbers], found.low[numbers], found.high[numbers] = rest
        return cls(grid, n_rows, found.counts, found.sums, found.missing, found.squares, found.low, found.high)


def _numeric(grid: Grid, held: Any) -> Any:
    """Return which of the bins are those of numbers."""
    return grid.has_sums[held]


def _pack_integers(packed: PackedWriter, values: Any) -> None:
    """Add integers in the fewest bytes that hold them all; a correction may leave negative ones."""
    low, high = (int(values.min()), int(values.max())) if len(values) else (0, 0)
    size = 3 if low < 0 else next((i for i in range(3) if high < 1 << (8 << i)), 3)
    packed.field(bytes([size]))
    packed.array(values.astype(_SIZES[size]))


def _integers(packed: PackedReader) -> Any:
    return packed.array(_SIZES[packed.field()[0]]).astype(np.int64)
