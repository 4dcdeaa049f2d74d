"""Table: named columns of numpy arrays. The one shape of rows inside the platform."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from boucle.core.errors import BoucleError
from boucle_worker.frames import Column, pack, unpack

__all__ = ["Column", "Table"]


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of equal length, in order. See ``boucle_worker.frames.Column`` for kinds and missing cells.

    >>> table = Table({"age": Column("int", np.array([41, 7])), "city": Column("text", np.array(["Lyon", None]))})
    >>> table.n_rows, table.names, table.rows()[1]
    (2, ('age', 'city'), {'age': 7, 'city': None})
    """

    columns: dict[str, Column]

    @property
    def names(self) -> tuple[str, ...]:
        """Column names, in order."""
        return tuple(self.columns)

    @property
    def n_rows(self) -> int:
        """Number of rows; 0 for a table without columns."""
        return next((len(column.values) for column in self.columns.values()), 0)

    def take(self, rows: Any) -> Table:
        """Return the rows at ``rows``: an array of positions, a boolean mask, or a slice."""
        return Table({name: _taken(column, rows) for name, column in self.columns.items()})

    def select(self, names: Iterable[str]) -> Table:
        """Return the columns of those names, in that order. Raises KeyError for a name that is not there."""
        return Table({name: self.columns[name] for name in names})

    def without(self, names: Iterable[str]) -> Table:
        """Return the table less the columns of those names."""
        left_out = set(names)
        return Table({name: column for name, column in self.columns.items() if name not in left_out})

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows as dicts of JSON values: None when missing, ISO 8601 text in UTC for datetimes."""
        lists = {name: cells(column) for name, column in self.columns.items()}
        return [dict(zip(lists, row)) for row in zip(*lists.values())]

    def to_bytes(self) -> bytes:
        """Return the table as one frame: its stored form, the same bytes for the same rows."""
        return pack({}, self.columns)

    @classmethod
    def from_bytes(cls, frame: bytes) -> Table:
        """Read a stored table. Raises FrameError when the bytes are not one."""
        return cls(unpack(frame)[1])

    def digest(self) -> str:
        """Return the sha256 of the stored form, in hexadecimal."""
        return hashlib.sha256(self.to_bytes()).hexdigest()


def concat(tables: Sequence[Table]) -> Table:
    """Put tables with the same columns one under the other.

    Raises BoucleError when the names or kinds differ.
    """
    first = tables[0]
    if len(tables) == 1:
        return first
    columns = {}
    for name, column in first.columns.items():
        parts = [table.columns[name] for table in tables if name in table.columns]
        if len(parts) != len(tables) or any(part.kind != column.kind for part in parts):
            raise BoucleError(f"tables cannot be put together: column {name!r} differs")
        columns[name] = Column(column.kind, np.concatenate([p.values for p in parts]), _joined_mask(parts))
    return Table(columns)


def cells(column: Column) -> list[Any]:
    """Return the cells as JSON values, None when missing."""
    kind, values, missing = column
    if kind == "float":
        return [None if cell != cell else cell for cell in values.tolist()]  # NaN is not itself
    if kind == "datetime":
        return [None if text == "NaT" else text + "Z" for text in np.datetime_as_string(values, unit="us").tolist()]
    plain: list[Any] = values.tolist()
    if missing is None:
        return plain
    return [None if gone else cell for cell, gone in zip(plain, missing.tolist())]


def missing_mask(column: Column) -> Any:
    """Return the boolean mask, shape ``(n_rows,)``, of the cells that are missing."""
    kind, values, missing = column
    if kind == "float":
        return np.isnan(values)
    if kind == "datetime":
        return np.isnat(values)
    if kind == "text":
        return np.fromiter((value is None for value in values), dtype=bool, count=len(values))
    return np.zeros(len(values), dtype=bool) if missing is None else missing


def _taken(column: Column, rows: Any) -> Column:
    missing = None if column.missing is None else column.missing[rows]
    return Column(column.kind, column.values[rows], missing)


def _joined_mask(parts: Sequence[Column]) -> Any:
    if all(part.missing is None for part in parts):
        return None
    return np.concatenate([missing_mask(part) for part in parts])
