"""Limits: a converted graph refuses the numbers and dates on which its model raises, before it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from boucle.adapters.onnx_codes import DATES, NUMBERS
from boucle.adapters.onnx_terms import TERMS
from boucle.core.coding import Coding, Limit
from boucle.core.errors import InvalidRows, RowProblem
from boucle.core.i18n import _
from boucle.core.signature import Tensor

_MOST_PROBLEMS = 20
_NO_TIME = np.iinfo(np.int64).min  # a date that is missing


def limited(fill: Callable[[Any], Any], tensor: Tensor, coding: Coding | None) -> Callable[[Any], Any]:
    """Return what makes the array of a tensor and raises InvalidRows for each cell on which the model would raise."""
    if coding is None or tensor.name not in (NUMBERS, DATES):
        return fill
    limits = [coding.limits.get(name, Limit()) for name in tensor.columns]
    if all(limit == Limit() for limit in limits):
        return fill
    if tensor.name == NUMBERS:
        lowest = np.array([limit.lowest for limit in limits])
        highest = np.array([limit.highest for limit in limits])
    else:
        lowest, highest = (np.array(ends, dtype=np.int64) for ends in zip(*map(_instants, limits), strict=True))

    takes = np.array([limit.takes_missing for limit in limits])
    is_lenient = bool(takes.all())

    def filled(given: Any) -> Any:
        array = fill(given)
        # NaN is neither below nor within anything; to look for one byte takes half the time of any()
        is_beyond = (array < lowest) | (array > highest) if is_lenient else ~((array >= lowest) & (array <= highest))
        if 1 in is_beyond.tobytes():
            is_missing = np.isnan(array) if array.dtype.kind == "f" else array == _NO_TIME
            _refuse(np.where(is_missing, np.nan, array), is_beyond & ~(is_missing & takes), tensor, limits)
        return array

    return filled


def refusal(run: Callable[[dict[str, Any]], Any], feeds: dict[str, Any], start: int = 0) -> InvalidRows:
    """Return the error for rows on which a graph fails on purpose, because its model raises there.

    ``run`` raises on such rows; the first of them is found by halves, unless the rows share an array (terms).
    ``start`` is the row of the request that the first row is.
    """
    sizes = {len(array) for array in feeds.values()}
    is_shared = len(sizes) != 1 or any(name.startswith(TERMS) for name in feeds)
    row = None if is_shared else start + _first(run, feeds, sizes.pop())
    expected = _("values that the model takes")
    text = _("The model refuses the values of row {row}: a category or a number that it does not take.")
    if row is None:
        text = _("The model refuses the values of a row: a category or a number that it does not take.")
    return InvalidRows([RowProblem("refused-by-model", "", text.format(row=row), row, expected)], 1)


def _first(run: Callable[[dict[str, Any]], Any], feeds: dict[str, Any], n_rows: int) -> int:
    """Return the first row on which the graph fails: it fails on all rows up to that one, and on no fewer."""
    low, high = 0, n_rows
    while high - low > 1:
        middle = (low + high) // 2
        try:
            run({name: array[:middle] for name, array in feeds.items()})
        except Exception:  # noqa: BLE001  # what onnxruntime raises has no type of its own
            high = middle
        else:
            low = middle
    return low


def _instants(limit: Limit) -> tuple[int, int]:
    """Return the limits of a column of dates as integers: a missing date is the smallest of all."""
    ends = np.iinfo(np.int64)
    lowest = int(limit.lowest) if np.isfinite(limit.lowest) else ends.min + (not limit.takes_missing)
    return lowest, int(limit.highest) if np.isfinite(limit.highest) else ends.max


def _refuse(array: Any, is_wrong: Any, tensor: Tensor, limits: list[Limit]) -> None:
    """Raise InvalidRows for the cells that are wrong, NaN where missing; nothing when there are none."""
    if not is_wrong.any():
        return
    places = np.argwhere(is_wrong)
    problems = []
    for row, j in places[:_MOST_PROBLEMS].tolist():
        cell = float(array[row, j])
        problems.append(_problem(tensor, limits[j], (row, j), None if np.isnan(cell) else cell))
    raise InvalidRows(problems, len(places))


def _problem(tensor: Tensor, limit: Limit, place: tuple[int, int], cell: Any) -> RowProblem:
    row, name = place[0], tensor.columns[place[1]]
    is_date = tensor.name == DATES
    code, expected = "missing-value", _("a value (the model takes none missing)")
    if cell is not None:
        code, expected = ("date-out-of-range" if is_date else "number-out-of-range"), _expected(limit, is_date)
    text = _("Row {row}, column '{column}': expected {expected}, found {cell}.")
    told = text.format(row=row, column=name[:80], expected=expected, cell=_shown(cell, is_date))
    return RowProblem(code, name, told, row, expected)


def _expected(limit: Limit, is_date: bool) -> str:
    lowest, highest = _shown(limit.lowest, is_date), _shown(limit.highest, is_date)
    if np.isinf(limit.highest):
        return _("{lowest} or more (the model takes nothing below)").format(lowest=lowest)
    if np.isinf(limit.lowest):
        return _("{highest} or less (the model takes nothing beyond)").format(highest=highest)
    return _("a value between {lowest} and {highest} (the model takes no other)").format(lowest=lowest, highest=highest)


def _shown(cell: Any, is_date: bool) -> str:
    if cell is None:
        return "null"
    if not is_date or not np.isfinite(cell):
        return repr(float(cell))
    return str(np.datetime64(int(cell), "us"))
