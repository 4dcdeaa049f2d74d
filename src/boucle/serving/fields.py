"""Field: one column of a schema, compiled: which values it takes, and how they become an array.

One rule everywhere: what cannot be represented is refused (a fraction for an int, an integer beyond 64 bits, true
for a number); what was merely not seen in the reference is served and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from boucle.core.i18n import _
from boucle.core.schema import ColumnSchema
from boucle.core.table import Column
from boucle.serving.dates import NOT_A_TIME, microseconds
from boucle.serving.findings import Findings, told
from boucle.serving.limits import INT64_MAX, INT64_MIN, Limits

Cells = Sequence[Any]
_MAX_EXACT_FLOAT = 2.0**53
_ACCEPTED: dict[str, frozenset[type]] = {
    "bool": frozenset({bool}),
    "int": frozenset({int, float}),
    "float": frozenset({int, float}),
    "category": frozenset({str}),
    "text": frozenset({str}),
    "datetime": frozenset({str}),
}


class Field:
    """``low`` and ``high`` bound the reference (None: unbounded), ``known`` holds its categories and None."""

    def __init__(self, schema: ColumnSchema, limits: Limits) -> None:
        self.name, self.type, self.nullable = schema.name, schema.type, schema.nullable
        self.max_text_bytes = limits.max_text_bytes
        nothing = {type(None)} if schema.nullable else set()
        self.accepted = _ACCEPTED[schema.type] | nothing
        self.known = None if schema.categories is None else frozenset(schema.categories) | {None}
        self.low, self.high = _bounds(schema)
        self._by_value = _BY_VALUE.get(schema.type)
        self._column = _COLUMNS[schema.type]

    @property
    def expected(self) -> str:
        """What the column takes, in words."""
        words = {
            "bool": _("true or false"),
            "int": _("a whole number"),
            "float": _("a number"),
            "datetime": _("an ISO 8601 date such as 2024-05-01T10:00:00Z"),
        }
        word = words.get(self.type, _("a text"))
        return _("{what} or null").format(what=word) if self.nullable else word

    def checked(self, cells: Cells, findings: Findings) -> Cells:
        """Return the cells, converted where the type asks for it; what is wrong goes to ``findings``."""
        types = set(map(type, cells))
        if not types <= self.accepted:
            self._find_wrong_types(cells, findings)
        elif self._by_value is not None:
            return self._by_value(self, cells, types, findings)
        return cells

    def column(self, cells: Cells) -> Column:
        """Return checked cells as a column, shape ``(n_rows,)``."""
        return self._column(cells)

    def wrong(self, findings: Findings, row: int, cell: Any, code: str) -> None:
        """Tell of one cell."""
        findings.add(code, self.name, row, expected=self.expected, found=told(cell))

    def _find_wrong_types(self, cells: Cells, findings: Findings) -> None:
        for row, cell in enumerate(cells):
            if type(cell) not in self.accepted:
                self.wrong(findings, row, cell, "missing-value" if cell is None else "wrong-type")


def _bounds(schema: ColumnSchema) -> tuple[Any, Any]:
    low, high = schema.minimum, schema.maximum
    if schema.type == "int":
        return (INT64_MIN, INT64_MAX) if low is None or high is None else (int(low), int(high))
    if low is None or high is None or schema.type not in ("float", "datetime"):
        return None, None
    return (microseconds(low), microseconds(high)) if schema.type == "datetime" else (low, high)


def _whole(field: Field, cells: Cells, types: set[type], findings: Findings) -> Cells:
    if float not in types:
        present = cells if type(None) not in types else [cell for cell in cells if cell is not None]
        if present and (max(present) > INT64_MAX or min(present) < INT64_MIN):
            _find_beyond_int64(field, cells, findings)
        return cells
    out = list(cells)
    for row, cell in enumerate(cells):
        if type(cell) is not float:
            continue
        if cell.is_integer() and abs(cell) <= _MAX_EXACT_FLOAT:
            out[row] = int(cell)
        else:
            field.wrong(findings, row, cell, "not-an-integer")
    _find_beyond_int64(field, out, findings)
    return out


def _find_beyond_int64(field: Field, cells: Cells, findings: Findings) -> None:
    for row, cell in enumerate(cells):
        if type(cell) is int and not INT64_MIN <= cell <= INT64_MAX:
            findings.add(
                "integer-out-of-range",
                field.name,
                row,
                expected=_("a whole number of 64 bits"),
                found=told(cell) if abs(cell) < 10**30 else _("a longer number"),
            )


def _instants(field: Field, cells: Cells, types: set[type], findings: Findings) -> Cells:
    del types
    out: list[int | None] = []
    for row, cell in enumerate(cells):
        try:
            out.append(None if cell is None else microseconds(cell))
        except (ValueError, OverflowError):
            field.wrong(findings, row, cell, "invalid-date")
    return tuple(out)


def _texts(field: Field, cells: Cells, types: set[type], findings: Findings) -> Cells:
    del types
    limit = field.max_text_bytes
    if max(map(len, filter(None, cells)), default=0) * 4 <= limit:
        return cells
    for row, cell in enumerate(cells):
        if cell is not None and len(cell) * 4 > limit and len(cell.encode("utf-8")) > limit:
            expected = _("a text of at most {limit} bytes").format(limit=limit)
            findings.add("text-too-long", field.name, row, expected=expected, found=told(cell))
    return cells


_BY_VALUE: dict[str, Callable[[Field, Cells, set[type], Findings], Cells]] = {
    "int": _whole,
    "datetime": _instants,
    "category": _texts,
    "text": _texts,
}


def _float_column(cells: Cells) -> Column:
    return Column("float", np.array(cells, dtype=np.float64))


def _masked_column(kind: str, dtype: Any) -> Callable[[Cells], Column]:
    def column(cells: Cells) -> Column:
        if None not in cells:
            return Column(kind, np.array(cells, dtype=dtype))
        missing = np.fromiter((cell is None for cell in cells), dtype=bool, count=len(cells))
        return Column(kind, np.array([cell or 0 for cell in cells], dtype=dtype), missing)

    return column


def _text_column(cells: Cells) -> Column:
    values = np.empty(len(cells), dtype=object)
    values[:] = cells
    return Column("text", values)


def _datetime_column(cells: Cells) -> Column:
    instants = [NOT_A_TIME if cell is None else cell for cell in cells]
    return Column("datetime", np.array(instants, dtype=np.int64).view("datetime64[us]"))


_COLUMNS: dict[str, Callable[[Cells], Column]] = {
    "bool": _masked_column("bool", np.bool_),
    "int": _masked_column("int", np.int64),
    "float": _float_column,
    "category": _text_column,
    "text": _text_column,
    "datetime": _datetime_column,
}
