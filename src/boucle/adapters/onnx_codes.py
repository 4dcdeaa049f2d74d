"""Codes and instants for the graphs that the platform converted: texts are looked up before they reach the graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from boucle.core.coding import Coder, Coding
from boucle.core.errors import InvalidRows, RowProblem
from boucle.core.i18n import _
from boucle.core.signature import Tensor
from boucle.core.table import cells as cells_of
from boucle_worker.frames import Columns

NUMBERS, CODES, DATES = "numbers", "codes", "dates"


def coded(tensor: Tensor, coding: Coding) -> Callable[[Sequence[Sequence[Any]]], Any]:
    """Return what makes the codes ``(n, columns)`` of cells, given column by column.

    It raises InvalidRows naming the first cell that the model refuses: it raises there itself.
    """
    coders = [(name, Coder(coding.vocabularies[name])) for name in tensor.columns]
    refused = {i: set(coding.refused[name]) for i, name in enumerate(tensor.columns) if coding.refused.get(name)}
    limits = {i: coding.limits[name] for i, name in enumerate(tensor.columns) if name in coding.limits}

    def codes(cells: Sequence[Sequence[Any]]) -> Any:
        found = [coder.codes(column) for (_name, coder), column in zip(coders, cells, strict=True)]
        for i, codes in refused.items():
            if not codes.isdisjoint(found[i]):
                row = next(row for row, code in enumerate(found[i]) if code in codes)
                raise _refusal(tensor.columns[i], row, cells[i][row])
        for i, limit in limits.items():  # of numbers in a vocabulary: infinity is unknown, and refused all the same
            for row, cell in enumerate(cells[i]):
                if cell is not None and not limit.lowest <= cell <= limit.highest:
                    raise _refusal(tensor.columns[i], row, cell)
        return np.array(found, dtype=np.int64).T

    return codes


def code_fill(tensor: Tensor, coding: Coding) -> Callable[[Columns], Any]:
    """Return what makes the codes of columns."""
    code = coded(tensor, coding)
    return lambda columns: np.ascontiguousarray(code([cells_of(columns[name]) for name in tensor.columns]))


def date_fill(tensor: Tensor) -> Callable[[Columns], Any]:
    """Return what makes the instants of columns: microseconds since 1970, the smallest int64 when missing."""
    return lambda columns: np.column_stack([columns[name].values.view(np.int64) for name in tensor.columns])


def _refusal(name: str, row: int, cell: Any) -> InvalidRows:
    expected = _("a value that the model knows")
    text = _("Row {row}, column '{column}': expected {expected}, found {cell}.")
    told = text.format(row=row, column=name[:80], expected=expected, cell=repr(cell)[:80])
    return InvalidRows([RowProblem("unknown-category", name, told, row, expected)], 1)
