"""Ground truth that callers send: read entry by entry, written to the inference log and synced before it is answered.

``{"truth": [{"id": "<prediction id>:<row>", "value": …}, …]}``, the list alone, one or more of
``{"prediction_id": "…", "values": […]}`` (rows 0, 1, …), or CSV with the header ``id,value``. An entry that is wrong is
told and left out; the others are kept.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import math
import re
from collections.abc import Iterator
from concurrent.futures import Executor
from contextvars import copy_context
from time import time_ns
from typing import Any, NamedTuple

import orjson

from boucle.core.document import canonical
from boucle.core.errors import InvalidRequest, InvalidRows, NotFound, RowProblem, TooLarge, Unavailable, shown
from boucle.core.i18n import _
from boucle.core.ids import uuid7
from boucle.core.record import InferenceRecord
from boucle.gateway.recording import Recorder
from boucle.gateway.requests import Budget, Exchange, Holding, body_of, caller_of, event_time
from boucle.serving.decode import CSV, media_type
from boucle.serving.fleet import Fleet
from boucle.serving.limits import INT64_MAX, INT64_MIN, Limits
from boucle.serving.strict_json import parse

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}:(0|[1-9][0-9]{0,6})\Z")
_ID_CHARACTERS, _PREDICTION_ID_CHARACTERS = 44, 36
_BODIES_HELD, _LEAST_HELD_BYTES = 4, 64 * 1024 * 1024
_MAX_TOLD, _MAX_LABELS = 20, 1_000
_HEADERS = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
Pair = tuple[Any, Any]


class Told(NamedTuple):
    """What a body held: entries that are right, in order, and those that are not: (place, id, what is wrong)."""

    accepted: list[dict[str, Any]]
    rejected: list[tuple[int, str, str]]


class Feedback:
    """Takes ground truth for any model of the route table, loaded or not."""

    def __init__(self, limits: Limits, executor: Executor, recorder: Recorder, fleet: Fleet) -> None:
        self._limits = limits
        self._executor = executor
        self._recorder = recorder
        self._fleet = fleet
        self._budget = Budget(max(_BODIES_HELD * limits.max_body_bytes, _LEAST_HELD_BYTES))

    async def answer(self, name: str, exchange: Exchange) -> None:
        """Answer one body of ground truth with 202. Raises BoucleError; LogFull when it could not be kept."""
        self._require(name)
        now, headers = time_ns() // 1000, exchange.headers
        media = media_type(headers.get(b"content-type", b"").decode("latin-1"))
        at = event_time(headers[b"x-boucle-time"], now) if b"x-boucle-time" in headers else now
        truth = InferenceRecord("truth", name, 0, uuid7(), at, now, status=202, caller=caller_of(headers))
        with Holding(self._budget) as holding:
            body = await body_of(exchange, self._limits, holding)
            context, loop = copy_context(), asyncio.get_running_loop()
            told = await loop.run_in_executor(self._executor, lambda: context.run(self._keep, truth, body, media))
        self._recorder.feedback[name] += len(told.accepted)
        rejected = [{"id": given, "detail": detail} for _place, given, detail in told.rejected[:_MAX_TOLD]]
        answer = {"accepted": len(told.accepted), "rejected": rejected, "n_rejected": len(told.rejected)}
        content = orjson.dumps({**answer, "feedback_id": truth.prediction_id})
        await exchange.respond(202, content, _HEADERS)

    def _require(self, name: str) -> None:
        table = self._fleet.table
        if table is None:
            raise Unavailable(_("The gateway has no route table yet. Is the control plane up?"))
        if table.route(name) is None:
            cure = _("Deploy it first: boucle.deploy(…)")
            raise NotFound("model", name, [route.name for route in table.routes], cure)

    def _keep(self, truth: InferenceRecord, body: bytes, media: str) -> Told:
        told = read_truth(body, media, self._limits)
        if not told.accepted:
            found = [RowProblem("invalid-truth", "", detail, row=i) for i, _id, detail in told.rejected[:_MAX_TOLD]]
            raise InvalidRows(found, len(told.rejected))
        self._recorder.keep(truth._replace(request=canonical(told.accepted)))
        return told


def read_truth(body: bytes, media: str, limits: Limits) -> Told:
    """Return the entries of a body. Raises InvalidRequest or TooLarge for one that cannot be read at all.

    >>> told = read_truth(b'[{"id": "01900000-0000-7000-8000-000000000000:0", "value": 1}]', "", Limits())
    >>> told.accepted
    [{'id': '01900000-0000-7000-8000-000000000000:0', 'value': 1}]
    """
    if not body:
        raise InvalidRequest("empty-body", _("The request has no body. Send ground truth as JSON or CSV."))
    pairs = _of_csv(body) if media == CSV else _of_json(parse(body, limits))
    told = Told([], [])
    for i, (given, value) in enumerate(pairs):
        if i == limits.max_rows:
            raise TooLarge(_("entries of ground truth"), i + 1, limits.max_rows)
        wrong = _wrong(given, value, limits)
        if wrong:
            told.rejected.append((i, given[:80] if isinstance(given, str) else shown(given), wrong))
        else:
            told.accepted.append({"id": given.lower(), "value": value})
    if not told.accepted and not told.rejected:
        raise InvalidRequest("no-rows", _("The body holds no ground truth. Send at least one entry."))
    return told


def _of_json(document: Any) -> Iterator[Pair]:
    if type(document) is dict and set(document) == {"truth"}:
        document = document["truth"]
    elif type(document) is dict and set(document) == {"prediction_id", "values"}:
        document = [document]
    if type(document) is not list:
        expected = '{"truth": [{"id": "<prediction id>:<row>", "value": …}]}'
        raise InvalidRequest("unknown-format", _("This is not ground truth. Send {expected}").format(expected=expected))
    for entry in document:
        if type(entry) is not dict:
            yield entry, None
        elif set(entry) == {"prediction_id", "values"} and type(entry["values"]) is list:
            id_ = entry["prediction_id"]
            if not isinstance(id_, str) or len(id_) > _PREDICTION_ID_CHARACTERS:
                id_ = shown(id_)  # it names no answer: what each row repeats is short
            for row, value in enumerate(entry["values"]):
                yield f"{id_}:{row}", value
        elif set(entry) == {"id", "value"}:
            yield entry["id"], entry["value"]
        else:
            yield entry.get("id", entry), None


def _of_csv(body: bytes) -> Iterator[Pair]:
    try:
        text = body.decode("utf-8-sig")
        rows = csv.reader(io.StringIO(text, newline=""), strict=True)
        header = next(rows, [])
        if header != ["id", "value"]:
            raise InvalidRequest("unknown-format", _("The CSV must begin with the header: id,value"))
        for row in rows:
            if row:
                yield (row[0], _cell(row[1])) if len(row) == len(header) else (row[0], None)
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidRequest("malformed-csv", _("The CSV cannot be read: {cause}").format(cause=error)) from None


def _cell(text: str) -> Any:
    """Return a number, truth value or text as a CSV cell holds it; None when it is empty.

    >>> _cell("1"), _cell("0.5"), _cell("true"), _cell("007"), _cell("Adelie"), _cell("")
    (1, 0.5, True, '007', 'Adelie', None)
    """
    if text == "":
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, bool | int | float) else text


def _wrong(given: Any, value: Any, limits: Limits) -> str:
    """Return what is wrong with an entry, "" when nothing is."""
    if not isinstance(given, str) or len(given) > _ID_CHARACTERS or not _ID.match(given.lower()):
        return _("The id is not <prediction id>:<row>, as in 0190…:0 for the first row of an answer.")
    if value is None:
        return _('The value is missing. An entry is {"id": …, "value": …}.')
    if isinstance(value, list):
        is_right = len(value) <= _MAX_LABELS and all(isinstance(item, str) for item in value)
        is_right = is_right and sum(map(len, value)) * 4 <= limits.max_text_bytes
    elif isinstance(value, str):
        is_right = len(value) * 4 <= limits.max_text_bytes or len(value.encode()) <= limits.max_text_bytes
    elif isinstance(value, float):
        is_right = math.isfinite(value)
    else:
        is_right = isinstance(value, int) and INT64_MIN <= value <= INT64_MAX
    return "" if is_right else _("The value is not a number, a truth value, a text or a list of texts.")
