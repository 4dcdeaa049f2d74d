"""Models and route tables in memory: plain functions that answer columns, and tables that are handed over."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

from boucle.core.errors import NotFound, TooSlow
from boucle.core.i18n import _
from boucle.core.routes import RoutedVersion, RouteTable
from boucle_worker.frames import Columns

Predict = Callable[[Columns], Columns]
_POLL_S, _WAIT_S = 0.005, 20.0


class FunctionGraph:
    """A function in the place of a graph."""

    def __init__(self, predict: Predict) -> None:
        self._predict = predict

    def load(self) -> None:
        """There is nothing to load."""

    def predict(self, columns: Columns) -> Columns:
        """Return what the function returns."""
        return self._predict(columns)

    def for_cells(self, names: tuple[str, ...]) -> None:
        """A function takes columns only."""
        del names

    def stop(self) -> None:
        """A function cannot be stopped; its thread ends when it does."""


class FunctionHosted:
    """A function in the place of a hosted model; it runs in a thread."""

    def __init__(self, predict: Predict) -> None:
        self._predict = predict
        self.is_loaded = False

    async def load(self) -> None:
        """Say that it is held."""
        self.is_loaded = True

    async def predict(self, columns: Columns, timeout_s: float) -> Columns:
        """Return what the function returns. Raises TooSlow at the deadline."""
        try:
            return await asyncio.wait_for(asyncio.to_thread(self._predict, columns), timeout_s)
        except TimeoutError:
            raise TooSlow(_("The model"), timeout_s) from None

    async def ping(self) -> None:
        """A function always answers."""

    async def leave(self) -> None:
        """There is no connection."""

    async def unload(self) -> None:
        """Say that it is held no more."""
        self.is_loaded = False


class MemoryModels:
    """Models by the digest of their artifact."""

    def __init__(self, functions: Mapping[str, Predict]) -> None:
        self.functions = dict(functions)
        self.made: list[FunctionHosted] = []

    def graph(self, version: RoutedVersion) -> FunctionGraph:
        """Return the function of a version. Raises NotFound."""
        return FunctionGraph(self._of(version))

    def hosted(self, name: str, version: RoutedVersion) -> FunctionHosted:
        """Return the function of a version, as a hosted model. Raises NotFound."""
        del name
        self.made.append(FunctionHosted(self._of(version)))
        return self.made[-1]

    def _of(self, version: RoutedVersion) -> Predict:
        digest = version.model.digest
        if digest not in self.functions:
            raise NotFound("artifact", digest[:12])
        return self.functions[digest]


class MemoryRoutes:
    """The route table that was published last."""

    def __init__(self, table: RouteTable | None = None) -> None:
        self._table = table

    def publish(self, table: RouteTable) -> None:
        """Let whoever waits have a new table; from any thread."""
        self._table = table

    async def next_after(self, sequence: int) -> RouteTable | None:
        """Wait for a table other than ``sequence``; None after 20 s, or at once when any would do."""
        deadline = time.monotonic() + _WAIT_S
        while time.monotonic() < deadline:
            if self._table is not None and self._table.sequence != sequence:
                return self._table
            if sequence < 0:
                return None
            await asyncio.sleep(_POLL_S)
        return None

    async def close(self) -> None:
        """There is nothing to close."""
