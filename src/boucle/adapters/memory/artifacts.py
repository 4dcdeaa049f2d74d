"""Artifacts in memory; ``local_path`` writes a file into a temporary folder that lives as long as the object."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import threading
import weakref
from functools import cached_property
from pathlib import Path

from boucle.adapters.artifacts import valid_digest
from boucle.core.errors import Conflict, CorruptArtifact, NotFound
from boucle.core.i18n import _
from boucle.core.version import Artifact


class MemoryArtifacts:
    """The same behaviour as ``ObjectArtifacts``, for tests."""

    def __init__(self) -> None:
        self._stored: dict[str, bytes] = {}
        self._partial: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def size(self, digest: str) -> int | None:
        """Return the size in bytes, or None when it is absent."""
        data = self._stored.get(valid_digest(digest))
        return None if data is None else len(data)

    def read(self, digest: str) -> bytes:
        """Return the bytes. Raises NotFound."""
        data = self._stored.get(valid_digest(digest))
        if data is None:
            raise NotFound("artifact", digest[:12], cure=_("Deploy the model again."))
        return data

    def local_path(self, digest: str) -> Path:
        """Return a file that holds the bytes. Raises NotFound."""
        data = self.read(digest)
        path = self._folder / digest
        path.write_bytes(data)
        return path

    def write(self, data: bytes) -> Artifact:
        """Store bytes; the same bytes twice are one artifact."""
        digest = hashlib.sha256(data).hexdigest()
        self._stored[digest] = data
        return Artifact(digest, len(data))

    def received(self, digest: str) -> int:
        """Return how many bytes of an unfinished upload are here."""
        return len(self._partial.get(valid_digest(digest), b""))

    def receive(self, digest: str, offset: int, chunk: bytes) -> int:
        """Append a chunk and return the new end. Raises Conflict when ``offset`` is not the end."""
        with self._lock:
            end = self.received(digest)
            if offset != end:
                raise Conflict(
                    _("Artifact {digest} holds {end} bytes, the chunk starts at {offset}. Go on at {end}.").format(
                        digest=digest[:12], end=end, offset=offset
                    )
                )
            self._partial[digest] = self._partial.get(digest, b"") + chunk
            return end + len(chunk)

    def finish(self, digest: str) -> Artifact:
        """Store what was received. Raises NotFound, or CorruptArtifact and drops it."""
        with self._lock:
            data = self._partial.pop(valid_digest(digest), None)
        if data is None:
            return Artifact(digest, len(self.read(digest)))
        found = hashlib.sha256(data).hexdigest()
        if found != digest:
            raise CorruptArtifact(digest, found)
        return self.write(data)

    @cached_property
    def _folder(self) -> Path:
        folder = tempfile.mkdtemp(prefix="boucle-artifacts-")
        weakref.finalize(self, shutil.rmtree, folder, True)  # noqa: FBT003  # ignore_errors, passed on by position
        return Path(folder)
