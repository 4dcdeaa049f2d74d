"""Crossings: the raw numbers at which a value inside a graph crosses a level, found by halving between two doubles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from boucle.core.table import Column, Table, missing_mask
from boucle.packaging.ordered import KEYS, float_keys, floats_at, middles

Marked = Callable[[Table], Any]
"""Raw rows in, the marked columns ``(n_rows, n_marked)`` out."""
_ROUNDS = 64  # halvings between any two doubles
_QUANTILES = 7
_PROBED = (0, 2, 4, 6)  # of the quantiles, where columns are tried
_MOST_PROBES = 3  # real rows on which they are
_ROUNDING = 2.0**-50  # of a sum, as part of the size of its terms: four units in the last place


@dataclass(frozen=True)
class Moves:
    """One cell changed a row: row ``row[i]`` of the base takes the number at ``key[i]`` in column ``column[i]``."""

    row: Any
    column: Any
    key: Any


class Place(NamedTuple):
    """A crossing to look for: marked column ``p`` at ``level``, moving one raw column of a real row.

    ``is_first`` says that the rows on both of its sides matter before all others.
    """

    p: int
    level: float
    row: int
    column: int
    is_first: bool


@dataclass(frozen=True)
class Response:
    """What raw columns do to the marked ones.

    ``movers[p]`` are those that move a marked column, the strongest first. ``noise[p]`` is 0 when one number alone
    moves it, in a straight line: then each library computes the same double. ``grids`` are places ``(n_numbers, k)``
    over and beyond the range of each raw column, in order.
    """

    movers: list[Any]
    noise: Any
    grids: Any


@dataclass(frozen=True)
class Crossings:
    """Neighbouring numbers (as places) between which a marked column crosses a level, one of each array an item."""

    p: Any
    row: Any
    column: Any
    is_first: Any
    low: Any
    high: Any

    def taken(self, which: Any) -> Crossings:
        """Return some of them."""
        return Crossings(*(array[which] for array in vars(self).values()))

    def moves(self, most: int, is_whole: Any, rng: Any) -> Moves:
        """Return at most ``most`` changed cells: both sides of each first, then numbers beside them.

        ``is_whole`` says of each raw column whether it holds integers.
        """
        near = [self.low, self.high, self.low - 1, self.low - 2, self.high + 1, self.high + 2]
        whole = is_whole[self.column]
        near += [np.where(whole, self.low, single) for single in _singles(floats_at(np.where(whole, 0, self.low)))]
        keys = np.column_stack(near)
        lots = rng.random(keys.shape)
        lots[self.is_first, :2] -= 2.0
        order = np.argsort(lots, axis=None)[:most]
        item, which = np.unravel_index(np.sort(order), keys.shape)
        return Moves(self.row[item], self.column[item], keys[item, which])


def moved(base: Table, numbers: Sequence[str], moves: Moves) -> Table:
    """Return the rows of the base with their cells changed."""
    table = base.take(moves.row)
    columns = dict(table.columns)
    for j in np.unique(moves.column).tolist():
        hit = np.flatnonzero(moves.column == j)
        columns[numbers[j]] = put(columns[numbers[j]], hit, moves.key[hit])
    return Table(columns)


def put(column: Column, places: Any, keys: Any) -> Column:
    """Return a column of numbers with those at ``keys`` in some of its places."""
    values = column.values.copy()
    values[places] = KEYS[column.kind][1](keys)
    if column.missing is None:
        return Column(column.kind, values)
    missing = column.missing.copy()
    missing[places] = False
    return Column(column.kind, values, missing)


def responses(value: Marked, base: Table, numbers: Sequence[str]) -> Response:
    """Find what each raw column moves: each is tried at four places, on up to three real rows."""
    grids = np.array([_grid(base.columns[name]) for name in numbers])
    probes = _PROBED[1:] if len(numbers) > 100 else _PROBED
    tried = np.sort(grids[:, 2:-2], axis=1)[:, list(probes)]
    n_rows = 1 if len(numbers) > 100 else min(_MOST_PROBES, base.n_rows)
    rows = np.linspace(0, base.n_rows - 1, n_rows).astype(np.int64)
    shape = (n_rows, len(numbers), len(probes))
    row, column, which = (axis.ravel() for axis in np.indices(shape))
    found = value(moved(base, numbers, Moves(rows[row], column, tried[column, which]))).reshape(*shape, -1)
    x = np.array([KEYS[base.columns[name].kind][1](tried[j]) for j, name in enumerate(numbers)], dtype=np.float64)
    with np.errstate(all="ignore"):
        steps, slopes = _slopes(found, x)
        strength = np.fmax.reduce(np.abs(steps), axis=(0, 2))  # (n_numbers, n_marked)
        steepest = np.nan_to_num(np.fmax.reduce(np.abs(slopes), axis=(0, 2)), posinf=0.0)
        is_bent = np.fmax.reduce(slopes, axis=(0, 2)) - np.fmin.reduce(slopes, axis=(0, 2)) > 1e-6 * steepest
        size = np.fmax.reduce(np.abs(found), axis=(0, 1, 2))
        terms = (steepest * np.abs(x).max(axis=1)[:, None]).sum(axis=0) + np.nan_to_num(size, posinf=0.0)
    is_mover = strength > 0.0
    is_exact = (is_mover.sum(axis=0) <= 1) & ~(is_bent & is_mover).any(axis=0)
    order = np.argsort(-np.nan_to_num(strength, nan=-1.0), axis=0)
    movers = [order[: int(is_mover[:, p].sum()), p] for p in range(found.shape[-1])]
    return Response(movers, np.where(is_exact, 0.0, terms * _ROUNDING), grids)


def crossings(value: Marked, base: Table, numbers: Sequence[str], wanted: Sequence[Place], grids: Any) -> Crossings:
    """Return the crossings that lie within the grids, each narrowed down to two neighbouring numbers."""
    p, row, column = (np.array([getattr(w, name) for w in wanted], dtype=np.int64) for name in ("p", "row", "column"))
    level, is_first = np.array([w.level for w in wanted]), np.array([w.is_first for w in wanted], dtype=bool)
    steps = grids[column]
    n, k = steps.shape

    def is_below(which: Any, keys: Any) -> tuple[Any, Any]:
        at = value(moved(base, numbers, Moves(row[which], column[which], keys)))[np.arange(len(which)), p[which]]
        return at <= level[which], np.isnan(at)

    below, is_none = (found.reshape(n, k) for found in is_below(np.repeat(np.arange(n), k), steps.ravel()))
    flips = (below[:, 1:] != below[:, :-1]) & ~is_none[:, 1:] & ~is_none[:, :-1]
    which = np.flatnonzero(flips.any(axis=1))
    at = flips[which].argmax(axis=1)
    low, high, start = steps[which, at], steps[which, at + 1], below[which, at]
    for _round in range(_ROUNDS):
        middle = middles(low, high)
        if (middle == low).all():  # neighbours (their difference may be beyond 64 bits until then)
            break
        is_low = is_below(which, middle)[0] == start
        low, high = np.where(is_low, middle, low), np.where(is_low, high, middle)
    return Crossings(p[which], row[which], column[which], is_first[which], low, high)


def _slopes(found: Any, x: Any) -> tuple[Any, Any]:
    """Return differences between neighbouring places, and these by the differences of the raw column."""
    steps = np.diff(found, axis=2)
    apart = np.diff(x, axis=1)[None, :, :, None]
    return steps, np.where(apart > 0, steps / apart, np.nan)


def _grid(column: Column) -> Any:
    """Return places in order: two below the range of a column, seven of its quantiles, two above."""
    present = column.values[~missing_mask(column)]
    present = present[np.isfinite(present)] if column.kind == "float" else present.astype(np.float64)
    present = np.clip(present, -1e18, 1e18) if column.kind == "int" else present
    inner = np.quantile(present, np.linspace(0, 1, _QUANTILES)) if len(present) else np.linspace(0, 1, _QUANTILES)
    if inner[0] == inner[-1]:
        inner = np.linspace(inner[0] - 1 - abs(inner[0]), inner[0] + 1 + abs(inner[0]), _QUANTILES)
    low, high = float(inner[0]), float(inner[-1])
    span = max(min(high - low, 1e100), 1.0 if column.kind == "int" else 0.0)
    points = [low - 8 * span, low - span, *inner.tolist(), high + span, high + 8 * span]
    if column.kind == "int":
        return np.clip(np.round(points), -(2.0**62), 2.0**62).astype(np.int64)
    return float_keys(np.array(points))


def _singles(values: Any) -> list[Any]:
    """Return the places of the floats of single precision around numbers: what callers with such rows send."""
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    sides = (single, np.nextafter(single, np.float32(-np.inf)), np.nextafter(single, np.float32(np.inf)))
    return [float_keys(side.astype(np.float64)) for side in sides]
