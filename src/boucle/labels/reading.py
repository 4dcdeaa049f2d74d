"""Reading ground truth as callers send it: JSON, CSV or the columns of a table, all of it or nothing.

An outcome belongs to an id: ``<prediction id>:<row>``, the row counting from 0 within its request; the prediction id
alone means row 0. A value is a JSON scalar, or a list of them for several labels.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from boucle.core.errors import InvalidRequest, TooLarge, shown
from boucle.core.i18n import _
from boucle.labels.truth import Truth

MAX_TRUTHS = 1_000_000
MAX_TEXT = 1_000
MAX_LABELS = 1_000
ID_NAMES, VALUE_NAMES = ("id", "prediction_id"), ("value", "truth", "label", "target")
_ID = re.compile(r"([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})(?::([0-9]{1,9}))?\Z")
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Told:
    """Whose outcomes are read, and when they were told: UTC microseconds, ``logged_at`` by our own clock."""

    model: str
    at: int
    logged_at: int


def read_id(text: Any) -> str:
    """Return an id as it is kept. Raises ValueError for what is none.

    >>> read_id("0192F0C1-2d3e-7abc-8def-0123456789ab:07")
    '0192f0c1-2d3e-7abc-8def-0123456789ab:7'
    """
    found = _ID.match(text.strip()) if isinstance(text, str) else None
    if found is None:
        raise ValueError(text)
    return f"{found.group(1).lower()}:{int(found.group(2) or 0)}"


def truths_of_json(body: bytes, told: Told) -> tuple[Truth, ...]:
    """Read ``{"truth": [{"id": …, "value": …}, …]}``; the list alone or one object alone will do.

    Raises InvalidRequest naming the first item that cannot be read, TooLarge beyond a million.
    """
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest("invalid-truth", _("The body is no JSON: {error}.").format(error=error)) from error
    if isinstance(data, dict):
        data = data.get("truth", [data])
    if not isinstance(data, list):
        raise _unreadable(
            0, _('expected {{"truth": [{{"id": …, "value": …}}]}}, found {found}').format(found=shown(data))
        )
    for place, item in enumerate(data):
        if not isinstance(item, dict) or not {"id", "value"} <= set(item):
            raise _unreadable(place, _('expected {{"id": …, "value": …}}, found {found}').format(found=shown(item)))
    return truths_of_columns([item["id"] for item in data], [item["value"] for item in data], told)


def truths_of_csv(body: bytes, told: Told) -> tuple[Truth, ...]:
    """Read a CSV file in UTF-8 whose header names ``id`` and ``value`` (or ``truth``, ``label``, ``target``).

    Values stay texts: they are matched to classes and numbers later. Raises InvalidRequest or TooLarge.
    """
    try:
        rows = list(csv.reader(io.StringIO(body.decode("utf-8-sig"), newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidRequest("invalid-truth", _("The body is no CSV in UTF-8: {error}.").format(error=error)) from error
    header = [name.strip() for name in rows[0]] if rows else []
    at_id, at_value = (header.index(name) for name in column_names(header))
    filled = [row for row in rows[1:] if any(cell.strip() for cell in row)]
    for place, row in enumerate(filled):
        if len(row) <= max(at_id, at_value):
            raise _unreadable(place, _("the row has {n} cells").format(n=len(row)))
    return truths_of_columns([row[at_id] for row in filled], [row[at_value] for row in filled], told)


def column_names(names: Iterable[str]) -> tuple[str, str]:
    """Return which columns of a table hold ids and values. Raises InvalidRequest when there is none."""
    there = list(names)
    found = [next((name for name in known if name in there), None) for known in (ID_NAMES, VALUE_NAMES)]
    if found[0] is None or found[1] is None:
        detail = _("A table of outcomes has a column id and a column value; this one has {found}. Rename its columns.")
        raise InvalidRequest("invalid-truth", detail.format(found=", ".join(there[:20]) or _("none")))
    return found[0], found[1]


def truths_of_columns(ids: Sequence[Any], values: Sequence[Any], told: Told) -> tuple[Truth, ...]:
    """Return truths of ids and values, side by side. Raises InvalidRequest naming the first that is not usable."""
    if len(ids) > MAX_TRUTHS:
        raise TooLarge(_("outcomes"), len(ids), MAX_TRUTHS)
    found = []
    for place, (text, value) in enumerate(zip(ids, values, strict=True)):
        try:
            kept = read_id(text)
        except ValueError:
            detail = _("the id is {found}, expected a prediction id, a colon and the row from 0, as the answer told it")
            raise _unreadable(place, detail.format(found=shown(text))) from None
        found.append(Truth(told.model, kept, _value(place, value), told.at, told.logged_at))
    return tuple(found)


def _value(place: int, value: Any) -> Any:
    if isinstance(value, (list, tuple)) and len(value) <= MAX_LABELS and all(map(_is_scalar, value)):
        return list(value)
    if _is_scalar(value) and value != "":
        return value
    detail = _("the value is {found}, expected a number, a text, true, false or a list; otherwise leave the row out")
    raise _unreadable(place, detail.format(found=shown(value)))


def _is_scalar(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= MAX_TEXT and "\0" not in value and not _SURROGATE.search(value)  # no database keeps those
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and abs(value) < 2**63


def _unreadable(place: int, detail: str) -> InvalidRequest:
    text = _("Outcome {place} (from 0): {detail}. Nothing was kept.").format(place=place, detail=detail)
    return InvalidRequest("invalid-truth", text)
