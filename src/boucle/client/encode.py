"""Rows as the bodies of prediction requests, and answers put together again."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Callable, Optional

import numpy as np

from boucle.client.capture.rows import read_rows
from boucle.client.whole import batches, needed
from boucle.core.answer import Answer
from boucle.core.errors import InvalidRequest
from boucle.core.i18n import _
from boucle.core.table import cells
from boucle.core.window import Window

MAX_BODY_BYTES, MAX_ROWS = 4 * 1024 * 1024, 10_000
Told = Callable[[], Optional[Window]]


def untold() -> Optional[Window]:
    """Return None: each row is answered by itself."""
    return None


@dataclass(frozen=True, eq=False)
class Body:
    """One request of at most 4 MiB (one row, or the rows of one answer, may be larger), with ``n_rows`` rows.

    ``media`` is its media type.
    """

    data: bytes
    n_rows: int
    media: str = "application/json"


def bodies(rows: Any, only: Optional[Sequence[str]] = None, window: Told = untold) -> Iterator[Body]:
    """Yield the requests that carry the rows, in order.

    Rows of any library, a list of dicts, one dict or one pandas row. ``only`` leaves out other columns. Floats
    keep all their digits; NaN becomes null, dates ISO 8601 in UTC. ``window`` is asked only when one request is too
    small: rows that make one answer travel together. Raises InvalidRequest for what JSON cannot say.
    """
    records = _records(rows)
    if records is not None:
        yield from _sent(_Records(records), window)
    else:
        table = read_rows(rows, only, strict=False).table
        columns = {name: cells(column) for name, column in table.columns.items()}
        yield from _sent(_Columns(columns, table.n_rows), window)


def csv_bodies(text: str, window: Told = untold) -> Iterator[Body]:
    """Yield the requests that carry a CSV text with a header, as it is: the gateway reads its types by the schema."""
    reader = csv.reader(io.StringIO(text, newline=""))
    header = next(reader, [])
    yield from _sent(_CsvLines(header, [row for row in reader if row]), window)


@dataclass(frozen=True, eq=False)
class _Records:
    rows: list[dict[str, Any]]
    media: str = Body.media

    @property
    def n_rows(self) -> int:
        return len(self.rows)

    def column(self, name: str) -> list[Any]:
        return [row.get(name) for row in self.rows]

    def body(self, positions: Sequence[int]) -> bytes:
        return _text({"dataframe_records": _picked(self.rows, positions)})


@dataclass(frozen=True, eq=False)
class _Columns:
    columns: dict[str, list[Any]]
    n_rows: int
    media: str = Body.media

    def column(self, name: str) -> list[Any]:
        return self.columns.get(name) or [None] * self.n_rows

    def body(self, positions: Sequence[int]) -> bytes:
        rows = list(zip(*(_picked(column, positions) for column in self.columns.values())))
        return _text({"dataframe_split": {"columns": list(self.columns), "data": rows}})


@dataclass(frozen=True, eq=False)
class _CsvLines:
    header: list[str]
    rows: list[list[str]]
    media: str = "text/csv"

    @property
    def n_rows(self) -> int:
        return len(self.rows)

    def column(self, name: str) -> list[Any]:
        at = self.header.index(name) if name in self.header else len(self.header)
        return [row[at] if at < len(row) else None for row in self.rows]

    def body(self, positions: Sequence[int]) -> bytes:
        return _csv_text([self.header, *_picked(self.rows, positions)])


def _picked(values: list[Any], positions: Sequence[int]) -> list[Any]:
    if isinstance(positions, range):
        return values[positions.start : positions.stop]
    return [values[i] for i in positions]


def _sent(rows: Any, window: Told) -> Iterator[Body]:
    """Yield the bodies of rows that lie in one of the three shapes above."""
    parts = _split(rows, [range(low, min(low + MAX_ROWS, rows.n_rows)) for low in range(0, rows.n_rows, MAX_ROWS)])
    first = next(parts, Body(rows.body(range(0)), 0, rows.media))
    known = window() if first.n_rows < rows.n_rows else None
    if known is None:
        yield first
        yield from parts
        return
    keys = None if known.group_by is None else rows.column(known.group_by)
    for positions in batches(needed(rows.column(known.order_by), keys, known.rows), MAX_ROWS):
        yield from _split_groups(rows, positions)


def _csv_text(rows: Sequence[Sequence[str]]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue().encode("utf-8")


def join(parts: Sequence[Mapping[str, Any]], name: str, version: int, kind: str = "") -> Answer:
    """Return the answers of the requests as one. ``kind`` is that of the predictions, when it is known."""
    predictions = [value for part in parts for value in part["predictions"]]
    first = parts[0]
    return Answer(
        predictions=_array(predictions, kind),
        classes=first.get("classes"),
        probabilities=_matrix(parts, "probabilities"),
        intervals=_matrix(parts, "intervals"),
        ids=tuple(f"{part['prediction_id']}:{i}" for part in parts for i in range(len(part["predictions"]))),
        model=name,
        version=version,
        groups=_groups(parts),
    )


def _records(rows: Any) -> Optional[list[dict[str, Any]]]:
    """Return rows that are dicts as JSON, each with the keys it has; None for other containers."""
    if isinstance(rows, dict) and not any(_is_column(value) for value in rows.values()):
        rows = [rows]
    elif type(rows).__name__ == "Series" and hasattr(rows, "to_dict") and hasattr(rows, "to_frame"):
        rows = [rows.to_dict()]
    if isinstance(rows, (list, tuple)) and all(isinstance(row, dict) for row in rows):
        return [{str(key): _plain(str(key), value) for key, value in row.items()} for row in rows]
    return None


def _is_column(value: Any) -> bool:
    return isinstance(value, (list, tuple, np.ndarray)) or hasattr(value, "to_numpy")


def _plain(column: str, cell: Any) -> Any:
    if cell is None or isinstance(cell, (bool, str, int)):
        return cell
    if isinstance(cell, (np.bool_, np.integer, np.floating)):
        cell = cell.item()
    if isinstance(cell, (bool, int)):
        return cell
    if isinstance(cell, float):
        return None if cell != cell else cell
    if type(cell).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(cell, np.datetime64):
        return None if np.isnat(cell) else f"{np.datetime_as_string(cell.astype('datetime64[us]'), unit='us')}Z"
    if isinstance(cell, dt.datetime):
        return (cell if cell.tzinfo else cell.replace(tzinfo=dt.timezone.utc)).isoformat()
    if isinstance(cell, dt.date):
        return cell.isoformat()
    raise InvalidRequest(
        "unusual-column",
        _(
            "Column {name!r} holds {found}, which a request cannot carry. Expected text, a number, a date or None."
        ).format(name=column, found=type(cell).__name__),
    )


def _split(rows: Any, spans: list[range]) -> Iterator[Body]:
    """Yield the body of each span of rows, halved until it fits."""
    spans.reverse()
    while spans:
        span = spans.pop()
        data = rows.body(span)
        if len(data) > MAX_BODY_BYTES and len(span) > 1:
            middle = (span.start + span.stop) // 2
            spans += [range(middle, span.stop), range(span.start, middle)]
        else:
            yield Body(data, len(span), rows.media)


def _split_groups(rows: Any, groups: list[list[int]]) -> Iterator[Body]:
    """Yield the body of whole groups of rows, halved until it fits; a group alone goes as it is."""
    positions = sorted(position for group in groups for position in group)
    data = rows.body(positions)
    if len(data) <= MAX_BODY_BYTES or len(groups) == 1:
        yield Body(data, len(positions), rows.media)
        return
    middle = len(groups) // 2
    yield from _split_groups(rows, groups[:middle])
    yield from _split_groups(rows, groups[middle:])


def _text(document: Any) -> bytes:
    try:
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except ValueError as error:
        raise InvalidRequest(
            "infinite-number",
            _("The rows hold an infinite number, which JSON cannot say. Cure: X.replace([np.inf, -np.inf], np.nan)"),
        ) from error
    return text.encode("utf-8")


def _array(values: list[Any], kind: str) -> Any:
    if kind == "datetime":
        texts = [None if value is None else value.rstrip("Z") for value in values]
        return np.array(texts, dtype="datetime64[us]")
    is_number = all(value is None or isinstance(value, (int, float)) for value in values)
    if kind == "float" or (is_number and None in values):
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    return np.array(values, dtype=object if None in values else None)


def _groups(parts: Sequence[Mapping[str, Any]]) -> Optional[tuple[Any, ...]]:
    if any(part.get("groups") is None for part in parts):
        return None
    return tuple(group for part in parts for group in part["groups"])


def _matrix(parts: Sequence[Mapping[str, Any]], name: str) -> Any:
    if any(part.get(name) is None for part in parts):
        return None
    return np.concatenate([np.asarray(part[name], dtype=np.float64) for part in parts])
