"""Raw rows: the cells of a request by column, before anyone looked at what they are."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from boucle.core.errors import InvalidRequest, InvalidRows, RowProblem, TooLarge
from boucle.core.i18n import _
from boucle.core.schema import Schema
from boucle.serving.findings import MAX_PROBLEMS
from boucle.serving.limits import Limits

_SHOWN_COLUMNS = 60


class RawRows(NamedTuple):
    """``columns`` follow the schema; a column that need not be there and is not is None in each row.

    ``ignored`` names the columns that the schema does not know, in the order they came.
    """

    n_rows: int
    columns: Sequence[Sequence[Any]]
    ignored: tuple[str, ...] = ()


class Names:
    """The column names of a schema, and how rows of either shape are brought into their order."""

    def __init__(self, schema: Schema, limits: Limits) -> None:
        self.names = schema.names
        self.limits = limits
        self._known = frozenset(self.names)
        self._required = frozenset(column.name for column in schema.columns if column.required)
        self._types = {column.name: column.type for column in schema.columns}
        self._cells = _getter(self.names)

    def of_records(self, records: Sequence[dict[str, Any]]) -> RawRows:
        """Return the cells of rows that are objects. Raises InvalidRows naming the columns that are missing."""
        self.check_size(len(records), max(map(len, records)))
        try:
            rows = list(map(self._cells, records))
        except KeyError:
            rows = self._with_absent(records)
        ignored: tuple[str, ...] = ()
        if sum(map(len, records)) != len(rows) * len(self.names):
            ignored = self._ignored(name for record in records for name in record)
        return RawRows(len(rows), list(zip(*rows, strict=True)), ignored)

    def of_columns(self, columns: Mapping[str, Sequence[Any]], n_rows: int) -> RawRows:
        """Return the cells of named columns, each ``n_rows`` long."""
        self.check_size(n_rows, len(columns))
        missing = [name for name in self.names if name not in columns and name in self._required]
        if missing:
            raise self._missing([(name, None) for name in missing[:MAX_PROBLEMS]], len(missing))
        nothing = (None,) * n_rows
        ignored = self._ignored(columns) if len(columns) != len(self.names) else ()
        return RawRows(n_rows, [columns.get(name, nothing) for name in self.names], ignored)

    def of_lists(self, rows: Sequence[list[Any]]) -> RawRows:
        """Return the cells of rows that are lists in the order of the schema."""
        self.check_size(len(rows), max(map(len, rows)))
        return RawRows(len(rows), transposed(rows, len(self.names)))

    def check_size(self, n_rows: int, n_columns: int) -> None:
        """Raise TooLarge beyond the limits, InvalidRequest for no row at all."""
        if n_rows > self.limits.max_rows:
            raise TooLarge(_("rows"), n_rows, self.limits.max_rows)
        if n_columns > self.limits.max_columns:
            raise TooLarge(_("columns"), n_columns, self.limits.max_columns)
        if n_rows == 0:
            raise InvalidRequest("no-rows", _("The request holds no row. Send at least one."))

    def expected(self) -> str:
        """Return the columns and their types, as told to a caller (60 at most)."""
        told = ", ".join(f"{name[:80]} ({kind})" for name, kind in list(self._types.items())[:_SHOWN_COLUMNS])
        left = len(self._types) - _SHOWN_COLUMNS
        return told if left <= 0 else _("{columns} and {left} more").format(columns=told, left=left)

    def _ignored(self, names: Iterable[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for name in names if name not in self._known))

    def _with_absent(self, records: Sequence[dict[str, Any]]) -> list[tuple[Any, ...]]:
        places: list[tuple[str, int | None]] = []
        total = 0
        for name in self.names:
            rows = [i for i, record in enumerate(records) if name not in record]
            if not rows or name not in self._required:
                continue
            is_whole = len(rows) == len(records)
            total += 1 if is_whole else len(rows)
            places.extend([(name, None)] if is_whole else [(name, row) for row in rows[:MAX_PROBLEMS]])
        if places:
            raise self._missing(places[:MAX_PROBLEMS], total)
        return [tuple(record.get(name) for name in self.names) for record in records]

    def _missing(self, places: Collection[tuple[str, int | None]], total: int) -> InvalidRows:
        expected = self.expected()
        return InvalidRows([self._missing_problem(name, row, expected) for name, row in places], total)

    def _missing_problem(self, name: str, row: int | None, expected: str) -> RowProblem:
        if row is None:
            detail = _("Column '{column}' is missing. Expected columns: {columns}.")
        else:
            detail = _("Row {row} has no column '{column}'. Expected columns: {columns}.")
        text = detail.format(column=name[:80], row=row, columns=expected)
        return RowProblem("missing-column", name, text, row, self._types[name])


def transposed(rows: Sequence[list[Any]], width: int) -> list[tuple[Any, ...]]:
    """Return the columns of rows that are lists. Raises InvalidRequest naming the first row of another length."""
    lengths = set(map(len, rows))
    if lengths != {width}:
        row = next(i for i, cells in enumerate(rows) if len(cells) != width)
        raise InvalidRequest(
            "ragged-rows",
            _("Row {row} has {found} values, expected {width}.").format(row=row, found=len(rows[row]), width=width),
        )
    return list(zip(*rows, strict=True))


def _getter(names: tuple[str, ...]) -> Callable[[dict[str, Any]], tuple[Any, ...]]:
    """Return what takes the cells of those names from a row, as a tuple."""
    if len(names) > 1:
        return itemgetter(*names)
    return lambda record: tuple([record[name] for name in names])
