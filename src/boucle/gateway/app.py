"""The gateway as an ASGI application: raw, for it is the hot path."""

from __future__ import annotations

import asyncio
import gc
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

from boucle.core.errors import Unavailable
from boucle.core.i18n import _, use_language
from boucle.gateway.feedback import Feedback
from boucle.gateway.follower import follow
from boucle.gateway.guard import Guard
from boucle.gateway.invocations import Invocations
from boucle.gateway.metrics import Metrics
from boucle.gateway.problems import problem
from boucle.gateway.recording import LogFull, Recorder
from boucle.gateway.requests import (
    ClientGone,
    Exchange,
    Receive,
    Scope,
    Send,
    alias_of,
    caller_of,
    headers_of,
    language_of,
    request_id,
    require_method,
)
from boucle.gateway.table_file import read_table
from boucle.gateway.views import Views
from boucle.serving.batch import BatchOptions
from boucle.serving.endpoint import Endpoint, Opener, ServingOptions
from boucle.serving.fleet import Fleet
from boucle.serving.limits import Limits
from boucle.serving.meter import Meters
from boucle.serving.ports import Journal, Models, RouteSource

_THREADS = 4
_INVOCATION_PARTS = 4  # "", "models", name, "invocations"
_NO_HEADERS: list[tuple[bytes, bytes]] = []


@dataclass(frozen=True)
class GatewayOptions:
    """``routes_copy`` is the file kept of the route table; ``token`` empty means that none is asked for.

    ``max_in_flight`` requests are worked on at once, more are answered 503; at the start, the versions of the copy
    are waited for ``settle_s`` seconds before the first request is taken. ``is_refusing_unlogged`` decides about an
    answer that cannot be written down: refused with 503, or sent and counted as lost.
    """

    routes_copy: Path
    token: str = ""
    allowed_hosts: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    timeout_s: float = 10.0
    batch: BatchOptions = field(default_factory=BatchOptions)
    max_in_flight: int = 1024
    settle_s: float = 5.0
    is_refusing_unlogged: bool = False


class Gateway:
    """The application. ``fleet`` and the rest come to life with the lifespan's start."""

    def __init__(
        self, options: GatewayOptions, models: Models, source: RouteSource, journal: Journal | None = None
    ) -> None:
        self.options = options
        self.source = source
        self.meters = Meters()
        self.executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="gateway")
        self.recorder = Recorder(journal, options.is_refusing_unlogged)
        serving = ServingOptions(self.executor, options.limits, options.timeout_s, options.batch, self.recorder.flush)
        self.fleet = Fleet(Opener(models, serving), self.meters, gc.freeze)
        self.invocations = Invocations(options.limits, self.executor, self.recorder)
        self.feedback = Feedback(options.limits, self.executor, self.recorder, self.fleet)
        self.in_flight = 0
        self._guard = Guard(options.allowed_hosts, options.token)
        self.views = Views(self.fleet, Metrics(self.meters, self.fleet, self.recorder), self.recorder)
        self._following: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection event."""
        if scope["type"] == "http":
            await self._answer(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)

    async def start(self) -> None:
        """Serve from the copy on disk, then follow the control plane."""
        gc.collect()
        gc.freeze()  # what is loaded stays: the collector need not walk it in the middle of an answer
        table = await asyncio.to_thread(read_table, self.options.routes_copy)
        if table is not None:
            self.fleet.apply(table)
            await self.fleet.settled(self.options.settle_s)
        following = follow(self.source, self.fleet, self.options.routes_copy)
        self._following = asyncio.get_running_loop().create_task(following)

    async def stop(self) -> None:
        """Stop following and let every model go."""
        if self._following is not None:
            self._following.cancel()
            with suppress(asyncio.CancelledError):
                await self._following
        await self.source.close()
        await self.fleet.close()
        self.executor.shutdown(wait=False, cancel_futures=True)
        self.recorder.close()

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await self.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = perf_counter()
        headers = headers_of(scope["headers"])
        exchange = Exchange(scope, headers, receive, send)
        language = headers.get(b"accept-language")
        if language is not None:
            use_language(language_of(language))
        self.in_flight += 1
        endpoint, meter, more = None, self.meters.other, _NO_HEADERS
        try:
            self._guard.check(scope["method"], scope["path"], headers)
            parts = scope["path"].split("/")
            if len(parts) == _INVOCATION_PARTS and parts[1] == "models" and parts[3] == "invocations":
                endpoint = self._invoked(scope, parts[2])
                meter, more = endpoint.meter, endpoint.headers
                await self.invocations.answer(endpoint, exchange)
            elif len(parts) == _INVOCATION_PARTS and parts[1] == "models" and parts[3] == "feedback":
                require_method(scope, "POST")
                await self.feedback.answer(parts[2], exchange)
            else:
                await self.views.answer(exchange, parts)
        except ClientGone:
            return
        except Exception as error:  # noqa: BLE001  # every failure becomes a problem here
            found = problem(error, request_id(headers))
            seconds = perf_counter() - start
            meter.answered(found.status, seconds)
            if endpoint is not None and not isinstance(error, LogFull):
                self.recorder.refused(endpoint, found.status, seconds, caller_of(headers))
            await exchange.respond(found.status, found.body, [*found.headers, *more])
        finally:
            self.in_flight -= 1

    def _invoked(self, scope: Scope, name: str) -> Endpoint:
        """Return the version that shall answer. Raises NotFound, Unavailable, or MethodNotAllowed."""
        require_method(scope, "POST")
        endpoint = self.fleet.find(name, alias_of(scope))
        if self.in_flight > self.options.max_in_flight:
            raise Unavailable(_("The gateway is busy: {n} requests are under way.").format(n=self.in_flight))
        return endpoint


def create_app(options: GatewayOptions, models: Models, source: RouteSource, journal: Journal | None = None) -> Gateway:
    """Return the gateway: an ASGI application with lifespan. Without a journal it records nothing."""
    return Gateway(options, models, source, journal)
