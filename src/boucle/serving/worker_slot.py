"""WorkerSlot: the place of one version in the model host. Its process may hang or die; the slot replaces it.

One thread serves each slot, for its process takes one call at a time. A process that died is replaced at once the
first time; each further death within a minute doubles the pause before the next start, and who asks meanwhile is
told when to come back.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from boucle.core.errors import BoucleError, ModelFailed, TooSlow, Unavailable
from boucle.core.i18n import _
from boucle.core.loading import load_header
from boucle.core.routes import RoutedVersion
from boucle.serving.limits import Limits
from boucle.serving.plan import RowPlan
from boucle.serving.ports import Environments, LocalArtifacts, StartWorker, WorkerProcess
from boucle_worker.frames import Columns

log = logging.getLogger("boucle.host")
T = TypeVar("T")
_PING_S = 5.0
_FIRST_PAUSE_S, _MAX_PAUSE_S, _MEMORY_S, _MOST_REMEMBERED = 0.5, 30.0, 60.0, 8


@dataclass(frozen=True)
class HostOptions:
    """``logs`` is the folder of the models' own output; ``load_timeout_s`` covers loading and the first answer."""

    logs: Path
    load_timeout_s: float = 120.0
    predict_timeout_s: float = 10.0


@dataclass(frozen=True)
class HostWorld:
    """What the host needs from outside."""

    environments: Environments
    artifacts: LocalArtifacts
    start_worker: StartWorker


class WorkerSlot:
    """Holds one version ready. Lives in one event loop."""

    def __init__(self, key: str, version: RoutedVersion, world: HostWorld, options: HostOptions) -> None:
        self.key = key
        self.version = version
        self.deaths: deque[float] = deque(maxlen=_MOST_REMEMBERED)
        self._world = world
        self._options = options
        self._process: WorkerProcess | None = None
        self._started: WorkerProcess | None = None
        self._is_closed = False
        self._loading: asyncio.Task[None] | None = None
        self._due_at = 0.0
        self._calls = 0
        self._is_idle = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"model-{key[:40]}")

    @property
    def pid(self) -> int | None:
        """The process id of the worker; None while there is none."""
        return None if self._process is None else self._process.pid

    @property
    def is_ready(self) -> bool:
        """True when a loaded process waits for rows."""
        return self._process is not None and self._process.is_alive

    async def load(self) -> None:
        """Return when the version is ready. Raises BoucleError when it cannot be loaded; may be called again."""
        if not self.is_ready:
            await self._loaded()

    async def predict(self, columns: Columns, timeout_s: float) -> Columns:
        """Return the answers. Raises ModelFailed, TooSlow (the process was killed) or Unavailable (it died)."""
        if not self.is_ready:
            await self._replacement(timeout_s)
        return (await self._call({"op": "predict"}, columns, timeout_s))[1]

    async def ping(self) -> None:
        """Return when the process answers, or is at work on rows. Raises BoucleError when it does not."""
        if not self.is_ready:
            await self._replacement(_PING_S)
        if self._calls == 0:
            await self._call({"op": "ping"}, {}, _PING_S)

    async def close(self) -> None:
        """End the process after the calls under way; one that is being started is ended at once."""
        self._is_closed = True
        if self._loading is not None:
            self._loading.cancel()
        while self._calls:
            self._is_idle.clear()
            await self._is_idle.wait()
        self._process = None
        if self._started is not None:
            await asyncio.to_thread(self._started.close)
        self._thread.shutdown(wait=False)

    async def _call(self, header: dict[str, Any], columns: Columns, timeout_s: float) -> tuple[dict[str, Any], Columns]:
        process = self._process
        if process is None:
            raise Unavailable(_("The model's process is not running."))
        self._calls += 1
        try:
            return await self._in_thread(lambda: process.call(header, columns, timeout_s))
        except (TooSlow, Unavailable, ModelFailed):
            if not process.is_alive and process is self._process:
                self._process = None
                self._note_death()
                self._start_loading()
            raise
        finally:
            self._calls -= 1
            if self._calls == 0:
                self._is_idle.set()

    def _note_death(self) -> None:
        """Remember a death, and when the next process may start: at once after a first one, later after others."""
        now = time.monotonic()
        while self.deaths and now - self.deaths[0] > _MEMORY_S:
            self.deaths.popleft()
        pause_s = min(_MAX_PAUSE_S, _FIRST_PAUSE_S * 2 ** (len(self.deaths) - 1)) if self.deaths else 0.0
        self.deaths.append(now)
        self._due_at = now + pause_s
        log.warning("model process died", extra={"key": self.key, "deaths": len(self.deaths), "pause_s": pause_s})

    async def _replacement(self, timeout_s: float) -> None:
        """Wait for the process that is being started; while it must not be yet, say when to come back."""
        left_s = self._due_at - time.monotonic()
        if left_s > 0:
            raise Unavailable(
                _("The model's process died {n} times within a minute; it is started again soon.").format(
                    n=len(self.deaths)
                ),
                int(left_s) + 1,
            )
        try:
            await asyncio.wait_for(self._loaded(), timeout_s)
        except TimeoutError:
            raise Unavailable(_("The model's process is being started."), 2) from None

    async def _loaded(self) -> None:
        await asyncio.shield(self._start_loading())

    def _start_loading(self) -> asyncio.Task[None]:
        """Return the load under way, started when there is none."""
        if self._loading is None or self._loading.done():
            self._loading = asyncio.get_running_loop().create_task(self._load())
            self._loading.add_done_callback(_forget)
        return self._loading

    async def _load(self) -> None:
        await asyncio.sleep(max(0.0, self._due_at - time.monotonic()))
        start = time.monotonic()
        try:
            self._process = await self._in_thread(self._start)
        except BoucleError:
            self._note_death()
            raise
        log.info("model loaded", extra={"key": self.key, "seconds": round(time.monotonic() - start, 3)})

    def _start(self) -> WorkerProcess:
        """Make the environment, start the process, load the model, have it answer its example row."""
        version, world = self.version, self._world
        if version.lock is None or version.interpreter is None:
            raise Unavailable(_("Version {number} has no environment yet.").format(number=version.number))
        lock = world.artifacts.read(version.lock.digest).decode("utf-8")
        python = world.environments.ensure(lock, version.interpreter)
        process = world.start_worker(python, self._options.logs / f"{self.key.replace('/', '-')}.log")
        try:
            process.start()
            self._started = process
            if self._is_closed:  # while the environment was made; had it been later, close() would end the process
                raise Unavailable(_("The version was let go."))
            process.call(load_header(version, world.artifacts.local_path), {}, self._options.load_timeout_s)
            example = RowPlan(version.schema, Limits()).example()
            if example is not None:
                process.call({"op": "predict"}, example, self._options.load_timeout_s)
        except BaseException:
            process.close()
            raise
        return process

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _forget(task: asyncio.Task[None]) -> None:
    """Take the error of a load that nobody waits for: whoever asks next starts another."""
    if not task.cancelled():
        task.exception()
