"""Limits: what a model refuses, found by asking it.

scikit-learn raises on rows that a graph would answer: a missing number where none may be, infinity, a number beyond
single precision before trees. The gateway must refuse the same rows, so the model is asked about each column by
itself, on a real row in which that one cell is changed. Columns are asked together first: when the model takes them
all, one call is enough.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from boucle.core.coding import Coder, Coding, Limit
from boucle.core.errors import ModelFailed
from boucle.core.table import Table, missing_mask
from boucle.packaging.edges import HUGE, MEASURED, SINGLE_MAX, SINGLE_TOP, UNKNOWN, changed
from boucle.packaging.ordered import KEYS
from boucle.packaging.ports import Predict

BUDGET_S = 2.0
PATIENCE_S = 4.0  # more for a limit that is searched to the last digit: a coarse one there would refuse real rows
Trial = tuple[str, Any]
"""A column, and the cell to ask about (None: missing)."""
_INF = float("inf")
_LARGEST = float(np.finfo(np.float64).max)
_FLOATS = (_INF, HUGE, SINGLE_TOP, SINGLE_MAX, 2.0**120, 2.0**100, MEASURED)
_INTS = (2**63 - 1, 2**62)
_BELOW = (2.0**48, 2.0**32)
_FAR = 2.0**10  # times a real number: nobody sends that
_LIKELY = (0, -1, 1)
_NARROW = 2.0**16  # times the range of a column: its square leaves 20 bits for what the other columns say


def _instants(*texts: str) -> tuple[int, ...]:
    return tuple(int(np.datetime64(text, "us").astype(np.int64)) for text in texts)


_RUNGS: dict[tuple[str, int], tuple[Any, ...]] = {
    ("float", 1): _FLOATS,
    ("float", -1): tuple(-x for x in _FLOATS),
    ("int", 1): _INTS,
    ("int", -1): tuple(-x for x in _INTS),
    ("datetime", 1): _instants("9999-12-31T23:59:59", "2262-04-11T00:00:00"),
    ("datetime", -1): _instants("0001-01-01T00:00:00", "1677-09-22T00:00:00"),
}
"""By kind and side: the farthest cell that callers can send, then those to fall back on."""


def with_limits(predict: Predict, rows: Table, coding: Coding, clock: Callable[[], float]) -> Coding:
    """Return the coding with all codes that the model refuses, and with the limits of its numbers and dates.

    ``rows`` are some that the model answers. Limits far beyond these are coarse: the largest of a few round numbers
    that all columns take. What the budget leaves unasked counts as refused; parity tells when that is wrong.
    """
    asker = _Asker(predict, rows, clock)
    plain = [name for name in rows.names if name not in coding.vocabularies and rows.columns[name].kind != "text"]
    holed = [name for name in plain if not missing_mask(rows.columns[name]).any()]
    missing = {name for name, _cell in asker.refused([(name, None) for name in holed])}
    lows, highs = _ends(asker, plain, -1), _ends(asker, plain, 1)
    numeric = [name for name in coding.vocabularies if name in rows.names and rows.columns[name].kind == "float"]
    endless = {name for name, _cell in asker.refused([(name, _INF) for name in numeric])}
    limits = {name: Limit(name not in missing, lows.get(name, -_INF), highs.get(name, _INF)) for name in plain}
    limits.update(dict.fromkeys(endless, Limit(lowest=-_LARGEST, highest=_LARGEST)))
    found = {name: limit for name, limit in limits.items() if limit != Limit()}
    return replace(coding, refused=_refused(asker, coding), limits=found)


def narrowed(coding: Coding, rows: Table) -> Coding:
    """Return the coding with limits 65,536 times as wide as the ranges of the real rows.

    Beyond them answers may hang on rounding: all distances to a neighbour are equal there. Where a graph differs from
    its model on such rows only, it had better refuse them.
    """
    limits = dict(coding.limits)
    for name, column in rows.columns.items():
        if column.kind not in ("float", "int") or name in coding.vocabularies:
            continue
        present = column.values[~missing_mask(column)].astype(np.float64)
        present = present[np.isfinite(present)]
        if len(present):
            widest = max(float(np.abs(present).max()), _NARROW * max(float(np.ptp(present)), 1e-30))
            bound = min(2.0 ** float(np.ceil(np.log2(widest))), MEASURED)
            was = limits.get(name, Limit())
            limits[name] = replace(was, lowest=max(was.lowest, -bound), highest=min(was.highest, bound))
    return replace(coding, limits=limits)


class _Asker:
    """Asks the model about single cells. ``refused`` gives up asking when the time is over."""

    def __init__(self, predict: Predict, rows: Table, clock: Callable[[], float]) -> None:
        self.rows = rows
        holes = sum((missing_mask(column).astype(int) for column in rows.columns.values()), np.zeros(rows.n_rows, int))
        self._row = int(np.argmin(holes))
        self._predict, self._clock = predict, clock
        self._end = clock() + BUDGET_S

    @property
    def is_over(self) -> bool:
        """True when the time is over."""
        return self._clock() >= self._end

    @property
    def is_late(self) -> bool:
        """True when even a search that has begun must end."""
        return self._clock() >= self._end + PATIENCE_S

    def takes(self, trials: Sequence[Trial]) -> bool:
        """Ask about all at once, one row each. Raises what the model's process raises when it is not the model."""
        try:
            self._predict(changed(self.rows, [self._row] * len(trials), [{name: cell} for name, cell in trials]))
        except ModelFailed as error:
            if error.kind != "predict":
                raise
            return False
        return True

    def refused(self, trials: Sequence[Trial]) -> list[Trial]:
        """Return which the model refuses: each is asked alone when not all are taken together."""
        if not trials or self.takes(trials):
            return []
        return [trial for trial in trials if len(trials) == 1 or self.is_over or not self.takes([trial])]


def _ends(asker: _Asker, names: Sequence[str], sign: int) -> dict[str, float]:
    """Return, of each column that does not take any number, the farthest that it takes on one side.

    The columns go down the round numbers together. Those that refuse even the last one by one go on below: to a number
    that is still far from any real one, or to the very last digit.
    """
    found: dict[str, float] = {}
    for kind in ("float", "int", "datetime"):
        farthest, *rungs = _RUNGS[kind, sign]
        columns = [name for name in names if asker.rows.columns[name].kind == kind]
        left = [name for name, _cell in asker.refused([(name, farthest) for name in columns])]
        left = _descended(asker, left, rungs, found)
        deep = [name for name, _cell in asker.refused([(name, rungs[-1]) for name in left])]
        found.update({name: float(rungs[-1]) for name in left if name not in deep})
        below = [sign * x for x in _BELOW if x > _FAR * max(_sizes(asker.rows, deep), default=0.0)]
        for name in _descended(asker, deep, below if kind == "float" else [], found):
            found[name] = _bisected(asker, name, kind, rungs[-1])
    return found


def _descended(asker: _Asker, names: list[str], rungs: Sequence[Any], found: dict[str, float]) -> list[str]:
    """Put down the first rung that all columns take, and return the columns that are left: all of them, or none."""
    for rung in rungs if names else ():
        if asker.takes([(name, rung) for name in names]):
            found.update(dict.fromkeys(names, float(rung)))
            return []
    return names


def _sizes(rows: Table, names: Sequence[str]) -> list[float]:
    """Return the largest number of each column, whatever its sign."""
    columns = [rows.columns[name] for name in names]
    present = [np.abs(column.values[~missing_mask(column)].astype(np.float64)) for column in columns]
    return [float(values[np.isfinite(values)].max(initial=0.0)) for values in present]


def _bisected(asker: _Asker, name: str, kind: str, refused: Any) -> float:
    """Return the farthest cell that a column takes, between its real ones and one that is refused."""
    column = asker.rows.columns[name]
    present = column.values[~missing_mask(column)]
    key_of, cell_of = KEYS[kind]
    if not len(present):
        return 0.0
    near = int(key_of(np.asarray([present.max() if refused > 0 else present.min()]))[0])
    far = int(key_of(np.asarray([refused], dtype=present.dtype))[0])

    def is_taken(key: int) -> bool:
        return asker.takes([(name, cell_of(np.asarray([key], dtype=np.int64)).tolist()[0])])

    step = 1 if far > near else -1
    for end in key_of(np.asarray(_LIKELY, dtype=present.dtype)).tolist():  # a logarithm's domain ends at such a number
        for last in (end - step, end):
            if step * near < step * (last + step) < step * far and not is_taken(last + step) and is_taken(last):
                return float(cell_of(np.asarray([last], dtype=np.int64))[0])
    while abs(far - near) > 1 and not asker.is_late:
        middle = (near + far) // 2
        near, far = (middle, far) if is_taken(middle) else (near, middle)
    cell = cell_of(np.asarray([near], dtype=np.int64)).tolist()[0]
    bound = float(cell)  # a large integer may be rounded: never outwards
    return bound if abs(bound) <= abs(cell) else float(np.nextafter(bound, 0.0))


def _refused(asker: _Asker, coding: Coding) -> dict[str, tuple[int, ...]]:
    """Return the codes that the model refuses, those that its first steps refuse and those that only the last do."""
    trials: list[Trial] = []
    for name, vocabulary in coding.vocabularies.items():
        if name not in asker.rows.names:
            continue
        cells = [*vocabulary, *_other(asker.rows.columns[name].kind, vocabulary), None]
        codes = coding.codes(name, cells)
        known = set(coding.refused.get(name, ()))
        trials += [(name, cell) for cell, code in zip(cells, codes, strict=True) if code not in known]
    found = {name: set(codes) for name, codes in coding.refused.items()}
    for name, cell in asker.refused(trials):
        found.setdefault(name, set()).update(Coder(coding.vocabularies[name]).codes([cell]))
    return {name: tuple(sorted(codes)) for name, codes in found.items()}


def _other(kind: str, vocabulary: Sequence[Any]) -> list[Any]:
    """Return a value that a vocabulary does not hold, where there can be one."""
    if kind == "text":
        return [UNKNOWN]
    top = max([abs(value) for value in vocabulary], default=0)
    if kind == "int":
        return [int(top) + 1]
    return [float(np.ceil(top)) + 1.0] if kind == "float" else []
