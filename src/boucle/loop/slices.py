"""Slices: the rows of ``column=value``, in tables and in single rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from boucle.core.counting import level_of
from boucle.core.table import Table, missing_mask

MOST_SLICES = 20


def masks(rows: Table, slices: Iterable[str]) -> dict[str, Any]:
    """Return for each slice that holds rows which ones: boolean, shape ``(n_rows,)``. At most 20 slices are looked at.

    A number is compared as one (``1`` is ``1.0``), a boolean is ``true`` or ``false``; a missing cell is in no slice.
    """
    found: dict[str, Any] = {}
    for name in list(dict.fromkeys(slices))[:MOST_SLICES]:
        column, _equals, value = name.partition("=")
        if column in rows.columns:
            mask = _mask(rows, column, value)
            if mask.any():
                found[name] = mask
    return found


def slices_of(row: Mapping[str, Any], slices: Iterable[str]) -> tuple[str, ...]:
    """Return the slices that a row of JSON values lies in.

    >>> slices_of({"city": "Lyon", "rooms": 3}, ["city=Lyon", "rooms=3.0", "city=Rome"])
    ('city=Lyon', 'rooms=3.0')
    """
    found = []
    for name in list(dict.fromkeys(slices))[:MOST_SLICES]:
        column, _equals, value = name.partition("=")
        cell = row.get(column)
        if cell is not None and (cell if isinstance(cell, str) else level_of(cell)) == _same(cell, value):
            found.append(name)
    return tuple(found)


def _mask(rows: Table, name: str, value: str) -> Any:
    column = rows.columns[name]
    if column.kind == "text":
        return column.values == value
    if column.kind == "datetime":
        return np.zeros(len(column.values), dtype=bool)
    number = {"true": 1.0, "false": 0.0}.get(value) if column.kind == "bool" else _number(value)
    return (column.values == (np.nan if number is None else number)) & ~missing_mask(column)


def _same(cell: Any, value: str) -> str:
    """Return a value spelled as the level of a cell would be."""
    if isinstance(cell, (str, bool)):
        return value
    number = _number(value)
    return value if number is None else level_of(number)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
