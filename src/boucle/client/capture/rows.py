"""Rows of any library: as a Table, with the Inputs that rebuild them, and still as the model takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Callable, Optional

import numpy as np

from boucle.client.capture.cells import Read, objects, read_cells
from boucle.core.errors import InvalidRequest
from boucle.core.i18n import _
from boucle.core.signature import Feed, Input
from boucle.core.table import Table
from boucle_worker.frames import Column

ACCEPTED = "pandas, polars, pyarrow, a numpy matrix, a list of dicts, a dict of lists"


@dataclass(frozen=True, eq=False)
class Rows:
    """``native`` is what a model of feed ``feed`` is called with; ``inputs`` describe the columns of ``table``.

    ``pick(native, positions)`` and ``drop(native, column)`` do to the native rows what their names say.
    """

    feed: Feed
    table: Table
    inputs: tuple[Input, ...]
    native: Any
    pick: Callable[[Any, Any], Any]
    drop: Callable[[Any, str], Any]

    def take(self, positions: Any) -> Any:
        """Return the native rows at those positions, an array of whole numbers."""
        return self.pick(self.native, positions)

    def without(self, name: str) -> Rows:
        """Return the rows less one column."""
        inputs = tuple(item for item in self.inputs if item.name != name)
        return Rows(self.feed, self.table.without([name]), inputs, self.drop(self.native, name), self.pick, self.drop)


def read_rows(rows: Any, only: Optional[Sequence[str]] = None, strict: bool = True) -> Rows:
    """Read rows of any library.

    ``only`` keeps those columns where they are there (the rest is not even looked at); ``strict`` refuses what
    could not be rebuilt exactly. Raises InvalidRequest naming the column and the cure.
    """
    if isinstance(rows, np.ndarray):
        return _matrix(rows, strict)
    if isinstance(rows, dict):
        return _frame(_frame_of(rows), only, strict)
    if isinstance(rows, (list, tuple)) and all(isinstance(row, dict) for row in rows):
        return read_records(rows, strict)
    return _frame(rows, only, strict)


def candidates(example: Any) -> tuple[Rows, ...]:
    """Return the containers that the model of an example may take, the likelier first.

    Only lists of dicts and dicts of lists leave that open: a list may be taken as it is or as a table.
    """
    if isinstance(example, dict):
        frames = _openly(lambda: _frame(_frame_of(example), None, strict=True))
        return (*frames, read_records(_records_of(example)))
    if isinstance(example, (list, tuple)) and example and all(isinstance(row, dict) for row in example):
        records = read_records(example)
        return (records, *_openly(lambda: _frame(_frame_of_records(example), None, strict=True)))
    return (read_rows(example),)


def read_values(name: str, values: Any, n_rows: int) -> Column:
    """Read one column given beside the rows (a target, the answers of a model), shape ``(n_rows,)``.

    Raises InvalidRequest when the length or the shape differs.
    """
    column = read_column(name, values)
    if len(column.values) != n_rows:
        raise InvalidRequest(
            "unusual-rows",
            _("{name} has {found} values, the example has {expected} rows.").format(
                name=name, found=len(column.values), expected=n_rows
            ),
        )
    return column


def read_column(name: str, values: Any) -> Column:
    """Read one column of any length. Raises InvalidRequest for what has more than one value a row."""
    import narwhals as nw

    from boucle.client.capture.numpy_rows import read_array

    series = nw.from_native(values, series_only=True, pass_through=True)
    if isinstance(series, nw.Series):
        feed: Feed = "pandas" if series.implementation.is_pandas() else "polars"
        return _read_series(name, series, feed, strict=False).column
    array = values if isinstance(values, np.ndarray) else _array_of(values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array.ravel()
    if array.ndim != 1:
        raise InvalidRequest(
            "unusual-rows",
            _("{name} has shape {shape}, expected one value for each row.").format(name=name, shape=array.shape),
        )
    return read_array(name, array, strict=False).column


def detached(values: Any) -> Any:
    """Return values of any library as they are, a torch tensor without its gradient."""
    detach = getattr(values, "detach", None)
    return detach() if callable(detach) else values


def read_records(rows: Sequence[dict[str, Any]], strict: bool = True) -> Rows:
    """Read a list of dicts. Raises InvalidRequest when the rows do not all have the same keys."""
    names = list(rows[0]) if rows else []
    _check_names(names)
    for i, row in enumerate(rows):
        if row.keys() != rows[0].keys():
            odd = min(set(row) ^ set(rows[0]), key=str)
            raise InvalidRequest(
                "unusual-rows",
                _("Row {row} and row 0 differ in the key {key!r}. Give each row all keys, None when missing.").format(
                    row=i, key=odd
                ),
            )
    reads = [read_cells(name, [row[name] for row in rows], strict=strict) for name in names]
    return _rows("records", reads, list(rows), _pick_records, _drop_key)


def _pick_records(rows: Any, positions: Any) -> Any:
    return [rows[i] for i in positions.tolist()]


def _drop_key(rows: Any, name: str) -> Any:
    return [{key: value for key, value in row.items() if key != name} for row in rows]


def _matrix(matrix: Any, strict: bool) -> Rows:
    from boucle.client.capture.numpy_rows import read_matrix

    def pick(native: Any, positions: Any) -> Any:
        return native[positions]

    def drop(native: Any, name: str) -> Any:
        return np.delete(native, int(name[1:]), axis=1)

    return _rows("numpy", read_matrix(matrix, strict), matrix, pick, drop)


def _frame(frame: Any, only: Optional[Sequence[str]], strict: bool) -> Rows:
    import narwhals as nw

    table = _narwhals_frame(frame)
    names = list(frame.columns) if _is_pandas(table) else table.columns
    _check_names(names)
    if only is not None:
        table = table.select([name for name in names if name in set(only)])
    feed = _feed(table)
    reads = [_read_series(name, table[name], feed, strict) for name in table.columns]

    def pick(native: Any, positions: Any) -> Any:
        return nw.from_native(native, eager_only=True)[positions].to_native()

    def drop(native: Any, name: str) -> Any:
        return nw.from_native(native, eager_only=True).drop(name).to_native()

    return _rows(feed, reads, table.to_native(), pick, drop)


def _narwhals_frame(frame: Any) -> Any:
    import narwhals as nw

    try:
        table = nw.from_native(frame)
    except TypeError:
        raise _not_rows(frame) from None
    except ValueError as error:  # narwhals refuses duplicate column names so
        _check_names(list(getattr(frame, "column_names", frame.columns)))
        raise InvalidRequest("unusual-rows", str(error)) from error
    if isinstance(table, nw.LazyFrame):
        table = table.collect()
    if not isinstance(table, nw.DataFrame):
        raise _not_rows(frame)
    if table.implementation.is_pandas_like() and not table.implementation.is_pandas():
        return nw.from_native(table.to_pandas(), eager_only=True)
    return table


def _is_pandas(table: Any) -> bool:
    return bool(table.implementation.is_pandas())


def _feed(table: Any) -> Feed:
    if _is_pandas(table):
        return "pandas"
    return "polars" if table.implementation.is_polars() else "pyarrow"


def _read_series(name: str, series: Any, feed: Feed, strict: bool) -> Read:
    if feed == "pandas":
        from boucle.client.capture import pandas_rows

        return pandas_rows.read_series(name, series.to_native(), strict)
    from boucle.client.capture import arrow_rows

    return arrow_rows.read_series(name, series, strict)


def _rows(feed: Feed, reads: Sequence[Read], native: Any, pick: Any, drop: Any) -> Rows:
    table = Table({read.input.name: read.column for read in reads})
    return Rows(feed, table, tuple(read.input for read in reads), native, pick, drop)


def _check_names(names: Sequence[Any]) -> None:
    for name in names:
        if not isinstance(name, str):
            raise InvalidRequest(
                "unusual-rows",
                _("Column name {name!r} is no text. Cure: X.columns = X.columns.map(str), then fit again").format(
                    name=name
                ),
            )
    if len(set(names)) != len(names):
        twice = next(name for name in names if list(names).count(name) > 1)
        raise InvalidRequest(
            "unusual-rows",
            _("Column {name!r} is there twice. Cure: X = X.loc[:, ~X.columns.duplicated()]").format(name=twice),
        )


def _not_rows(found: Any) -> InvalidRequest:
    cure = _("Expected rows as {accepted}.").format(accepted=ACCEPTED)
    if hasattr(found, "toarray"):
        cure = _("Give the raw rows from before the vectoriser, or example.toarray().")
    elif hasattr(found, "to_frame"):
        cure = _("That is one column or one row. A row: example.to_frame().T; a column: example.to_frame()")
    name = f"{type(found).__module__}.{type(found).__qualname__}"
    return InvalidRequest("unusual-rows", _("Rows of type {name} cannot be read. {cure}").format(name=name, cure=cure))


def _frame_of(columns: dict[str, Any]) -> Any:
    """Return a dict of lists as a table of the first library that is there."""
    try:
        import pandas as pd

        return pd.DataFrame(columns)
    except ImportError:
        import polars as pl

        return pl.DataFrame(columns)


def _frame_of_records(rows: Sequence[dict[str, Any]]) -> Any:
    import pandas as pd

    return pd.DataFrame.from_records(list(rows))


def _records_of(columns: dict[str, Any]) -> list[dict[str, Any]]:
    lists = {name: values.tolist() if hasattr(values, "tolist") else list(values) for name, values in columns.items()}
    return [dict(zip(lists, row)) for row in zip(*lists.values())]


def _openly(read: Callable[[], Rows]) -> tuple[Rows, ...]:
    try:
        return (read(),)
    except ImportError:
        return ()


def _array_of(values: Any) -> Any:
    if isinstance(values, (list, tuple)) and not all(isinstance(value, (int, float)) for value in values):
        return objects(values)
    return np.asarray(detached(values))
