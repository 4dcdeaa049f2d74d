"""Two sets of answers on the same rows: are they the same, and if not, where and by how much?

The rule is numpy's: ``|found - expected| <= absolute + relative * |expected|``. Labels have no tolerance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from boucle.core.i18n import _
from boucle.core.signature import Task
from boucle.core.table import Column, Table, cells, missing_mask

NUMBERS = ("bool", "int", "float")


@dataclass(frozen=True)
class Tolerance:
    """How far two floats may lie apart and still be the same answer."""

    absolute: float
    relative: float


REPRODUCED = Tolerance(absolute=1e-9, relative=1e-9)  # the same code in the same environment: rounding only
PARITY = Tolerance(absolute=1e-5, relative=1e-3)  # another runtime, perhaps in single precision
WINDOW_RELATIVE, WINDOW_ABSOLUTE = 1e-5, 1e-6


def of_windows(notebook: Table) -> Tolerance:
    """Return how far the answers of a forecaster may lie from those of its notebook.

    A forecast lies so near the last value that what is usual elsewhere would hide any error: 0.1 % of a price is more
    than it moves in an hour. Beside 1e-5 of each number, 1e-6 of their mean size is let pass: near 0, single
    precision cannot do better.
    """
    numbers = [c for name, c in notebook.columns.items() if name == "prediction" and c.kind in NUMBERS]
    sizes = np.abs(_matrix(numbers[0])) if numbers else np.zeros(0)
    sizes = sizes[np.isfinite(sizes)]
    return Tolerance(WINDOW_ABSOLUTE * float(sizes.mean()) if len(sizes) else 0.0, WINDOW_RELATIVE)


@dataclass(frozen=True)
class Comparison:
    """What differs over ``n_rows`` rows; row positions count from 0.

    ``largest`` is the largest absolute difference of a float (inf when one side is missing) and ``largest_row``
    where it is; it may be within the tolerance. ``problem`` is a sentence when the answers have different shapes
    and nothing could be compared.
    """

    n_rows: int
    label_rows: tuple[int, ...] = ()
    number_rows: tuple[int, ...] = ()
    largest: float = 0.0
    largest_row: int | None = None
    problem: str = ""

    @property
    def rows(self) -> tuple[int, ...]:
        """Positions of all rows that differ, in order."""
        return tuple(sorted({*self.label_rows, *self.number_rows}))

    @property
    def is_same(self) -> bool:
        """True when every row agrees."""
        return not self.problem and not self.label_rows and not self.number_rows

    def worst_row(self) -> int | None:
        """Return the row to show: the largest float difference that counts, else the first label that differs."""
        if self.largest_row in self.number_rows:
            return self.largest_row
        return next(iter(self.rows), None)


def compare(found: Table, expected: Table, task: Task, tolerance: Tolerance) -> Comparison:
    """Compare answers column by column: ``prediction``, and whatever else ``expected`` holds.

    >>> def answer(*values): return Table({"prediction": Column("float", np.array(values))})
    >>> compare(answer(1.0, 2.5), answer(1.0, 2.0), "regression", REPRODUCED).rows
    (1,)
    """
    problem = _not_comparable(found, expected)
    if problem:
        return Comparison(expected.n_rows, problem=problem)
    n_rows = expected.n_rows
    wrong_label, wrong_number, difference = np.zeros(n_rows, bool), np.zeros(n_rows, bool), np.zeros(n_rows)
    for name, column in expected.columns.items():
        if name == "prediction" and not _is_number(column, found.columns[name], task):
            wrong_label |= ~_equal(found.columns[name], column)
            continue
        gap, beyond = _gaps(_matrix(found.columns[name]), _matrix(column), tolerance)
        difference = np.maximum(difference, gap)
        wrong_number |= beyond
    largest_row = int(np.argmax(difference)) if n_rows and difference.max() > 0 else None
    return Comparison(
        n_rows=n_rows,
        label_rows=_positions(wrong_label),
        number_rows=_positions(wrong_number),
        largest=0.0 if largest_row is None else float(difference[largest_row]),
        largest_row=largest_row,
    )


def shown_answer(answers: Table, row: int) -> str:
    """Return the answer of one row as a person reads it: ``'yes' [0.1, 0.9]``."""
    parts = []
    for name, column in answers.take(slice(row, row + 1)).columns.items():
        cell = cells(column)[0]
        parts.append(repr(cell) if name == "prediction" else "[" + ", ".join(f"{x:.9g}" for x in cell[:10]) + "]")
    return " ".join(parts)[:200]


def _not_comparable(found: Table, expected: Table) -> str:
    if found.n_rows != expected.n_rows:
        return _("{found} answers instead of {expected}").format(found=found.n_rows, expected=expected.n_rows)
    for name, column in expected.columns.items():
        if name not in found.columns:
            return _("no {name} although the notebook had some").format(name=name)
        here, there = _shape(found.columns[name]), _shape(column)
        if here != there:
            return _("{name} is {found} instead of {expected}").format(name=name, found=here, expected=there)
    return ""


def _shape(column: Column) -> str:
    """Return what must be equal for two columns to be compared: bool, int and float are all numbers."""
    if column.kind == "matrix":
        return _("a matrix of {width} columns").format(width=column.values.shape[1])
    return _("a number") if column.kind in NUMBERS else str(column.kind)


def _is_number(expected: Column, found: Column, task: Task) -> bool:
    """A float of a regression has a tolerance; the labels of a classification, float or not, have none."""
    return task == "regression" and "float" in (expected.kind, found.kind)


def _equal(found: Column, expected: Column) -> Any:
    gone, gone_there = missing_mask(found), missing_mask(expected)
    return (gone & gone_there) | (~gone & ~gone_there & (found.values == expected.values).astype(bool))


def _matrix(column: Column) -> Any:
    """Return the values as float64, shape ``(n_rows, width)``, NaN when missing."""
    if column.kind == "matrix":
        return column.values
    values = column.values.astype(np.float64)
    return np.where(missing_mask(column), np.nan, values)[:, None]


def _gaps(found: Any, expected: Any, tolerance: Tolerance) -> tuple[Any, Any]:
    """Return per row the largest absolute difference, and whether any value lies beyond the tolerance."""
    with np.errstate(invalid="ignore", over="ignore"):
        gap = np.abs(found - expected)
        allowed = tolerance.absolute + tolerance.relative * np.abs(expected)
    same = (found == expected) | (np.isnan(found) & np.isnan(expected))
    gap = np.where(same, 0.0, np.where(np.isnan(gap), np.inf, gap))
    beyond = ~same & ~(np.isfinite(gap) & (gap <= allowed))
    return gap.max(axis=1, initial=0.0), beyond.any(axis=1)


def _positions(mask: Any) -> tuple[int, ...]:
    return tuple(np.flatnonzero(mask).tolist())
