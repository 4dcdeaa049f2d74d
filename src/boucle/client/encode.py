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
from boucle.core.answer import Answer
from boucle.core.errors import InvalidRequest
from boucle.core.i18n import _
from boucle.core.table import cells

MAX_BODY_BYTES, MAX_ROWS = 4 * 1024 * 1024, 10_000


@dataclass(frozen=True, eq=False)
class Body:
    """One request of at most 4 MiB (one row may be larger), with ``n_rows`` rows; ``media`` is its media type."""

    data: bytes
    n_rows: int
    media: str = "application/json"


def bodies(rows: Any, only: Optional[Sequence[str]] = None) -> Iterator[Body]:
    """Yield the requests that carry the rows, in order.

    Rows of any library, a list of dicts, one dict or one pandas row. ``only`` leaves out other columns. Floats
    keep all their digits; NaN becomes null, dates ISO 8601 in UTC. Raises InvalidRequest for what JSON cannot say.
    """
    records = _records(rows)
    if records is not None:
        yield from _split(lambda low, high: _text({"dataframe_records": records[low:high]}), len(records))
        return
    table = read_rows(rows, only, strict=False).table
    columns = [cells(column) for column in table.columns.values()]
    names = list(table.names)

    def body(low: int, high: int) -> bytes:
        rows = list(zip(*(column[low:high] for column in columns)))
        return _text({"dataframe_split": {"columns": names, "data": rows}})

    yield from _split(body, table.n_rows)


def csv_bodies(text: str) -> Iterator[Body]:
    """Yield the requests that carry a CSV text with a header, as it is: the gateway reads its types by the schema."""
    reader = csv.reader(io.StringIO(text, newline=""))
    header = next(reader, [])
    rows = [row for row in reader if row]
    yield from _split(lambda low, high: _csv_text([header, *rows[low:high]]), len(rows), "text/csv")


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


def _split(body: Callable[[int, int], bytes], n_rows: int, media: str = Body.media) -> Iterator[Body]:
    """Yield bodies of at most 10,000 rows, halved until each fits."""
    spans = [(low, min(low + MAX_ROWS, n_rows)) for low in range(0, n_rows, MAX_ROWS)] or [(0, 0)]
    spans.reverse()
    while spans:
        low, high = spans.pop()
        data = body(low, high)
        if len(data) > MAX_BODY_BYTES and high - low > 1:
            middle = (low + high) // 2
            spans += [(middle, high), (low, middle)]
        else:
            yield Body(data, high - low, media)


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


def _matrix(parts: Sequence[Mapping[str, Any]], name: str) -> Any:
    if any(part.get(name) is None for part in parts):
        return None
    return np.concatenate([np.asarray(part[name], dtype=np.float64) for part in parts])
