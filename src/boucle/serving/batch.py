"""Batcher: requests that arrive together are answered together, without waiting for any that might come.

While one batch runs, what arrives queues and goes next, in one batch (up to ``max_rows`` rows). A lone request is
run as soon as the event loop has handed over all that it had already read. A request that makes the model fail
fails alone: the others of its batch are run again one by one.

What is done with each answer before it is sent (``Finish``) is done here for all requests of a batch in a row, then
``flush`` once for all of them, and only then does any of them go on: so a batch is written down in one write.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from boucle.core.errors import ModelFailed, TooSlow, Unavailable
from boucle.core.i18n import _
from boucle.serving.meter import Meter
from boucle.serving.plan import Rows
from boucle_worker.frames import Columns

Run = Callable[[Sequence[Rows]], Columns | Awaitable[Columns]]
"""The rows of some requests (one, when it has many) -> the answers to all of them in order, at once or later."""


Flush = Callable[[], None]
"""Keeps what the ``Finish`` of each request of a batch left. What it raises is the answer to each of them."""


class Answered(NamedTuple):
    """The answers of a whole batch, and where those of one request lie in it."""

    answers: Columns
    start: int
    stop: int


Finish = Callable[[Answered], Any]
"""Answers -> what the request that waits is given."""


def as_they_are(answered: Answered) -> Answered:
    """Finish nothing."""
    return answered


def keep_nothing() -> None:
    """Flush nothing."""


@dataclass(frozen=True)
class BatchOptions:
    """``max_rows`` of one batch, ``max_waiting`` requests in the queue.

    A request is refused when more than two calls of the model are before it and they would take ``max_wait_s``, and
    when it waited that long beyond two calls; it is not tried again after a failure when it is ``max_age_s`` old.
    """

    max_rows: int = 1024
    max_waiting: int = 1024
    max_wait_s: float = 0.5
    max_age_s: float = 10.0


class _Waiting(NamedTuple):
    rows: Rows
    answered: asyncio.Future[Any]
    since: float
    finish: Finish


Batch = list[_Waiting]
_CALLS_ALLOWED = 2
_NEWEST_WEIGHT = 0.3


class Batcher:
    """Feeds one model. Lives in one event loop; counts its batches on ``meter``."""

    def __init__(self, run: Run, options: BatchOptions, meter: Meter, flush: Flush = keep_nothing) -> None:
        self.run = run
        self.options = options
        self.meter = meter
        self._flush = flush
        self._queue: deque[_Waiting] = deque()
        self._rows_waiting = 0  # of requests with few rows
        self._many_waiting = 0  # requests with many rows, each a call of its own
        self._call_s = 0.0  # what a call takes of late
        self._is_running = False
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()

    async def infer(self, rows: Rows, finish: Finish = as_they_are) -> Any:
        """Return what ``finish`` makes of the answers to the rows of one request, after the flush of its batch.

        Raises ModelFailed, TooSlow, Unavailable when too many requests wait already, and what finish or flush raise.
        """
        self._refuse_when_busy()
        waiting = _Waiting(rows, self._loop.create_future(), self._loop.time(), finish)
        self._queue.append(waiting)
        self._rows_waiting += 0 if rows.columns is not None else rows.n_rows
        self._many_waiting += 1 if rows.columns is not None else 0
        if not self._is_running:
            self._is_running = True
            self._loop.call_soon(self._next)
        return await waiting.answered

    def now(self, rows: Rows) -> Answered | None:
        """Return the answers at once, or None when something runs or waits. Raises ModelFailed.

        For a request known to be the only one, which is spared the queue; and for a ``run`` that answers at once.
        """
        if self._is_running:
            return None
        answers = cast("Columns", self.run([rows]))
        self.meter.batches += 1
        self.meter.batched_rows += rows.n_rows
        _check_number(answers, rows.n_rows)
        return Answered(answers, 0, rows.n_rows)

    def _refuse_when_busy(self) -> None:
        calls = self._is_running + self._many_waiting + -(-self._rows_waiting // self.options.max_rows)
        ahead_s = calls * self._call_s
        if len(self._queue) >= self.options.max_waiting or (
            calls > _CALLS_ALLOWED and ahead_s > self.options.max_wait_s
        ):
            n_waiting = len(self._queue)
            raise Unavailable(
                _("The model is busy: {n} requests wait already.").format(n=n_waiting), math.ceil(max(ahead_s, 1.0))
            )

    def _next(self) -> None:
        batch = self._taken()
        if not batch:
            self._is_running = False
            return
        n_rows = sum(item.rows.n_rows for item in batch)
        self.meter.batches += 1
        self.meter.batched_rows += n_rows
        try:
            answers = self.run([item.rows for item in batch])
            if isinstance(answers, dict):
                self._deliver(batch, answers, n_rows)
        except Exception as error:  # noqa: BLE001  # handed to whoever asked
            self._spawn(self._failed(batch, error))
            return
        if isinstance(answers, dict):
            self._loop.call_soon(self._next)
        else:
            self._spawn(self._later(batch, answers, n_rows))

    def _taken(self) -> Batch:
        """Take what goes together: few-row requests up to ``max_rows``, or one request of many rows."""
        batch: Batch = []
        n_rows = 0
        oldest = self._loop.time() - self.options.max_wait_s - _CALLS_ALLOWED * self._call_s
        while self._queue:
            rows = self._queue[0].rows
            n_rows += rows.n_rows
            if batch and (n_rows > self.options.max_rows or rows.columns is not None):
                break
            item = self._queue.popleft()
            self._rows_waiting -= 0 if rows.columns is not None else rows.n_rows
            self._many_waiting -= 1 if rows.columns is not None else 0
            if item.since < oldest:
                _refuse(item, Unavailable(_("The model is busy: the request waited too long. Try again later.")))
                n_rows -= rows.n_rows
                continue
            batch.append(item)
            if rows.columns is not None:
                break
        return batch

    async def _later(self, batch: Batch, answers: Awaitable[Columns], n_rows: int) -> None:
        start = self._loop.time()
        try:
            found = await answers
            took_s = self._loop.time() - start
            self._call_s += (_NEWEST_WEIGHT if self._call_s else 1.0) * (took_s - self._call_s)
            self._deliver(batch, found, n_rows)
        except Exception as error:  # noqa: BLE001  # handed to whoever asked
            await self._failed(batch, error)
        else:
            self._next()

    async def _failed(self, batch: Batch, error: Exception) -> None:
        """Answer a failed batch: one by one when it was several requests, and once more when the worker was gone.

        Too slow is final: the deadline of the requests has passed with that of the model.
        """
        if isinstance(error, TooSlow) or (len(batch) == 1 and not isinstance(error, Unavailable)):
            for item in batch:
                _refuse(item, error)
        else:
            for item in batch:
                await self._alone(item, error)
        self._next()

    async def _alone(self, item: _Waiting, error: Exception) -> None:
        if self._loop.time() - item.since > self.options.max_age_s:
            _refuse(item, error)
            return
        try:
            answers = self.run([item.rows])
            self._deliver([item], answers if isinstance(answers, dict) else await answers, item.rows.n_rows)
        except Exception as found:  # noqa: BLE001  # handed to whoever asked
            _refuse(item, found)

    def _deliver(self, batch: Sequence[_Waiting], answers: Columns, n_rows: int) -> None:
        """Finish each request, flush them all, and only then let them go on. Raises ModelFailed."""
        _check_number(answers, n_rows)
        finished, start = [], 0
        for item in batch:
            stop = start + item.rows.n_rows
            if not item.answered.done():
                try:
                    finished.append((item, item.finish(Answered(answers, start, stop))))
                except Exception as error:  # noqa: BLE001  # handed to whoever asked
                    _refuse(item, error)
            start = stop
        try:
            self._flush()
        except Exception as error:  # noqa: BLE001  # handed to all who asked
            for item, _result in finished:
                _refuse(item, error)
        else:
            for item, result in finished:
                item.answered.set_result(result)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _check_number(answers: Columns, n_rows: int) -> None:
    found = len(answers["prediction"].values)
    if found != n_rows:
        raise ModelFailed(_("The model gave {found} answers to {n} rows.").format(found=found, n=n_rows))


def _refuse(item: _Waiting, error: Exception) -> None:
    if not item.answered.done():
        item.answered.set_exception(error)
