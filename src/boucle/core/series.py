"""Series: the profiles of one key in order of time, as matrices, so that any window is a subtraction.

Counts and sums are kept added up from the first step on (prefix sums): a window is one row less another, whatever
its length. What cannot be subtracted exactly is kept step by step, with the totals of blocks of steps: extremes, the
sums of squares, and the sums of the outermost bins, where one absurd value would otherwise swallow the digits of all
windows after it (within an inner bin values are bounded by its edges, and no digits are lost).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from boucle.core.grid import Grid
from boucle.core.profile import Profile
from boucle.core.report import Span

_BLOCK = 32
_SPARE = 64  # rows kept free at the end, so that a series may grow without being copied


class Series:
    """``times`` (n,) are the begins of the steps, UTC microseconds, ascending; steps may differ in length.

    Steps may come in any order; those of the same time are added together (so minutes told by the begin of their hour
    make a series of hours). Memory: at most 16 bytes for each step
    and bin (a day of minutes of 4,600 bins: 106 MB), and 40 for each step and part. Not for several threads at once.

    >>> from boucle.core.grid import Part
    >>> grid = Grid((Part("age", "number"),))
    >>> Series(grid, [(0, Profile.empty(grid))]).within(Span(0, 60)).n_rows
    0
    """

    def __init__(self, grid: Grid, steps: Iterable[tuple[int, Profile]]) -> None:
        self.grid = grid
        self._times = np.zeros(0, dtype=np.int64)
        self._hold(_added(steps))

    def __len__(self) -> int:
        """Return the number of steps."""
        return len(self._times)

    @property
    def times(self) -> tuple[int, ...]:
        """The begins of the steps."""
        return tuple(self._times.tolist())

    @property
    def n_rows(self) -> Any:
        """The number of rows of each step, int64 ``(n,)``."""
        return self._plain.rows[: len(self), 0].astype(np.int64)

    @property
    def n_bytes(self) -> int:
        """The memory that it takes."""
        held = (self._counts, self._sums, self._plain.rows, self._plain.totals, self._least.rows, self._least.totals)
        return sum(array.nbytes for array in held)

    @property
    def steps(self) -> Iterator[tuple[int, Profile]]:
        """Begin and profile of each step, in order, made as they are asked for."""
        return ((time, self._between(i, i + 1)) for i, time in enumerate(self.times))

    def within(self, window: Span) -> Profile:
        """Return the profile of the steps that begin in a window."""
        start, stop = self._times.searchsorted((window.start, window.stop)).tolist()
        return self._between(start, stop) if start < stop else Profile.empty(self.grid)

    def extend(self, steps: Iterable[tuple[int, Profile]]) -> None:
        """Take newer steps: they replace all that is held from the first of them on."""
        newer = _added(steps)
        if not newer:
            return
        kept = int(self._times.searchsorted(min(newer)))
        if kept + len(newer) < len(self._counts):
            self._write(kept, newer)
        else:
            self._hold({**{time: self._between(i, i + 1) for i, time in enumerate(self.times[:kept])}, **newer})

    def forget(self, before: int) -> None:
        """Drop the steps that begin before a time, and free what they took."""
        first = int(self._times.searchsorted(before))
        if first:
            self._hold({self.times[i]: self._between(i, i + 1) for i in range(first, len(self))})

    def _hold(self, steps: dict[int, Profile]) -> None:
        """Make room for steps, and some more, and write them."""
        grid, room = self.grid, len(steps) + len(steps) // 8 + _SPARE
        self._inner = grid.has_sums.copy()
        self._inner[grid.outer] = False
        self._counts = np.zeros((room + 1, grid.n_bins), dtype=np.int64)
        self._sums = np.zeros((room + 1, int(self._inner.sum())))
        self._plain = _Blocks(np.add, room, 1 + 2 * len(grid.parts) + len(grid.outer))
        self._least = _Blocks(np.minimum, room, 2 * len(grid.parts))
        self._times = np.zeros(0, dtype=np.int64)
        self._write(0, steps)

    def _write(self, first: int, steps: dict[int, Profile]) -> None:
        """Write steps from row ``first`` on; what was there is no longer held."""
        outer, inner, times = self.grid.outer, self._inner, sorted(steps)
        for i, time in enumerate(times, first):
            step = steps[time]
            np.add(self._counts[i], step.counts, out=self._counts[i + 1])
            np.add(self._sums[i], step.sums[inner], out=self._sums[i + 1])
            self._plain.rows[i] = np.concatenate([[step.n_rows], step.missing, step.squares, step.sums[outer]])
            self._least.rows[i] = np.concatenate([step.low, -step.high])
        self._times = np.concatenate([self._times[:first], np.array(times, dtype=np.int64)])
        self._plain.refresh(first, len(self))
        self._least.refresh(first, len(self))

    def _between(self, start: int, stop: int) -> Profile:
        """Return the profile of the steps from place ``start`` to ``stop``, one at least."""
        grid, n = self.grid, len(self.grid.parts)
        sums = np.zeros(grid.n_bins)
        sums[self._inner] = self._sums[stop] - self._sums[start]
        plain, least = self._plain.within(start, stop), self._least.within(start, stop)
        sums[grid.outer] = plain[1 + 2 * n :]
        return Profile(
            grid,
            n_rows=int(plain[0]),
            counts=self._counts[stop] - self._counts[start],
            sums=sums,
            missing=plain[1 : 1 + n].astype(np.int64),
            squares=plain[1 + n : 1 + 2 * n],
            low=least[:n],
            high=-least[n:],
        )


class _Blocks:
    """Rows of numbers, and the totals of each 32 of them, so that long windows are summed up quickly."""

    def __init__(self, total: Any, room: int, width: int) -> None:
        self._total = total
        self.rows = np.zeros((room, width))
        self.totals = np.zeros((room // _BLOCK + 1, width))

    def refresh(self, start: int, stop: int) -> None:
        """Total the full blocks up to row ``stop`` of which rows from ``start`` on were written."""
        for block in range(start // _BLOCK, stop // _BLOCK):
            self.totals[block] = self._total.reduce(self.rows[block * _BLOCK : (block + 1) * _BLOCK])

    def within(self, start: int, stop: int) -> Any:
        """Return the total of rows ``start`` to ``stop``, one at least."""
        first, last = -(-start // _BLOCK), stop // _BLOCK
        if first >= last:
            return self._total.reduce(self.rows[start:stop])
        found = self._total.reduce(self.totals[first:last])
        for rows in (self.rows[start : first * _BLOCK], self.rows[last * _BLOCK : stop]):
            if len(rows):
                found = self._total(found, self._total.reduce(rows))
        return found


def _added(steps: Iterable[tuple[int, Profile]]) -> dict[int, Profile]:
    found: dict[int, Profile] = {}
    for time, profile in steps:
        found[time] = found[time] + profile if time in found else profile
    return found
