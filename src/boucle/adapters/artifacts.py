"""Artifacts in a local folder: bytes known by their sha256, through obstore, verified whenever they are read.

No path is ever built from anything but 64 hexadecimal digits. What is published was written under another name,
flushed, renamed, and its folder flushed: after a crash it is there whole or not at all. Partial uploads lie in a
folder of their own, so that an upload goes on where it broke off.

obstore runs threads, which a fork loses: a process that forks (the job runner) touches artifacts in its children
only. A child of a process that did is told so, where obstore alone would wait for ever.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from obstore.store import LocalStore

from boucle.core.errors import Conflict, CorruptArtifact, InvalidRequest, NotFound, shown
from boucle.core.i18n import _
from boucle.core.ids import uuid7
from boucle.core.version import Artifact

DIGEST = re.compile(r"[0-9a-f]{64}\Z")
CHUNK_BYTES = 1024 * 1024
_users: set[int] = set()  # processes, this one or those it was forked from, that have used obstore


def valid_digest(digest: str) -> str:
    """Return a sha256 in lower-case hexadecimal. Raises InvalidRequest for anything else."""
    if DIGEST.match(digest):
        return digest
    raise InvalidRequest(
        "invalid-digest", _("{digest} is no digest: send the sha256 as 64 of 0-9, a-f.").format(digest=shown(digest))
    )


class ObjectArtifacts:
    """The artifacts of one platform, in the folder ``root``; ``uploads`` holds what is still arriving."""

    def __init__(self, root: Path, uploads: Path) -> None:
        self._root, self._uploads = root, uploads
        self._opened: LocalStore | None = None

    def size(self, digest: str) -> int | None:
        """Return the size in bytes; None when it is not there, or is there but corrupt: then it must be sent again."""
        key = _key(digest)
        try:
            found, size_bytes = self._hashed(key)
        except FileNotFoundError:
            return None
        return size_bytes if found == digest else None

    def read(self, digest: str) -> bytes:
        """Return the bytes. Raises NotFound, or CorruptArtifact when they are not those of the digest."""
        key = _key(digest)
        try:
            data = bytes(self._store().get(key).bytes())
        except FileNotFoundError:
            raise _missing(digest) from None
        _expect(digest, hashlib.sha256(data).hexdigest())
        return data

    def local_path(self, digest: str) -> Path:
        """Return a file that holds the bytes, verified now. Raises NotFound or CorruptArtifact."""
        key = _key(digest)
        try:
            _expect(digest, self._hashed(key)[0])
        except FileNotFoundError:
            raise _missing(digest) from None
        return self._root / key

    def write(self, data: bytes) -> Artifact:
        """Store bytes; the same bytes twice are one artifact."""
        digest = hashlib.sha256(data).hexdigest()
        self._publish(digest, data)
        return Artifact(digest, len(data))

    def received(self, digest: str) -> int:
        """Return how many bytes of an unfinished upload are here: where it goes on."""
        partial = self._partial(digest)
        return partial.stat().st_size if partial.exists() else 0

    def receive(self, digest: str, offset: int, chunk: bytes) -> int:
        """Append a chunk at ``offset`` and return the new end. Raises Conflict when ``offset`` is not the end."""
        partial = self._partial(digest)
        with self._locked(digest):
            end = partial.stat().st_size if partial.exists() else 0
            if offset != end:
                raise Conflict(
                    _("Artifact {digest} holds {end} bytes, the chunk starts at {offset}. Go on at {end}.").format(
                        digest=digest[:12], end=end, offset=offset
                    )
                )
            with partial.open("ab") as file:
                file.write(chunk)
        return end + len(chunk)

    def finish(self, digest: str) -> Artifact:
        """Publish what was received. Raises CorruptArtifact, and drops it, unless it is what the digest says."""
        partial = self._partial(digest)
        with self._locked(digest):
            if not partial.exists():
                return self._finished_by_another(digest)
            found, size_bytes = _hash_of(_blocks(partial))
            if found != digest:
                partial.unlink()
                raise CorruptArtifact(digest, found)
            self._publish(digest, partial)
            partial.unlink()
        return Artifact(digest, size_bytes)

    def _finished_by_another(self, digest: str) -> Artifact:
        size_bytes = self.size(digest)
        if size_bytes is None:
            raise _missing(digest)
        return Artifact(digest, size_bytes)

    def _publish(self, digest: str, source: bytes | Path) -> None:
        """Put whole, flushed bytes in place. What lies there is replaced, so that sending again heals it."""
        key, staged = _key(digest), f"staging/{digest}-{uuid7()}"
        store = self._store()
        try:
            store.put(staged, source)
            _flush(self._root / staged)
            store.rename(staged, key)
        except BaseException:
            (self._root / staged).unlink(missing_ok=True)
            raise
        _flush((self._root / key).parent)
        _flush(self._root)

    def _hashed(self, key: str) -> tuple[str, int]:
        return _hash_of(self._store().get(key).stream(min_chunk_size=CHUNK_BYTES))

    def _partial(self, digest: str) -> Path:
        return self._uploads / f"{valid_digest(digest)}.part"

    @contextmanager
    def _locked(self, digest: str) -> Iterator[None]:
        """Hold, against other processes and threads, one of 16 locks."""
        self._uploads.mkdir(parents=True, exist_ok=True)
        with (self._uploads / f"lock-{digest[0]}").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _store(self) -> LocalStore:
        if _users - {os.getpid()}:
            raise RuntimeError("This process was forked from one that had used obstore: artifacts cannot be read here.")
        _users.add(os.getpid())
        if self._opened is None:
            self._opened = LocalStore(self._root, mkdir=True)
        return self._opened


def _key(digest: str) -> str:
    return f"{valid_digest(digest)[:2]}/{digest}"


def _missing(digest: str) -> NotFound:
    return NotFound("artifact", digest[:12], cure=_("Deploy the model again."))


def _expect(digest: str, found: str) -> None:
    if found != digest:
        raise CorruptArtifact(digest, found)


def _hash_of(blocks: Iterable[Any]) -> tuple[str, int]:
    """Return the sha256 and the number of all bytes of an iterable of buffers."""
    hashed, size_bytes = hashlib.sha256(), 0
    for block in blocks:
        hashed.update(block)
        size_bytes += len(block)
    return hashed.hexdigest(), size_bytes


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(CHUNK_BYTES):
            yield block


def _flush(path: Path) -> None:
    """Make a file or the entries of a folder survive a loss of power."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
