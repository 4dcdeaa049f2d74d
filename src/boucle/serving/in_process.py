"""A graph in this process: small batches run in the event loop, where they are over sooner than a thread wakes;
large ones run in a thread, one at a time, and are stopped at the deadline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from boucle.core.errors import TooSlow
from boucle.core.table import Table
from boucle.serving.batch import Answered, Batcher, BatchOptions, Finish, Flush, as_they_are, keep_nothing
from boucle.serving.meter import Meter
from boucle.serving.plan import RowPlan, Rows, joined
from boucle.serving.ports import Graph
from boucle_worker.frames import Columns

INLINE_S = 0.002  # the event loop may stand still this long for one batch
_MOST_INLINE_ROWS = 4096
_UNMEASURED_INLINE_ROWS = 64
_MANY = 64


class Infer(Protocol):
    """Answers rows through a queue: see ``Batcher.infer``."""

    def __call__(self, rows: Rows, finish: Finish = as_they_are) -> Awaitable[Any]:
        """Return what ``finish`` makes of the answers."""


Now = Callable[[Rows], Answered | None]


def never_now(rows: Rows) -> None:
    """Answer no request at once: for models that run elsewhere, or for long."""
    del rows


@dataclass(frozen=True)
class Lanes:
    """``inline_rows`` is the most rows that run in the event loop; 0 when one row is slow already."""

    graph: Graph
    plan: RowPlan
    inline_rows: int
    executor: Executor
    timeout_s: float

    def opened(self, batch: BatchOptions, meter: Meter, flush: Flush = keep_nothing) -> tuple[Infer, Now]:
        """Return what answers the rows of a request by the lane that suits their number, and what does so at once."""
        aside = Batcher(self.aside, batch, meter, flush)
        if self.inline_rows == 0:
            return aside.infer, never_now
        inline_options = replace(batch, max_rows=min(self.inline_rows, batch.max_rows))
        inline = Batcher(self.inline(), inline_options, meter, flush)

        def infer(rows: Rows, finish: Finish = as_they_are) -> Awaitable[Any]:
            lane = inline if rows.n_rows <= self.inline_rows else aside
            return lane.infer(rows, finish)

        def now(rows: Rows) -> Answered | None:
            return inline.now(rows) if rows.n_rows <= self.inline_rows else None

        return infer, now

    def inline(self) -> Callable[[Sequence[Rows]], Columns]:
        """Return what runs a batch here and now, the shortest way."""
        by_cells = self.graph.for_cells(self.plan.schema.names)
        if by_cells is None:
            return lambda parts: self.graph.predict(self.plan.columns(parts))

        def run(parts: Sequence[Rows]) -> Columns:
            if parts[0].columns is not None:
                return self.graph.predict(parts[0].columns)
            return by_cells(joined(parts))

        return run

    async def aside(self, parts: Sequence[Rows]) -> Columns:
        """Run a batch in a thread. Raises TooSlow at the deadline, and has the run stopped."""
        columns = self.plan.columns(parts)
        run = asyncio.get_running_loop().run_in_executor(self.executor, self.graph.predict, columns)
        done, _pending = await asyncio.wait([run], timeout=self.timeout_s)
        if done:
            return run.result()
        self.graph.stop()
        run.add_done_callback(_forget)
        raise TooSlow("ONNX", self.timeout_s)


def inline_rows(graph: Graph, example: Columns | None) -> int:
    """Warm the graph with its example (a row, or the rows of a window), and return how many it answers in 2 ms.

    Raises ModelFailed when it cannot answer its own example.
    """
    if example is None:
        return _UNMEASURED_INLINE_ROWS
    graph.predict(example)
    one_s = min(_timed(graph, example) for _i in range(3))
    if one_s > INLINE_S:
        return 0
    rows = Table(example)
    many = rows.take(np.tile(np.arange(rows.n_rows), _MANY)).columns
    graph.predict(many)
    many_s = min(_timed(graph, many) for _i in range(3))
    row_s = max(many_s - one_s, 1e-9) / (_MANY - 1)
    return max(1, min(_MOST_INLINE_ROWS, int((INLINE_S - one_s) / row_s)))


def _timed(graph: Graph, columns: Columns) -> float:
    start = time.perf_counter()
    graph.predict(columns)
    return time.perf_counter() - start


def _forget(run: asyncio.Future[Columns]) -> None:
    """Take the error of a run that nobody waits for any more."""
    if not run.cancelled():
        run.exception()
