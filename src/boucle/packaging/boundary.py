"""Boundary rows: rows on which a graph and its model differ, if they differ anywhere.

A model changes its mind at thresholds deep inside: after scalers, powers, projections. Its marks say where. The graph
itself, run up to the marked values, tells which raw number moves them; halving the distance between two doubles then
finds the raw number at which a value crosses a threshold, whatever lies between. Rows are put there and up to three
doubles beside, and where a cast to single precision rounds across the threshold.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from boucle.core.errors import InvalidRows
from boucle.core.table import Table, concat, missing_mask
from boucle.packaging.crossing import Crossings, Moves, Place, crossings, moved, put, responses
from boucle.packaging.edges import edge_rows, mixed_rows
from boucle.packaging.ports import Converted, Inside, Mark

MOST_ROWS = 2000
_MOST_BASE = 1000
_MOST_CELLS = 2_000_000  # of one run of the graph
_NEAR = 4  # a threshold is tried on one of so many real rows on either side of it
_STRONGEST = 3  # of the raw columns that move a value
_LEVELS = 4  # around a threshold
_PILOTS = 3  # thresholds of a value that are tried to see whether it is stairs
_STAIRS = 4.0  # to keep off


def boundary_rows(made: Converted, rows: Table, n_rows: int = MOST_ROWS, seed: int = 0) -> Table:
    """Return at most ``n_rows`` rows, the same for the same seed: at thresholds, at edges, and mixed from real rows.

    ``rows`` are some that the model answers; ``made.coding`` holds the limits already, so that few rows are refused.
    """
    rng = np.random.default_rng(seed)
    tables = [edge_rows(rows, made.coding, rng, n_rows // 3), mixed_rows(rows, rng, n_rows // 10)]
    left = n_rows - sum(table.n_rows for table in tables)
    if made.marks and made.inside is not None and left > 0:
        tables += threshold_rows(made, rows, left, rng)
    return concat(tables)


def threshold_rows(made: Converted, rows: Table, n_rows: int, rng: Any) -> list[Table]:
    """Return tables of at most ``n_rows`` rows in all, at the thresholds of the marks: of one column and of many."""
    assert made.inside is not None  # noqa: S101  # just seen
    value = _Marked(made.inside, made.marks)
    base = _usable(value, rows)
    numbers = [name for name in base.names if name not in made.coding.vocabularies and _is_varied(base, name)]
    most = max(1, _MOST_CELLS // (4 * len(rows.names)))  # of the columns of a wide table, some
    numbers = sorted(rng.permutation(numbers)[:most].tolist()) if len(numbers) > most else numbers
    if not numbers:
        return []
    search = _Search(value, base, numbers, rng)
    search.widen()
    return search.rows(n_rows)


class _Marked:
    """The marked columns as one matrix, computed by the graph: ``value(rows)`` is ``(n_rows, n_marked)``."""

    def __init__(self, inside: Inside, marks: Sequence[Mark]) -> None:
        thresholds: dict[tuple[str, int], list[Any]] = {}
        for mark in marks:
            thresholds.setdefault((mark.value, mark.column), []).append(np.asarray(mark.thresholds, dtype=np.float64))
        self._inside = inside
        self._places = list(thresholds)
        self.thresholds = [np.unique(np.concatenate(found)) for found in thresholds.values()]

    def __call__(self, rows: Table) -> Any:
        found = self._inside(rows.columns)
        flat = {name: array[:, None] if array.ndim == 1 else array for name, array in found.items()}
        return np.column_stack([flat[name][:, column].astype(np.float64) for name, column in self._places])


def _usable(value: _Marked, rows: Table) -> Table:
    """Return up to 1,000 rows, less those that the graph refuses."""
    spread = np.linspace(0, rows.n_rows - 1, min(rows.n_rows, _MOST_BASE)).astype(np.int64)
    found = rows.take(spread)
    while found.n_rows:
        try:
            value(found)
        except InvalidRows as error:
            refused = {problem.row for problem in error.problems}
            found = found.take(np.array([row not in refused for row in range(found.n_rows)]))
            if None in refused:
                break
        else:
            return found
    return rows.take(slice(0, 0))


def _is_varied(rows: Table, name: str) -> bool:
    column = rows.columns[name]
    return column.kind in ("float", "int") and not bool(missing_mask(column).all())


class _Search:
    """Looks for crossings on real rows."""

    def __init__(self, value: _Marked, base: Table, numbers: Sequence[str], rng: Any) -> None:
        self._value, self._base, self._numbers, self._rng = value, base, numbers, rng
        self._response = responses(value, base, numbers)
        at = value(base)
        self._orders = [_order(at[:, p]) for p in range(at.shape[1])]
        self._sorted = [at[order, p] for p, order in enumerate(self._orders)]
        fits = _MOST_CELLS // (len(base.names) * self._response.grids.shape[1])
        self._most = max(1, fits // _LEVELS)

    def widen(self) -> None:
        """Widen the noise of values that are stairs: a power before a scaler may leave few digits of them.

        Where a stair ends hangs on the last digit of the power, so rows keep off by some stairs.
        """
        response, noisy = self._response, np.flatnonzero(self._response.noise).tolist()
        few = [(p, x) for p in noisy for x in self._rng.permutation(self._value.thresholds[p])[:_PILOTS].tolist()]
        found = self._crossings(few[: self._most])
        sides = [
            self._value(moved(self._base, self._numbers, Moves(found.row, found.column, keys)))
            for keys in (found.low, found.high)
        ]
        picked = np.arange(len(found.p)), found.p
        np.maximum.at(response.noise, found.p, _STAIRS * np.abs(sides[1][picked] - sides[0][picked]))

    def rows(self, n_rows: int) -> list[Table]:
        """Return a table of rows with one number at a threshold, and one of rows with about half of them at one."""
        base, numbers, rng = self._base, self._numbers, self._rng
        most = max(1, min(n_rows // _LEVELS, self._most))
        found = self._crossings(_spread(self._value.thresholds, self._response.movers, most, rng))
        is_whole = np.array([base.columns[name].kind == "int" for name in numbers])
        alone = moved(base, numbers, found.moves(n_rows - n_rows // 4, is_whole, rng))
        exact = found.taken(self._response.noise[found.p] == 0.0)
        return [alone, _many(base, numbers, exact, n_rows // 4, rng)]

    def _crossings(self, chosen: Sequence[tuple[int, float]]) -> Crossings:
        """Return the crossings of a few levels around each threshold, each on one of its strongest raw columns."""
        places, rng = [], self._rng
        for p, threshold in chosen:
            columns = self._response.movers[p][:_STRONGEST]
            for is_first, level in _levels(threshold, self._response.noise[p], rng) if len(columns) else ():
                column = int(columns[int(rng.integers(0, len(columns)))])
                places.append(Place(p, level, self._near(p, threshold), column, is_first))
        return crossings(self._value, self._base, self._numbers, places, self._response.grids)

    def _near(self, p: int, threshold: float) -> int:
        """Return a real row whose value is near a threshold: trees cut halfway between two of them."""
        order = self._orders[p]
        if not len(order):
            return int(self._rng.integers(0, self._base.n_rows))
        place = int(np.searchsorted(self._sorted[p], threshold)) + int(self._rng.integers(-_NEAR, _NEAR))
        return int(order[min(max(place, 0), len(order) - 1)])


def _spread(thresholds: Sequence[Any], movers: Sequence[Any], most: int, rng: Any) -> list[tuple[int, float]]:
    """Return up to ``most`` thresholds, as many of each mark as there are: one of each, then a second, ..."""
    ranked = []
    for p, found in enumerate(thresholds):
        if len(movers[p]):
            ranked += [(rank, rng.random(), p, x) for rank, x in enumerate(rng.permutation(found)[:most].tolist())]
    return [(p, threshold) for _rank, _lot, p, threshold in sorted(ranked)[:most]]


def _levels(threshold: float, noise: float, rng: Any) -> list[tuple[bool, float]]:
    """Return at which values to put rows for a threshold, the first of them being the threshold itself.

    Where a library compares in single precision, what matters lies halfway between two floats. Where the value is a
    rounded sum, ``noise`` says how far off it may be: closer than that even the model does not agree with itself.
    """
    step = float(rng.choice([-3, -2, -1, 1, 2, 3]))
    with np.errstate(over="ignore"):
        single = np.float32(threshold)
    size = float(np.spacing(np.abs(single)))
    if noise > 0.0:
        around = [(True, threshold - noise), (True, threshold + noise), (False, threshold + step * (size + noise))]
    else:
        floor = float(single) if float(single) <= threshold else float(np.nextafter(single, np.float32(-np.inf)))
        around = [(True, threshold), (False, floor + size / 2), (False, floor - size / 2)]
        around.append((False, threshold + step * size))
    return [(is_first, level) for is_first, level in around if np.isfinite(level)]


def _order(values: Any) -> Any:
    """Return the rows whose value is finite, in the order of their values."""
    order = np.argsort(values)
    return order[np.isfinite(values[order])]


def _many(base: Table, numbers: Sequence[str], found: Crossings, n_rows: int, rng: Any) -> Table:
    """Return rows in which about half of the columns sit at a crossing at once: deep nodes see some of them."""
    table = base.take(rng.integers(0, base.n_rows, n_rows if len(found.p) else 0))
    columns = dict(table.columns)
    for j in np.unique(found.column).tolist():
        keys = np.concatenate([found.low[found.column == j], found.high[found.column == j]])
        hit = np.flatnonzero(rng.random(table.n_rows) < 0.5)
        columns[numbers[j]] = put(columns[numbers[j]], hit, rng.choice(keys, len(hit)))
    return Table(columns)
