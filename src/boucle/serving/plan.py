"""RowPlan: the schema of a version, compiled once, through which each request passes.

Few rows (most requests) stay Python values until their batch is run: making fourteen arrays of one cell costs more
than the model. Many rows become arrays at once and are counted as arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from boucle.core.cutting import newest, outset
from boucle.core.errors import InvalidRows
from boucle.core.schema import Schema
from boucle.core.table import Column, Table, missing_mask
from boucle.core.window import Window
from boucle.serving.fields import Field
from boucle.serving.findings import Findings
from boucle.serving.limits import INT64_MAX, INT64_MIN, Limits
from boucle.serving.raw import Names, RawRows
from boucle_worker.frames import Columns

FEW_ROWS = 16
_MAX_KNOWN_TYPES = 256


class Rows(NamedTuple):
    """The rows of a request, right by the schema: ``cells`` by column while they are few, else ``columns``.

    ``unseen`` counts categories that the reference did not hold, ``out_of_range`` values beyond its range. Of a model
    that answers windows, ``n_rows`` are the answers wanted, ``columns`` hold the rows of as many windows, and
    ``groups`` name whose they are.
    """

    n_rows: int
    cells: Sequence[Sequence[Any]] | None = None
    columns: Columns | None = None
    unseen: int = 0
    out_of_range: int = 0
    ignored: tuple[str, ...] = ()
    groups: tuple[Any, ...] | None = None


class RowPlan:
    """Checks rows against a schema and makes their columns.

    >>> from boucle.core.schema import ColumnSchema, Schema
    >>> plan = RowPlan(Schema((ColumnSchema("age", "int", minimum=18, maximum=90),)), Limits())
    >>> plan.read(RawRows(2, [(41, 100)])).out_of_range
    1
    """

    def __init__(self, schema: Schema, limits: Limits) -> None:
        self.schema = schema
        self.limits = limits
        self.names = Names(schema, limits)
        self.fields = tuple(Field(column, limits) for column in schema.columns)
        self._ranged = [(i, f.low, f.high) for i, f in enumerate(self.fields) if f.low is not None]
        self._categorical = [(i, f.known) for i, f in enumerate(self.fields) if f.known is not None]
        self._dated = [i for i, f in enumerate(self.fields) if f.type == "datetime"]
        self._plain_types: set[tuple[type, ...]] = set()
        self._window = schema.window

    def read(self, raw: RawRows, has_long_texts: bool = False) -> Rows:
        """Return the rows, checked. ``has_long_texts`` says that a cell may be beyond the limit of texts.

        Raises InvalidRows naming rows and columns: 20 problems at most, and how many there are in all.
        """
        if self._window is not None:
            return self._newest(self._all_checked(raw), self._window)
        if raw.n_rows == 1 and not has_long_texts:
            types = tuple([type(column[0]) for column in raw.columns])
            if types in self._plain_types:
                return self._few(raw, self._checked(raw.columns, self._dated) if self._dated else raw.columns)
            self._remember(types)
        return self._all_checked(raw)

    def columns(self, parts: Sequence[Rows]) -> Columns:
        """Return the columns of the rows of several requests (or of one that holds many), in order."""
        first = parts[0]
        if first.columns is not None:
            return first.columns
        return {f.name: f.column(cells) for f, cells in zip(self.fields, joined(parts), strict=True)}

    def example(self) -> Columns | None:
        """Return the example row of the schema as columns (a window of it); None when it holds no usable one."""
        try:
            return self.example_rows()
        except InvalidRows:
            return None

    def example_rows(self) -> Columns:
        """Return the example row of the schema as columns: as many of it as make one answer. Raises InvalidRows."""
        rows = self._all_checked(RawRows(1, [(column.example,) for column in self.schema.columns]))
        if self._window is None:
            return self.columns([rows])
        return outset(Table(self.columns([rows])), self._window).columns

    def _newest(self, rows: Rows, window: Window) -> Rows:
        found = newest(Table(self.columns([rows])), window)
        return rows._replace(n_rows=found.n, cells=None, columns=found.table.columns, groups=found.groups)

    def _all_checked(self, raw: RawRows) -> Rows:
        columns = self._checked(raw.columns, range(len(self.fields)))
        return self._few(raw, columns) if raw.n_rows <= FEW_ROWS else self._many(raw, columns)

    def _remember(self, types: tuple[type, ...]) -> None:
        """Keep types that need no look at the values: right ones, less floats where an int is wanted."""
        is_plain = all(
            t in f.accepted and not (t is float and f.type == "int") for t, f in zip(types, self.fields, strict=True)
        )
        if is_plain and len(self._plain_types) < _MAX_KNOWN_TYPES:
            self._plain_types.add(types)

    def _checked(self, columns: Sequence[Sequence[Any]], which: Sequence[int]) -> Sequence[Sequence[Any]]:
        findings = Findings()
        out = list(columns)
        for i in which:
            out[i] = self.fields[i].checked(columns[i], findings)
        findings.refuse()
        return out

    def _few(self, raw: RawRows, columns: Sequence[Sequence[Any]]) -> Rows:
        unseen = out_of_range = 0
        for i, known in self._categorical:
            for cell in columns[i]:
                if cell not in known:
                    unseen += 1
        for i, low, high in self._ranged:
            for cell in columns[i]:
                if cell is not None and not low <= cell <= high:
                    out_of_range += 1
                    if not INT64_MIN <= cell <= INT64_MAX:
                        self._checked(columns, [i])
        return Rows(raw.n_rows, columns, None, unseen, out_of_range, raw.ignored)

    def _many(self, raw: RawRows, cells: Sequence[Sequence[Any]]) -> Rows:
        columns = {f.name: f.column(column) for f, column in zip(self.fields, cells, strict=True)}
        unseen = sum(_unseen(cells[i], known) for i, known in self._categorical)
        out_of_range = sum(_beyond(columns[self.fields[i].name], low, high) for i, low, high in self._ranged)
        return Rows(raw.n_rows, None, columns, unseen, out_of_range, raw.ignored)


def joined(parts: Sequence[Rows]) -> Sequence[Sequence[Any]]:
    """Return the cells by column of the few rows of several requests, in order."""
    if len(parts) == 1:
        return parts[0].cells or ()
    by_column = zip(*[part.cells or () for part in parts], strict=True)
    return [tuple(chain.from_iterable(cells)) for cells in by_column]


def _unseen(cells: Sequence[Any], known: frozenset[Any]) -> int:
    return sum(map((set(cells) - known).__contains__, cells)) if not known.issuperset(cells) else 0


def _beyond(column: Column, low: Any, high: Any) -> int:
    values = column.values.view(np.int64) if column.kind == "datetime" else column.values
    outside = (values < low) | (values > high)
    if not outside.any():
        return 0
    return int(np.count_nonzero(outside & ~missing_mask(column)))
