"""What the web shell needs from the outside, beside the capabilities it calls."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from boucle.core.traffic import ModelTraffic
from boucle.core.version import Artifact


class Artifacts(Protocol):
    """Bytes known by their sha256, and uploads that go on where they broke off."""

    def size(self, digest: str) -> int | None:
        """Return the size in bytes, or None when it is not there."""

    def local_path(self, digest: str) -> Path:
        """Return a verified file. Raises NotFound, CorruptArtifact."""

    def received(self, digest: str) -> int:
        """Return how many bytes of an unfinished upload are here."""

    def receive(self, digest: str, offset: int, chunk: bytes) -> int:
        """Append a chunk and return the new end. Raises Conflict when ``offset`` is not the end."""

    def finish(self, digest: str) -> Artifact:
        """Publish what was received. Raises CorruptArtifact and drops it."""


class Traffic(Protocol):
    """What the gateway counted."""

    def read(self) -> dict[str, ModelTraffic]:
        """Return the traffic of each model by name; empty when the gateway does not answer. Never raises."""


class ShippedStreams(Protocol):
    """Where the inference log of gateways on other machines arrives."""

    def append(self, stream: str, position: int, data: bytes, is_finished: bool) -> int:
        """Append whole frames and return the new end. Raises InvalidRequest, Conflict (``position``), OSError."""
