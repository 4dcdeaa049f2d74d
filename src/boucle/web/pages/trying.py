"""The try-it form: one field for each column, filled with a real row; the gateway answers, nobody else.

What is typed is sent as it is understood, and as text when it is not: the gateway's own validation then names the
column, so that a form and a program are told the same.
"""

from __future__ import annotations

import json
import math
import re
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import httpx

from boucle.core.i18n import _, current_language
from boucle.core.schema import ColumnSchema, Schema

MAX_FIELDS, MAX_DIGITS, MAX_ANSWER_BYTES, TIMEOUT_S = 80, 15, 1024 * 1024, 15.0
WHOLE_ROW = "row"
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}\Z")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\Z")
_UNZONED = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?\Z")
_JSON = {"Content-Type": "application/json", "Accept": "application/json"}


@dataclass(frozen=True)
class Field:
    """One column in the form. ``value`` is the text shown, ``error`` what the gateway said about it."""

    column: ColumnSchema
    input_name: str
    value: str
    error: str = ""

    @property
    def control(self) -> str:
        """The HTML control: select, number, datetime-local or text."""
        if self.column.type in ("bool", "category"):
            return "select"
        if self.column.type in ("int", "float"):
            return "number"
        return "datetime-local" if self.column.type == "datetime" and _is_picked(self.value) else "text"

    @property
    def choices(self) -> tuple[str, ...]:
        """The options of a select; a value that is not among them (unseen, but served) is added."""
        known = ("true", "false") if self.column.type == "bool" else self.column.categories or ()
        return known if self.value in (*known, "") else (*known, self.value)


@dataclass(frozen=True)
class Answered:
    """The answer to the one row: ``interval`` is (low, high) or empty; ``probabilities`` has the likeliest first.

    ``groups`` holds (group, prediction, interval) for each group of a window model that has groups.
    """

    prediction: Any
    interval: tuple[float, ...] = ()
    probabilities: tuple[tuple[Any, float], ...] = ()
    groups: tuple[tuple[Any, Any, tuple[float, ...]], ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What the gateway said: an answer, or a problem: its words, and its errors by column."""

    status: int
    answered: Answered | None = None
    title: str = ""
    detail: str = ""
    errors: dict[str, str] = field(default_factory=dict)
    version: str = ""
    elapsed_ms: float = 0.0
    body: Any = None


def fields(schema: Schema, typed: Mapping[str, str] | None = None) -> list[Field]:
    """Return the fields of a form: what was typed, else the example row. Empty for very wide rows."""
    if len(schema.columns) > MAX_FIELDS:
        return []
    return [
        Field(column, f"c{i}", _shown(column) if typed is None else typed.get(f"c{i}", ""))
        for i, column in enumerate(schema.columns)
    ]


def with_errors(form: list[Field], errors: Mapping[str, str]) -> list[Field]:
    """Return the fields with the errors of their columns."""
    return [replace(item, error=errors.get(item.column.name, "")) for item in form]


def row_of(schema: Schema, typed: Mapping[str, str]) -> Any:
    """Return the row that a form means, as JSON; the text itself when a whole row was typed and is no JSON."""
    if WHOLE_ROW in typed:
        try:
            row = json.loads(typed[WHOLE_ROW])
            json.dumps(row, allow_nan=False)
        except (ValueError, RecursionError):
            return typed[WHOLE_ROW]
        return row
    return {column.name: _meant(column, typed.get(f"c{i}", "")) for i, column in enumerate(schema.columns)}


def window_of(typed: Mapping[str, str]) -> list[Any]:
    """Return the rows that a form means for a window model; the text itself, as one row, when it is no JSON."""
    told = row_of(Schema(()), {WHOLE_ROW: typed.get(WHOLE_ROW, "")})
    return told if isinstance(told, list) else [told]


def ask(address: str, token: str, rows: list[Any]) -> Outcome:
    """Send rows for one answer to the gateway and return what it said. Never raises for what the gateway does."""
    headers = {**_JSON, "Accept-Language": current_language()}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    started = time.perf_counter()
    try:
        with (
            httpx.Client(trust_env=False, timeout=TIMEOUT_S, verify=_trust(address)) as client,
            client.stream("POST", address, content=json.dumps(rows), headers=headers) as answer,
        ):
            body = _bounded(answer)
            return _outcome(answer, body, 1000 * (time.perf_counter() - started))
    except httpx.HTTPError as error:
        detail = _("The gateway at {address} gave no answer ({kind}). Is it running? See: boucle status")
        return failure(503, detail.format(address=address, kind=type(error).__name__))
    except (ValueError, LookupError, TypeError) as error:
        detail = _("The gateway at {address} gave an answer that cannot be understood ({kind}).")
        return failure(502, detail.format(address=address, kind=type(error).__name__))


def failure(status: int, detail: str) -> Outcome:
    """Return the outcome of a question that could not be asked, or was not answered."""
    return Outcome(status, title=_("Not available right now"), detail=detail)


def _trust(address: str) -> bool | ssl.SSLContext:
    """Return what a client trusts: reading the certificates of the world takes long, and plain HTTP needs none."""
    return True if address.startswith("https:") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _outcome(answer: httpx.Response, body: Any, elapsed_ms: float) -> Outcome:
    """Return what an answer means. Raises ValueError, LookupError or TypeError when it is not one of ours."""
    if not isinstance(body, dict):
        raise TypeError("an answer is an object")
    if answer.status_code == 200:
        version = answer.headers.get("X-Boucle-Version", "")
        return Outcome(200, _answered(body), version=version, elapsed_ms=elapsed_ms, body=body)
    if answer.status_code < 400:
        raise ValueError(f"status {answer.status_code}")
    title, detail = (str(body.get(name) or "")[:2000] for name in ("title", "detail"))
    return Outcome(answer.status_code, title=title or _("No answer"), detail=detail, errors=_errors(body))


def _answered(body: Any) -> Answered:
    intervals, rows = body.get("intervals"), body.get("probabilities")
    bounds = [tuple(float(bound) for bound in interval) for interval in intervals or ()]
    shares = [float(share) for share in rows[0]] if rows else []
    pairs = zip(body["classes"], shares, strict=True) if shares else ()
    if any(len(low_high) != 2 for low_high in bounds):
        raise ValueError("an interval has two ends")
    likeliest_first = tuple(sorted(pairs, key=lambda pair: -pair[1]))
    predictions = list(body["predictions"])
    groups = zip(body["groups"], predictions, bounds or [()] * len(predictions), strict=True) if _grouped(body) else ()
    return Answered(predictions[0], bounds[0] if bounds else (), likeliest_first, tuple(groups))


def _grouped(body: Any) -> bool:
    return isinstance(body.get("groups"), list)


def _errors(body: Any) -> dict[str, str]:
    told = body.get("errors")
    items = [item for item in told if isinstance(item, dict)] if isinstance(told, list) else []
    return {str(item["column"]): str(item.get("detail", ""))[:500] for item in items if item.get("column")}


def _bounded(answer: httpx.Response) -> Any:
    data = bytearray()
    for part in answer.iter_bytes():
        data += part
        if len(data) > MAX_ANSWER_BYTES:
            raise ValueError("the answer is too long")
    return json.loads(data)


def _shown(column: ColumnSchema) -> str:
    value = column.example
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if column.type == "datetime":
        return _short_time(str(value))
    return repr(value) if isinstance(value, float) else str(value)


def _short_time(text: str) -> str:
    """Return an ISO time of UTC without the zone and the zeros of its fraction, as date pickers take it."""
    plain = text.removesuffix("Z")
    head, point, fraction = plain.partition(".")
    fraction = fraction.rstrip("0")
    return head + (point + fraction if fraction else "")


def _is_picked(text: str) -> bool:
    return len(text.partition(".")[2]) <= 3 and not text.endswith("Z")


def _meant(column: ColumnSchema, text: str) -> Any:
    if text == "":
        return "" if column.type == "text" and not column.nullable else None
    if column.type == "bool":
        return {"true": True, "false": False}.get(text, text)
    if column.type == "datetime":
        return text + "Z" if _UNZONED.match(text) else text
    if column.type in ("int", "float"):
        return _number(column.type, text)
    return text


def _number(kind: str, text: str) -> Any:
    if kind == "int" and _INTEGER.match(text):
        return int(text)
    value = float(text) if _NUMBER.match(text) and (kind == "float" or len(text) <= MAX_DIGITS) else math.inf
    return value if math.isfinite(value) else text
