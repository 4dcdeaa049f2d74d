"""CSV bodies (RFC 4180): quoted newlines, a BOM, empty cells as missing; ``NA`` and ``null`` stay text.

A cell becomes a number or a boolean only where the schema wants one and the text is one; else it stays text, and
the schema refuses it with its row and column.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

from boucle.core.errors import InvalidRequest
from boucle.core.i18n import _
from boucle.core.schema import Schema
from boucle.serving.limits import Limits
from boucle.serving.raw import Names, RawRows, transposed

_INTEGER = re.compile(r"[+-]?[0-9]{1,400}")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


def decode_csv(body: bytes, schema: Schema, names: Names, limits: Limits) -> RawRows:
    """Return the raw rows of a CSV body whose first line names the columns.

    Raises InvalidRequest (``malformed-csv``, ``duplicate-column``, ``ragged-rows``), InvalidRows or TooLarge.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidRequest(
            "malformed-csv", _("The body is not UTF-8 text (byte {at}). Save it as UTF-8.").format(at=error.start)
        ) from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, [])
        names.check_size(1, len(header))
        rows = list(islice(reader, limits.max_rows + 1))
    except csv.Error as error:
        raise InvalidRequest(
            "malformed-csv", _("Line {line} is not CSV: {cause}.").format(line=reader.line_num, cause=error)
        ) from None
    return _columns(header, rows, schema, names)


def _columns(header: list[str], rows: list[list[str]], schema: Schema, names: Names) -> RawRows:
    if len(set(header)) != len(header):
        raise InvalidRequest("duplicate-column", _("The first line names a column twice. Send each column once."))
    while rows and not rows[-1]:
        rows.pop()
    if len(header) == 1:
        rows = [row or [""] for row in rows]
    names.check_size(len(rows), len(header))
    columns = dict(zip(header, transposed(rows, len(header)), strict=True))
    for column in schema.columns:
        texts = columns.get(column.name)
        if texts is not None:
            columns[column.name] = _cells(texts, _CELLS.get(column.type, _text))
    return names.of_columns(columns, len(rows))


def _cells(texts: Sequence[str], cell: Callable[[str], Any]) -> tuple[Any, ...]:
    return tuple([cell(text) if text else None for text in texts])


def _text(text: str) -> str:
    return text


def _integer(text: str) -> Any:
    return int(text) if _INTEGER.fullmatch(text) else _number(text)


def _number(text: str) -> Any:
    if not _NUMBER.fullmatch(text):
        return text
    number = float(text)
    return number if math.isfinite(number) else text


def _boolean(text: str) -> Any:
    return _BOOLEANS.get(text, text)


_CELLS: dict[str, Callable[[str], Any]] = {"int": _integer, "float": _number, "bool": _boolean}
