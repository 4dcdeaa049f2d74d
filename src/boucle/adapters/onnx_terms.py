"""Terms for the graphs that the platform converted: texts are cut before they reach the graph.

The terms of a text lie in one or more *segments* of equal length, so that one long text among many costs no memory
for the others. An input of terms is int64 ``(3, segments, length)``: of each place the row, the term and how often
it comes; what is left of a segment holds term 0, zero times. ``rows`` beside it is float64 ``(n, 1)``, all zero: how
many rows there are, where the last texts may hold no term.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from boucle.adapters.onnx_codes import CODES, DATES, NUMBERS
from boucle.core.coding import Coding
from boucle.core.errors import InvalidRows, ModelFailed, RowProblem
from boucle.core.i18n import _
from boucle.core.signature import Tensor
from boucle.core.table import cells as cells_of
from boucle_worker.frames import Columns
from boucle_worker.tokens import Count, counter

ROWS, TERMS = "rows", "terms:"
_DTYPES = {NUMBERS: "float64", CODES: "int64", DATES: "int64"}
LENGTH = 64  # of a segment, among several texts

Cells = Sequence[Sequence[Any]]


def tensor_of(name: str, columns: Sequence[str]) -> Tensor:
    """Return an input of a converted graph, which takes these raw columns. Raises KeyError for one that is none."""
    if name == ROWS:
        return Tensor(name, "float64", (None, 1), tuple(columns))
    if name.startswith(TERMS):
        return Tensor(name, "int64", (3, None, None), tuple(columns))
    return Tensor(name, _DTYPES[name], (None, len(columns)), tuple(columns))


def termed(tensor: Tensor, coding: Coding) -> Callable[[Cells], Any] | None:
    """Return what makes the array of terms, or of rows, of cells given column by column; None for another input.

    It raises InvalidRows naming the first row whose text is missing or cannot be cut: the model raises there itself.
    Raises ModelFailed when the file tells no way to cut texts, or one that could take very long on some of them.
    """
    if tensor.name == ROWS:
        return lambda cells: np.zeros((len(cells[0]), 1))
    told = coding.texts.get(tensor.name)
    if told is None:
        return None
    (count, missing), name = _counting(told), tensor.columns[0]

    def made(cells: Cells) -> Any:
        found = []
        for row, text in enumerate(cells[0]):
            known = missing if text is None else text
            if known is None:
                raise _missing(name, row)
            try:
                found.append(count(known))
            except UnicodeEncodeError as error:
                raise _unknown(name, row, text) from error
        return _one(found[0]) if len(found) == 1 else segments(found)

    return made


def _counting(told: Any) -> tuple[Count, str | None]:
    """Return what counts terms as a file tells, and the text that stands for a missing one, both tried once."""
    try:
        count, missing = counter(told["spec"], told["vocabulary"]), told["spec"].get("missing")
        for text in ("", "a", *([] if missing is None else [missing])):
            count(text)
    except Exception as error:  # the file may come from anywhere
        cause = ascii(str(error))[1:-1][:200] or type(error).__name__
        told_how = _("The ONNX file tells a way to cut texts that cannot be used: {cause}")
        raise ModelFailed(told_how.format(cause=cause), "load") from error
    return count, missing


def term_fill(tensor: Tensor, coding: Coding) -> Callable[[Columns], Any] | None:
    """Return what makes the array of terms, or of rows, of columns; None for another input."""
    made = termed(tensor, coding)
    return None if made is None else lambda columns: made([cells_of(columns[name]) for name in tensor.columns])


def segments(found: Sequence[Mapping[int, int]]) -> Any:
    """Return the counts of several texts as segments, at least one for each text.

    >>> segments([{7: 1, 2: 3}, {}]).tolist()
    [[[0, 0], [1, 1]], [[7, 2], [0, 0]], [[1, 3], [0, 0]]]
    """
    sizes = np.array([len(counts) for counts in found], dtype=np.int64)  # of no text at all too
    length = int(min(LENGTH, max(1, sizes.max(initial=1))))
    per_row = np.maximum(1, -(-sizes // length))
    starts = np.cumsum(per_row) - per_row
    out = np.zeros((3, int(per_row.sum()), length), dtype=np.int64)
    out[0] = np.repeat(np.arange(len(found)), per_row)[:, None]
    within = np.arange(int(sizes.sum())) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    place = np.repeat(starts, sizes) + within // length, within % length
    out[1][place] = np.fromiter(chain.from_iterable(found), np.int64, len(within))
    out[2][place] = np.fromiter(chain.from_iterable(counts.values() for counts in found), np.int64, len(within))
    return out


def part(array: Any, start: int, stop: int) -> Any:
    """Return the segments of some of the rows, counted from the first of them.

    >>> part(segments([{7: 1}, {}, {2: 3}]), 1, 3).tolist()
    [[[0], [1]], [[0], [2]], [[0], [3]]]
    """
    first, last = np.searchsorted(array[0, :, 0], [start, stop])  # segments lie in the order of their rows
    found = array[:, first:last].copy()
    found[0] -= start
    return found


def _one(counts: Mapping[int, int]) -> Any:
    """Return the counts of one text as one segment."""
    out = np.zeros((3, 1, max(1, len(counts))), dtype=np.int64)
    if counts:
        out[1, 0], out[2, 0] = np.fromiter(counts, np.int64), np.fromiter(counts.values(), np.int64)
    return out


def _missing(name: str, row: int) -> InvalidRows:
    expected = _("a value (the ONNX graph takes none missing)")
    told = _("Row {row}, column '{column}': expected {expected}.")
    told = told.format(row=row, column=name[:80], expected=expected)
    return InvalidRows([RowProblem("missing-value", name, told, row, expected)], 1)


def _unknown(name: str, row: int, cell: Any) -> InvalidRows:
    expected = _("a value that the model knows")
    told = _("Row {row}, column '{column}': expected {expected}, found {cell}.")
    told = told.format(row=row, column=name[:80], expected=expected, cell=ascii(cell)[:80])
    return InvalidRows([RowProblem("unknown-category", name, told, row, expected)], 1)
