"""Recognise a column that unknown code made of dates and numbers, from what it answered to probes."""

from __future__ import annotations

import math
from functools import partial
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

import numpy as np

from boucle_worker.describe.families.instants import DAY, LARGE, SMALL
from boucle_worker.describe.formulas import concat, cos, gather, sin
from boucle_worker.describe.graph import Value

EXACT = 1e-12  # relative: what two ways to write the same formula may differ by
_WAVES = {"day_second": 86400.0, "day_microsecond": float(DAY)}
_BETWEEN = ("days", "hours", "minutes", "seconds", "microseconds")
Inputs = Dict[str, Value]


class Formula(NamedTuple):
    """A column recognised: it hangs on the columns ``owners``; ``write`` makes ``(n, 1)`` of the values of all.

    A ``table`` ``(size,)`` of the small ``part`` of a date is told instead, so that several are looked up at once.
    """

    owners: Tuple[str, ...]
    write: Optional[Callable[[Inputs], Value]] = None
    is_copy: bool = False
    part: str = ""
    table: Any = None


class Probes:
    """What was asked: instants (int64 microseconds) of each date, numbers of each other column, ``(n,)`` each."""

    def __init__(self, dates: Dict[str, Any], numbers: Dict[str, Any]) -> None:
        self.dates, self.numbers = dates, numbers
        self._parts: Dict[Tuple[str, str], Any] = {}

    def part(self, date: str, name: str) -> Any:
        """Return a part of the instants of a date."""
        if (date, name) not in self._parts:
            formula = SMALL[name][0] if name in SMALL else LARGE[name]
            self._parts[date, name] = formula(self.dates[date])
        return self._parts[date, name]


def recognised(cells: Any, probes: Probes) -> Optional[Formula]:
    """Return the formula of a column of answers; None when it is none of those known, or always the same."""
    if cells.dtype.kind == "M":
        told = cells.astype("datetime64[us]").view(np.int64)
        same = [date for date, moments in probes.dates.items() if np.array_equal(told, moments)]
        return Formula((same[0],), partial(_copy, same[0]), is_copy=True) if same else None
    if cells.dtype.kind != "f" or (cells == cells[0]).all():
        return None
    return next(_candidates(cells.astype(np.float64), probes), None)


def written(found: Dict[str, Formula], inputs: Inputs) -> Tuple[List[str], Value]:
    """Return recognised columns as one matrix, and their names in its order."""
    names: List[str] = []
    pieces: List[Value] = []
    tables: Dict[Tuple[str, str], List[str]] = {}
    for name, formula in found.items():
        if formula.write is None:
            tables.setdefault((formula.owners[0], formula.part), []).append(name)
        else:
            pieces.append(formula.write(inputs).astype(np.float64))
            names.append(name)
    for (date, part), mine in tables.items():
        place = SMALL[part][0](inputs[date]).flat()
        pieces.append(gather(np.column_stack([found[name].table for name in mine]), place))
        names += mine
    return names, concat(pieces)


def _candidates(y: Any, probes: Probes) -> Iterator[Formula]:
    for name, numbers in probes.numbers.items():
        if np.array_equal(y, numbers):
            yield Formula((name,), partial(_copy, name), is_copy=True)
    for search in (_tables, _lines, _waves):
        for date in probes.dates:
            yield from search(y, probes, date)
    for first in probes.dates:
        for last in probes.dates:
            if first != last:
                yield from _between(y, probes, first, last)


def _tables(y: Any, probes: Probes, date: str) -> Iterator[Formula]:
    """Yield the small part of which y is a function: each value of the part always had the same answer."""
    for name, (_formula, size) in SMALL.items():
        part = probes.part(date, name)
        table = np.full(size, np.nan)
        table[part] = y
        if np.array_equal(table[part], y, equal_nan=True):
            yield Formula((date,), part=name, table=table)


def _lines(y: Any, probes: Probes, date: str) -> Iterator[Formula]:
    for name in LARGE:
        line = _line(probes.part(date, name), y)
        if line is not None:
            yield Formula((date,), partial(_along, line, name, (date,)))


def _waves(y: Any, probes: Probes, date: str) -> Iterator[Formula]:
    for name, period in _WAVES.items():
        angle = probes.part(date, name) * (2.0 * np.pi / period)
        for wave, written in ((np.sin, sin), (np.cos, cos)):
            if np.abs(wave(angle) - y).max() <= EXACT:
                yield Formula((date,), partial(_along, partial(_wave, written, period), name, (date,)))


def _between(y: Any, probes: Probes, first: str, last: str) -> Iterator[Formula]:
    """Yield the straight line of the whole days, hours, minutes, seconds or microseconds from one date to another."""
    apart = probes.dates[last] - probes.dates[first]
    for name in _BETWEEN:
        line = _line(LARGE[name](apart), y)
        if line is not None:
            yield Formula((first, last), partial(_along, line, name, (first, last)))


def _line(part: Any, y: Any) -> Any:
    """Return the straight line that makes y of a part, as a function; None when there is none."""
    part = part.astype(np.float64)
    low, high = int(part.argmin()), int(part.argmax())
    slope = (y[high] - y[low]) / (part[high] - part[low])
    if not np.isfinite(slope) or slope == 0.0:
        return None
    lines: List[Any] = []
    for factor in dict.fromkeys([float(round(slope)), float(slope)]):
        start = float(y[low] - factor * part[low])
        lines += [partial(_times, factor, begin) for begin in dict.fromkeys([float(round(start)), start])]
    over = round(1.0 / slope)
    if abs(over) > 1:
        start = float(round(y[low] * over - part[low]))
        lines += [partial(_over, float(over), begin) for begin in dict.fromkeys([0.0, start])]
    gaps = [float((np.abs(line(part) - y) / np.maximum(1.0, np.abs(y))).max()) for line in lines]
    best = int(np.argmin(gaps))
    return lines[best] if gaps[best] <= EXACT else None


def _times(factor: float, start: float, part: Any) -> Any:
    y = part if factor == 1.0 else part * factor
    return y if start == 0.0 else y + start


def _over(divisor: float, start: float, part: Any) -> Any:
    return (part if start == 0.0 else part + start) / divisor


def _wave(wave: Callable[[Value], Value], period: float, part: Value) -> Value:
    return wave(part * (2.0 * math.pi / period))


def _copy(name: str, inputs: Inputs) -> Value:
    return inputs[name]


def _along(line: Callable[[Value], Value], name: str, dates: Tuple[str, ...], inputs: Inputs) -> Value:
    """Return a straight line (or a wave) of a part of a date, or of what is between two."""
    told = inputs[dates[0]] if len(dates) == 1 else inputs[dates[1]] - inputs[dates[0]]
    return line(LARGE[name](told).astype(np.float64))
