"""What serving needs of the world: models that answer, artifacts, environments, worker processes, route tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from boucle.core.routes import RoutedVersion, RouteTable
from boucle_worker.frames import Columns

PredictCells = Callable[[Sequence[Sequence[Any]]], Columns]
"""Cells by column, as Python values right by the schema (None when missing) -> the answers that columns would get."""


class Graph(Protocol):
    """A model that runs in this process and is safe to call from several threads (ONNX)."""

    def load(self) -> None:
        """Make it ready to answer. Raises BoucleError when it cannot be."""

    def predict(self, columns: Columns) -> Columns:
        """Return ``prediction`` and, when told, ``probabilities``. Raises ModelFailed."""

    def for_cells(self, names: tuple[str, ...]) -> PredictCells | None:
        """Return a shorter way for few rows, whose columns have those names in that order; None without one."""

    def stop(self) -> None:
        """End the runs under way: they raise ModelFailed."""


class HostedModel(Protocol):
    """A model that runs in a process of its own, behind the model host."""

    async def load(self) -> None:
        """Make it ready to answer; safe to repeat. Raises BoucleError when it cannot be."""

    async def predict(self, columns: Columns, timeout_s: float) -> Columns:
        """Return its answers. Raises ModelFailed, TooSlow or Unavailable."""

    async def ping(self) -> None:
        """Return when it answers. Raises BoucleError when it does not."""

    async def leave(self) -> None:
        """Close the connection: its process is kept a while, for a gateway that starts again. Never raises."""

    async def unload(self) -> None:
        """Let its process go. Never raises."""


class Models(Protocol):
    """Makes the model of a routed version, not loaded yet: in this process or hosted, as its runtime says."""

    def graph(self, version: RoutedVersion) -> Graph:
        """Return the model of a version whose runtime is ``onnx``. Reads and verifies its artifact."""

    def hosted(self, name: str, version: RoutedVersion) -> HostedModel:
        """Return the model of a version whose runtime is ``python``."""


class RouteSource(Protocol):
    """Where route tables come from: the control plane."""

    async def next_after(self, sequence: int) -> RouteTable | None:
        """Wait for a table other than ``sequence`` (-1: any, at once); None when there is none. Raises Unavailable."""

    async def close(self) -> None:
        """Let connections go."""


class Journal(Protocol):
    """The inference log of this process: whole records, one after the other, that survive its end."""

    @property
    def is_each_synced(self) -> bool:
        """True when an append waits for the disk, so that it does not belong into the event loop."""

    def append(self, buffers: Sequence[bytes]) -> int:
        """Write one whole record; returns its bytes. Raises OSError when nothing of it could be kept."""

    def sync(self) -> None:
        """Return when the disk has all that was appended. Raises OSError."""

    def close(self) -> None:
        """Write no more."""


class Environments(Protocol):
    """Makes the environment of a lock."""

    def ensure(self, lock: str, interpreter: str) -> Path:
        """Return the python of the environment, made when it is not there yet. Raises BoucleError."""


class LocalArtifacts(Protocol):
    """Artifacts as bytes and as local files, verified at each call."""

    def read(self, digest: str) -> bytes:
        """Return the bytes. Raises NotFound or CorruptArtifact."""

    def local_path(self, digest: str) -> Path:
        """Return a file with these bytes. Raises NotFound or CorruptArtifact."""


class WorkerProcess(Protocol):
    """A process of a model's own environment that answers frames; one call at a time."""

    @property
    def is_alive(self) -> bool:
        """True while the process runs."""

    @property
    def pid(self) -> int | None:
        """Its process id, when it was started."""

    def start(self) -> None:
        """Start the process. Raises Unavailable."""

    def call(self, header: dict[str, Any], columns: Columns, timeout_s: float) -> tuple[dict[str, Any], Columns]:
        """Send a frame and wait for the answer. Raises TooSlow (the process is killed), ModelFailed, Unavailable."""

    def close(self) -> None:
        """End the process."""


StartWorker = Callable[[Path, Path], WorkerProcess]
"""Makes the worker process of an environment's python, writing its errors to a log file."""
