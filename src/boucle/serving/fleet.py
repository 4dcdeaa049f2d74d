"""Fleet: the versions that are loaded here, and which of them answers under each alias.

It follows a route table. A pointer moves only to a version that is loaded and warmed; one that cannot be loaded is
tried again with growing pauses while the version of before goes on answering. A version leaves when no pointer
and no route needs it, after its last request.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass

from boucle.core.errors import BoucleError, NotFound, Unavailable
from boucle.core.i18n import _
from boucle.core.routes import RoutedVersion, RouteTable
from boucle.core.version import CHAMPION
from boucle.serving.endpoint import Endpoint, Opener
from boucle.serving.meter import Meters

log = logging.getLogger("boucle.fleet")
_FIRST_PAUSE_S, _MAX_PAUSE_S = 0.5, 30.0
_LOADS_AT_ONCE = 4
Key = tuple[str, int]


@dataclass(frozen=True)
class Failing:
    """A version that cannot be loaded: its last error in words, and how often it was tried."""

    model: str
    number: int
    cause: str
    attempts: int


class Fleet:
    """Everything that answers in this process. Lives in one event loop."""

    def __init__(self, opener: Opener, meters: Meters, when_loaded: Callable[[], None] = lambda: None) -> None:
        self.table: RouteTable | None = None
        self.failing: dict[Key, Failing] = {}
        self.loaded: dict[Key, Endpoint] = {}
        self._opener = opener
        self._when_loaded = when_loaded
        self._meters = meters
        self._pointers: dict[str, dict[str, Endpoint]] = {}
        self._loads: dict[Key, tuple[RoutedVersion, asyncio.Task[None]]] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Semaphore(_LOADS_AT_ONCE)
        self._tried = asyncio.Event()

    def find(self, model: str, alias: str = CHAMPION) -> Endpoint:
        """Return what answers under an alias. Raises NotFound, or Unavailable while it is still being loaded."""
        try:
            return self._pointers[model][alias]
        except KeyError:
            raise self._absent(model, alias) from None

    def aliases(self, model: str) -> dict[str, Endpoint]:
        """Return what answers under each alias of a model; empty when nothing does."""
        return self._pointers.get(model, {})

    def apply(self, table: RouteTable) -> None:
        """Follow a new table: start the loads it asks for and move each pointer that may move."""
        self.table = table
        wanted = _wanted(table)
        for key, (version, task) in list(self._loads.items()):
            if wanted.get(key) != version:
                task.cancel()
                del self._loads[key]
        self.failing = {key: failing for key, failing in self.failing.items() if key in wanted}
        for key, version in wanted.items():
            is_loaded = key in self.loaded and self.loaded[key].version == version
            if not is_loaded and key not in self._loads:
                task = asyncio.get_running_loop().create_task(self._load(key, version))
                self._loads[key] = (version, task)
        self._repoint()

    async def settled(self, timeout_s: float) -> bool:
        """Wait until nothing is being loaded for the first time, at most ``timeout_s``. Returns whether it is so."""
        try:
            async with asyncio.timeout(timeout_s):
                while any(key not in self.failing for key in self._loads):
                    self._tried.clear()
                    await self._tried.wait()
        except TimeoutError:
            return False
        return True

    async def close(self) -> None:
        """Stop loading, and leave every model."""
        tasks = [task for _version, task in self._loads.values()]
        for task in (*tasks, *self._leaving):
            task.cancel()
        await asyncio.gather(*tasks, *self._leaving, return_exceptions=True)
        await asyncio.gather(*(endpoint.leave() for endpoint in self.loaded.values()), return_exceptions=True)
        self._pointers, self.loaded = {}, {}

    async def _load(self, key: Key, version: RoutedVersion) -> None:
        name, number = key
        meter = self._meters.of(name, number)
        attempts, pause_s = 0, _FIRST_PAUSE_S
        while True:
            try:
                async with self._turn:
                    endpoint = await self._opener.open(name, version, meter)
                break
            except Exception as error:  # whatever it is, the old pointer stays and we try again
                attempts += 1
                meter.load_failures += 1
                cause = str(error) if isinstance(error, BoucleError) else f"{type(error).__name__}: {error}"
                self.failing[key] = Failing(name, number, cause[:500], attempts)
                self._tried.set()
                log.warning("load failed", extra={"model": name, "version": number, "cause": cause}, exc_info=error)
            await asyncio.sleep(pause_s * random.uniform(0.8, 1.2))  # noqa: S311  # spreads the tries, hides nothing
            pause_s = min(pause_s * 2, _MAX_PAUSE_S)
        self.failing.pop(key, None)
        self._loads.pop(key, None)
        self._tried.set()
        self._when_loaded()
        replaced = self.loaded.get(key)
        self.loaded[key] = endpoint
        log.info("loaded", extra={"model": name, "version": number})
        self._repoint()
        if replaced is not None:
            self._retire(replaced)

    def _repoint(self) -> None:
        table = self.table
        if table is None:
            return
        pointers: dict[str, dict[str, Endpoint]] = {}
        for route in table.routes:
            before = self._pointers.get(route.name, {})
            found = {alias: self.loaded.get((route.name, n), before.get(alias)) for alias, n in route.aliases.items()}
            pointers[route.name] = {alias: endpoint for alias, endpoint in found.items() if endpoint is not None}
        self._pointers = pointers
        self._retire_unneeded(table)

    def _retire_unneeded(self, table: RouteTable) -> None:
        pointed = {endpoint for aliases in self._pointers.values() for endpoint in aliases.values()}
        wanted = _wanted(table)
        for key, endpoint in list(self.loaded.items()):
            if key not in wanted and endpoint not in pointed:
                del self.loaded[key]
                self._retire(endpoint)

    def _retire(self, endpoint: Endpoint) -> None:
        task = asyncio.get_running_loop().create_task(_drained(endpoint))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    def _absent(self, model: str, alias: str) -> BoucleError:
        table = self.table
        if table is None:
            return Unavailable(_("The gateway has no route table yet. Is the control plane up?"))
        route = table.route(model)
        if route is None:
            return NotFound("model", model, [r.name for r in table.routes], _("Deploy it first: boucle.deploy(…)"))
        if alias not in route.aliases:
            cure = _("Set it with: boucle promote {model} VERSION --alias {alias}")
            return NotFound("alias", alias, sorted(route.aliases), cure.format(model=model, alias=alias[:63]))
        return Unavailable(
            _("Version {number} of '{model}' is being loaded. Try again in a moment.").format(
                number=route.aliases[alias], model=model
            )
        )


def _wanted(table: RouteTable) -> dict[Key, RoutedVersion]:
    return {(route.name, version.number): version for route in table.routes for version in route.versions}


async def _drained(endpoint: Endpoint) -> None:
    """Close an endpoint after its last request."""
    await endpoint.drained()
    await endpoint.close()
