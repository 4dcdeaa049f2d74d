"""One prediction request: body in, answer out. The order of a row's way is the order of this file."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from contextvars import copy_context
from functools import partial
from time import perf_counter, time_ns
from typing import Any, TypeVar
from urllib.parse import quote

from boucle.core.ids import uuid7
from boucle.gateway.recording import Asked, Recorder, Reply
from boucle.gateway.requests import Budget, Exchange, Holding, body_of, event_time
from boucle.serving.batch import Answered
from boucle.serving.decode import CSV, decode, media_type
from boucle.serving.endpoint import Endpoint
from boucle.serving.limits import Limits
from boucle.serving.plan import RowPlan, Rows

T = TypeVar("T")
_LARGE_BODY, _LARGE_ROWS = 128 * 1024, 2_000  # beyond these, other requests would notice the event loop standing still
_BODIES_HELD, _LEAST_HELD_BYTES = 16, 128 * 1024 * 1024  # large bodies in memory at once: so many of the largest
_MAX_NAMED = 20
_JSON_TYPE, _CSV_TYPE = (b"content-type", b"application/json"), (b"content-type", b"text/csv; charset=utf-8")


class Invocations:
    """Answers rows; ``executor`` decodes and encodes large bodies beside the event loop."""

    def __init__(self, limits: Limits, executor: Executor, recorder: Recorder) -> None:
        self._limits = limits
        self._executor = executor
        self._recorder = recorder
        self._budget = Budget(max(_BODIES_HELD * limits.max_body_bytes, _LEAST_HELD_BYTES))

    async def answer(self, endpoint: Endpoint, exchange: Exchange) -> None:
        """Answer one request with one version. Raises BoucleError, or ClientGone when there is nobody to tell."""
        start = perf_counter()
        endpoint.enter()
        try:
            with Holding(self._budget) as holding:
                asked = await self._asked(endpoint, exchange, holding, start)
                rows = asked.rows
                answered = endpoint.now(rows) if exchange.is_alone() else None
                if rows.n_rows > _LARGE_ROWS or len(asked.body) > _LARGE_BODY or self._recorder.is_slow:
                    reply = await self._large(asked, answered or await endpoint.infer(rows))
                elif answered is not None:
                    reply = self._finished(asked, answered)
                    self._recorder.flush()
                else:
                    reply = await endpoint.infer(rows, partial(self._finished, asked))
        finally:
            endpoint.exit()
        meter = endpoint.meter
        meter.predictions += rows.n_rows
        meter.unseen += rows.unseen
        meter.out_of_range += rows.out_of_range
        meter.answered(200, reply.seconds)
        told = [reply.kind, *endpoint.headers, (b"x-prediction-id", reply.prediction_id.encode("ascii"))]
        if rows.ignored:
            told.append((b"x-boucle-ignored-columns", _ignored(rows.ignored)))
        await exchange.respond(200, reply.content, told)

    async def _asked(self, endpoint: Endpoint, exchange: Exchange, holding: Holding, start: float) -> Asked:
        headers = exchange.headers
        media = media_type(headers.get(b"content-type", b"").decode("latin-1"))
        told_at = headers.get(b"x-boucle-time")
        at = 0 if told_at is None else event_time(told_at, time_ns() // 1000)
        body = await body_of(exchange, self._limits, holding)
        if len(body) > _LARGE_BODY:
            rows = await self._aside(read_rows, endpoint.plan, body, media)
        else:
            rows = read_rows(endpoint.plan, body, media)
        return Asked(endpoint, headers, rows, body, media, at, start)

    def _finished(self, asked: Asked, answered: Answered) -> Reply:
        """Return the reply, its record held: the next flush writes it."""
        reply = _reply(asked, answered)
        if self._recorder.is_on:
            self._recorder.hold(asked, reply)
        return reply

    async def _large(self, asked: Asked, answered: Answered) -> Reply:
        """Return the reply when its record is written, in a thread; so are many rows."""
        is_long = asked.rows.n_rows > _LARGE_ROWS
        reply = await self._aside(_reply, asked, answered) if is_long else _reply(asked, answered)
        if self._recorder.is_on:
            await self._recorder.record_aside(asked, reply, self._executor)
        return reply

    async def _aside(self, work: Callable[..., T], *args: Any) -> T:
        """Do large work in a thread, in the language of this request."""
        context = copy_context()
        return await asyncio.get_running_loop().run_in_executor(self._executor, lambda: context.run(work, *args))


def read_rows(plan: RowPlan, body: bytes, media: str) -> Rows:
    """Return the rows of a body, right by the schema. Raises InvalidRequest, InvalidRows or TooLarge."""
    raw = decode(body, media, plan.schema, plan.names)
    return plan.read(raw, has_long_texts=len(body) > plan.limits.max_text_bytes)


def _reply(asked: Asked, answered: Answered) -> Reply:
    """Return the answers as bytes: CSV when asked for, or for CSV when nothing is."""
    endpoint, rows = asked.endpoint, asked.rows
    answers, first, last = answered
    prediction_id = uuid7()
    accept = asked.headers.get(b"accept")
    if asked.media == CSV if accept is None else b"text/csv" in accept:
        kind, content, form = _CSV_TYPE, endpoint.encoder.to_csv(answers, first, last, rows.groups), "csv"
    else:
        content = endpoint.encoder.to_json(answers, first, last, prediction_id, rows.groups)
        kind, form = _JSON_TYPE, "json"
    return Reply(kind, content, form, prediction_id, perf_counter() - asked.start)


def _ignored(names: tuple[str, ...]) -> bytes:
    """Return the names of ignored columns, percent-encoded: a caller wrote them, a header carries them."""
    told = [quote(name[:80], safe=" ") for name in names[:_MAX_NAMED]]
    more = len(names) - _MAX_NAMED
    return ", ".join(told + [f"... {more} more"] * (more > 0)).encode("ascii")
