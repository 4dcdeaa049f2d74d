"""Endpoint: one version that is loaded, warmed and answers; and how a version of either runtime becomes one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field

from boucle.core.routes import RoutedVersion
from boucle.core.segment import Packer
from boucle.serving.batch import Batcher, BatchOptions, Flush, keep_nothing
from boucle.serving.encode import Encoder
from boucle.serving.in_process import Infer, Lanes, Now, inline_rows, never_now
from boucle.serving.limits import Limits
from boucle.serving.meter import Meter
from boucle.serving.plan import RowPlan, Rows
from boucle.serving.ports import Models
from boucle_worker.frames import Columns


@dataclass(frozen=True)
class ServingOptions:
    """``executor`` runs what would hold up the event loop; ``timeout_s`` is the model's deadline.

    ``flush`` keeps what the requests of a batch leave, before any of them is answered.
    """

    executor: Executor
    limits: Limits = field(default_factory=Limits)
    timeout_s: float = 10.0
    batch: BatchOptions = field(default_factory=BatchOptions)
    flush: Flush = keep_nothing


@dataclass(eq=False)
class Endpoint:
    """A version that answers. Requests that entered keep it open after it was retired.

    ``infer`` raises ModelFailed, TooSlow or Unavailable; ``now`` answers a lone request without a queue, or returns
    None when ``infer`` must; ``probe`` returns when the model answers now and raises
    BoucleError when it does not; ``close`` lets the model go; ``leave`` lets it go when no other gateway starts soon.
    """

    name: str
    version: RoutedVersion
    plan: RowPlan
    meter: Meter
    infer: Infer
    now: Now
    probe: Callable[[], Awaitable[None]]
    close: Callable[[], Awaitable[None]]
    leave: Callable[[], Awaitable[None]]

    def __post_init__(self) -> None:
        """Prepare what each answer needs."""
        self._in_flight = 0
        self._is_idle: asyncio.Event = asyncio.Event()
        self.encoder = Encoder(self.version.signature.classes)
        self.packer = Packer(self.name, self.version.number)
        self.headers: list[tuple[bytes, bytes]] = [
            (b"x-boucle-model", self.name.encode("ascii")),
            (b"x-boucle-version", b"%d" % self.version.number),
        ]

    def enter(self) -> None:
        """Say that a request begins: the model stays until it exits."""
        self._in_flight += 1

    def exit(self) -> None:
        """Say that a request ended."""
        self._in_flight -= 1
        if self._in_flight == 0:
            self._is_idle.set()

    async def drained(self) -> None:
        """Return when no request is in flight."""
        while self._in_flight:
            self._is_idle.clear()
            await self._is_idle.wait()


@dataclass(frozen=True)
class Opener:
    """Opens the endpoint of a version: load, verify, warm. Only then may a pointer move to it."""

    models: Models
    options: ServingOptions

    async def open(self, name: str, version: RoutedVersion, meter: Meter) -> Endpoint:
        """Return the endpoint, ready to answer. Raises BoucleError when the version cannot be loaded."""
        plan = RowPlan(version.schema, self.options.limits)
        if version.runtime == "onnx":
            return await self._in_process(name, version, plan, meter)
        return await self._hosted(name, version, plan, meter)

    async def _in_process(self, name: str, version: RoutedVersion, plan: RowPlan, meter: Meter) -> Endpoint:
        loop, options, example = asyncio.get_running_loop(), self.options, plan.example()
        graph = await loop.run_in_executor(options.executor, self.models.graph, version)
        await loop.run_in_executor(options.executor, graph.load)
        most = await loop.run_in_executor(options.executor, inline_rows, graph, example)
        lanes = Lanes(graph, plan, most, options.executor, options.timeout_s)

        async def probe() -> None:
            if example is not None:
                await lanes.aside([Rows(1, columns=example)])

        infer, now = lanes.opened(options.batch, meter, options.flush)
        return Endpoint(name, version, plan, meter, infer, now, probe, _nothing, _nothing)

    async def _hosted(self, name: str, version: RoutedVersion, plan: RowPlan, meter: Meter) -> Endpoint:
        model, timeout_s = self.models.hosted(name, version), self.options.timeout_s
        try:
            await model.load()
        except BaseException:
            await model.leave()
            raise

        def run(parts: Sequence[Rows]) -> Awaitable[Columns]:
            return model.predict(plan.columns(parts), timeout_s)

        batcher = Batcher(run, self.options.batch, meter, self.options.flush)
        return Endpoint(name, version, plan, meter, batcher.infer, never_now, model.ping, model.unload, model.leave)


async def _nothing() -> None:
    """A graph needs no farewell: its memory goes with the last reference."""
