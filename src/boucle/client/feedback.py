"""Ground truth on its way to the gateway: ids and values of any library, in pieces that it takes."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

import numpy as np

from boucle.client.capture.rows import read_column
from boucle.client.encode import MAX_BODY_BYTES, MAX_ROWS
from boucle.client.pace import Pace
from boucle.client.printable import printable
from boucle.core.errors import InvalidRequest, InvalidRows, RowProblem
from boucle.core.i18n import _
from boucle.core.table import Table, cells

ID_COLUMNS, VALUE_COLUMN, ROW_COLUMN = ("id", "prediction_id"), "value", "row"
SHOWN = 5
_HALF = re.compile("[\\ud800-\\udfff]")  # JSON can spell it, UTF-8 cannot
Entry = tuple[str, Any]


@dataclass(frozen=True)
class Feedback:
    """What the gateway took: ``accepted`` entries; ``rejected`` ones as (id, why), of each request the first 20.

    ``n_rejected`` counts them all. Whether an id was ever given is known later, when outcome and answer are joined.
    """

    accepted: int = 0
    rejected: tuple[tuple[str, str], ...] = ()
    n_rejected: int = 0

    def __str__(self) -> str:
        """Return the counts, and the first entries that were rejected."""
        lines = [_("{n} accepted, {bad} rejected").format(n=self.accepted, bad=self.n_rejected)]
        lines += [printable(f"  {given}: {why}") for given, why in self.rejected[:SHOWN]]
        if self.n_rejected > SHOWN and self.rejected:
            lines.append(_("  … and {n} more").format(n=self.n_rejected - min(len(self.rejected), SHOWN)))
        return "\n".join(lines)


def entries_of(ids: Any, values: Any = None) -> list[Entry]:
    """Return (id, value) pairs from an Answer or ids and their values, or from a table with both.

    The columns of a table: ``id`` (or ``prediction_id``, with ``row`` when it names a whole answer) and ``value``.
    Missing values are None. Raises InvalidRequest when lengths differ or a column is not there.

    >>> entries_of(("a:0", "a:1"), [1, float("nan")])
    [('a:0', 1.0), ('a:1', None)]
    """
    if values is None:
        return _of_table(ids)
    if isinstance(ids, str):
        return [(ids, _values([values])[0])]
    names = [str(one) for one in getattr(ids, "ids", ids)]
    found = _values(values)
    if len(names) != len(found):
        text = _("There are {ids} ids and {values} values. Each id has one value, None when it is not known.")
        raise InvalidRequest("unusual-rows", text.format(ids=len(names), values=len(found)))
    return list(zip(names, found))


@dataclass
class Sending:
    """One delivery. ``post(body)`` sends a JSON body and returns the gateway's answer, or raises."""

    post: Callable[[bytes], dict[str, Any]]
    pace: Pace
    accepted: int = 0
    n_rejected: int = 0
    rejected: list[tuple[str, str]] = field(default_factory=list)
    _first: Optional[InvalidRows] = None

    def send(self, entries: Sequence[Entry]) -> Feedback:
        """Send all entries. Sent twice they count once. Raises InvalidRows when none of them is accepted."""
        right = [entry for entry in entries if self._is_sendable(entry)]
        done = len(entries) - len(right)
        for piece in pieces(right):
            self._send(piece)
            done += len(piece)
            self.pace.tell(_("Sent {n} of {total} outcomes").format(n=done, total=len(entries)))
        if entries and not self.accepted:
            raise self._first or _all_wrong(entries, self.rejected)
        return Feedback(self.accepted, tuple(self.rejected), self.n_rejected)

    def _is_sendable(self, entry: Entry) -> bool:
        why = _wrong(entry)
        if why:
            self.n_rejected += 1
            self.rejected.append((entry[0], why))
        return not why

    def _send(self, piece: Sequence[Entry]) -> None:
        try:
            told = self.post(body_of(piece))
        except InvalidRows as error:  # not one entry of this piece is right; those of others may be
            self._first = self._first or error
            self.n_rejected += error.total
            self.rejected += [
                (piece[found.row][0], found.detail)
                for found in error.problems
                if found.row is not None and found.row < len(piece)
            ]
            return
        self.accepted += int(told["accepted"])
        self.n_rejected += int(told.get("n_rejected", len(told["rejected"])))
        self.rejected += [(str(one["id"]), str(one["detail"])) for one in told["rejected"]]


def pieces(entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    """Yield entries in pieces of at most 10,000, halved until their body is at most 4 MiB (one entry may be more)."""
    waiting = [entries[low : low + MAX_ROWS] for low in range(0, len(entries), MAX_ROWS)][::-1]
    while waiting:
        piece = waiting.pop()
        if len(piece) > 1 and len(body_of(piece)) > MAX_BODY_BYTES:
            waiting += [piece[len(piece) // 2 :], piece[: len(piece) // 2]]
        else:
            yield piece


def body_of(entries: Sequence[Entry]) -> bytes:
    """Return the body that tells entries."""
    document = {"truth": [{"id": given, "value": value} for given, value in entries]}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8")


def _wrong(entry: Entry) -> str:
    """Return why an entry cannot be sent, "" when it can."""
    given, value = entry
    if value is None:
        return _("The value is missing.")
    if isinstance(value, float) and math.isinf(value):
        return _("The value is infinite.")
    if isinstance(value, dict) or (isinstance(value, list) and any(isinstance(one, (list, dict)) for one in value)):
        return _("The value is an object or lists within a list. Expected a number, a text, true, false or labels.")
    texts = [given, *(value if isinstance(value, list) else [value])]
    if any(isinstance(text, str) and _HALF.search(text) for text in texts):
        return _("The id or the value holds half a character, which is no text. Write the file anew in UTF-8.")
    return ""


def _of_table(rows: Any) -> list[Entry]:
    if isinstance(rows, (list, tuple)) and rows and all(isinstance(row, dict) for row in rows):
        rows = {name: [row.get(name) for row in rows] for name in rows[0]}
    names = _names(rows)
    given = next((name for name in ID_COLUMNS if name in names), "")
    if not given or VALUE_COLUMN not in names:
        text = _("Expected ids and values, or a table with the columns id and value; found: {found}.")
        raise InvalidRequest("unusual-rows", text.format(found=", ".join(names[:20]) or type(rows).__name__))
    ids = [str(one) for one in _column(rows, given)]
    if ROW_COLUMN in names:
        ids = [one if ":" in one else f"{one}:{int(row)}" for one, row in zip(ids, _column(rows, ROW_COLUMN))]
    return list(zip(ids, _values(_column(rows, VALUE_COLUMN))))


def _names(rows: Any) -> list[str]:
    found = rows if isinstance(rows, dict) else getattr(rows, "column_names", None)  # the latter: pyarrow
    return [str(name) for name in (getattr(rows, "columns", ()) if found is None else found)]


def _column(rows: Any, name: str) -> Any:
    return cells(rows.columns[name]) if isinstance(rows, Table) else rows[name]


def _values(values: Any) -> list[Any]:
    """Return values as JSON: None when missing; a list of texts where an outcome is several labels."""
    is_matrix = isinstance(values, np.ndarray) and values.ndim > 1
    if not is_matrix and any(_is_several(value) for value in values):
        return [[str(label) for label in value] if _is_several(value) else None for value in values]
    return cells(read_column(VALUE_COLUMN, values))


def _is_several(value: Any) -> bool:
    return not isinstance(value, (str, bytes)) and hasattr(value, "__iter__")


def _all_wrong(entries: Sequence[Entry], rejected: Sequence[tuple[str, str]]) -> InvalidRows:
    problems = [RowProblem("invalid-truth", "", f"{given}: {why}", row=i) for i, (given, why) in enumerate(rejected)]
    return InvalidRows(problems[:20] or [RowProblem("invalid-truth", "", _("nothing"))], len(entries))
