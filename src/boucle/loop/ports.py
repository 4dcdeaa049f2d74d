"""What build and collector need from outside, beside what the capabilities name already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from boucle.core.signature import Signature
from boucle.core.version import Artifact
from boucle.labels.ports import TruthWriter
from boucle.monitoring.ports import ProfileWriter
from boucle.packaging.graph import GraphFacts
from boucle.serving.ports import Graph, StartWorker, WorkerProcess

__all__ = ["Artifacts", "Environments", "Graph", "Graphs", "StartWorker", "WorkerProcess"]


class Artifacts(Protocol):
    """Bytes by their sha256."""

    def size(self, digest: str) -> int | None:
        """Return the size in bytes, or None when it is absent."""

    def read(self, digest: str) -> bytes:
        """Return the bytes, verified. Raises NotFound or CorruptArtifact."""

    def local_path(self, digest: str) -> Path:
        """Return a local file of the bytes, verified. Raises NotFound or CorruptArtifact."""

    def write(self, data: bytes) -> Artifact:
        """Store bytes; the same bytes twice are one artifact."""


class Environments(Protocol):
    """Python environments made from locked requirements."""

    def interpreters(self) -> Mapping[str, Path]:
        """Return the installed minor versions (``3.11``) and where they are."""

    def lock(self, requirements: Sequence[str], interpreter: str) -> str:
        """Return the requirements and all they need, with hashes. Raises BoucleError when they do not resolve."""

    def ensure(self, lock: str, interpreter: str) -> Path:
        """Return the Python of the environment of a lock, made when it is not there. Raises BoucleError."""


class Graphs(Protocol):
    """Reads and opens ONNX files."""

    def inspect(self, model: bytes) -> GraphFacts:
        """Return what the file declares. Raises BoucleError when it is malformed or keeps data in other files."""

    def open(self, model: bytes, signature: Signature) -> Graph:
        """Return the graph, not yet loaded; the signature tells its tensors."""


class CollectTransaction(ProfileWriter, TruthWriter, Protocol):
    """What the collector writes at once: how far a stream is counted, profiles, ground truth."""


class CollectStore(Protocol):
    """Where profiles and ground truth are kept."""

    def collecting(self) -> AbstractContextManager[CollectTransaction]:
        """Open a transaction; an exception inside undoes it. One collector is in it at a time."""
