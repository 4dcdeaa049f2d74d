"""The inference log on disk before it is collected: streams of segments, one stream for each life of a gateway.

::

    <root>/<stream id>/              one byte log; a position in it is one integer
        00000000000000000000.seg     its bytes from that position on, whole frames only
        00000000000016777216.seg
        lock                         held by the gateway while it lives
        shipped, finished            in place of a lock: it came from another machine, and it is complete

A gateway that starts again begins a new stream, so no position means two things and no torn tail is ever repaired.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from errno import ENOSPC
from pathlib import Path

from boucle.adapters.segment_reader import FINISHED, LOCK, SHIPPED, SUFFIX, SegmentReader
from boucle.core.i18n import _
from boucle.core.ids import uuid7

__all__ = ["FINISHED", "LOCK", "SHIPPED", "SUFFIX", "SegmentJournal", "SegmentOptions", "SegmentReader"]
log = logging.getLogger("boucle.segments")
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC


@dataclass(frozen=True)
class SegmentOptions:
    """A segment ends at ``segment_bytes`` or ``segment_s`` seconds after its first record.

    What was written reaches the disk ``fsync_s`` seconds later at most, or when ``fsync_bytes`` wait; ``fsync_s`` 0
    means before each answer. Until then a loss of power can take it, the end of a process cannot.
    """

    segment_bytes: int = 16 * 1024 * 1024
    segment_s: float = 60.0
    fsync_s: float = 1.0
    fsync_bytes: int = 4 * 1024 * 1024


class SegmentJournal:
    """Appends records to a stream of its own below a folder. Nothing is made before the first record.

    Safe to call from several threads: records are never mixed.
    """

    def __init__(self, root: Path, options: SegmentOptions | None = None) -> None:
        self.options = options or SegmentOptions()
        self.stream = uuid7()
        self.position = 0
        self._folder = root / self.stream
        self._lock = threading.Lock()
        self._lock_file = self._segment = -1
        self._start = 0
        self._full_at = 0
        self._is_old = False
        self._syncer = _Syncer(self.options, self._is_due)

    @property
    def is_each_synced(self) -> bool:
        """True when an append returns only after the disk has the record: it is slow then."""
        return self.options.fsync_s == 0

    def append(self, buffers: Sequence[bytes]) -> int:
        """Write one whole record; it survives the end of this process. Returns its bytes.

        Raises OSError when it could not be written; then nothing of it is left.
        """
        with self._lock:
            if self.position >= self._full_at or self._is_old:
                self._rotate()
            size = len(buffers[0]) if len(buffers) == 1 else sum(map(len, buffers))
            try:
                written = os.writev(self._segment, buffers)
            except OSError:
                self._cut_back()
                raise
            if written != size:
                self._cut_back()
                raise OSError(ENOSPC, _("the record was cut short"), str(self._folder))
            self.position += size
            if self.options.fsync_s == 0:
                os.fsync(self._segment)
            else:
                self._syncer.wrote(size)
        return size

    def sync(self) -> None:
        """Return when the disk has all that was appended. Raises OSError."""
        with self._lock:
            if self._segment >= 0:
                os.fsync(self._segment)
                sync_folder(self._folder)

    def close(self) -> None:
        """End the stream: no record follows."""
        with self._lock:
            self._syncer.close()
            for descriptor in (self._segment, self._lock_file):
                if descriptor >= 0:
                    with suppress(OSError):
                        os.fsync(descriptor)
                    os.close(descriptor)
            self._segment = self._lock_file = -1
            self._full_at = 0

    def _is_due(self) -> None:
        self._is_old = True

    def _rotate(self) -> None:
        """Begin a segment; one that is still empty is kept."""
        if self._segment >= 0 and self.position == self._start:
            self._full_at, self._is_old = self._start + self.options.segment_bytes, False
            return
        if self._lock_file < 0:
            self._lock_file = begin_stream(self._folder)
        segment = os.open(self._folder / segment_name(self.position), _FLAGS, 0o600)
        self._syncer.opened(segment, self._segment, self._folder)
        self._segment = segment
        self._start = self.position
        self._full_at = self.position + self.options.segment_bytes
        self._is_old = False

    def _cut_back(self) -> None:
        """Take away what was written of a record; where that fails too, go on in a new segment after it."""
        with suppress(OSError):
            os.ftruncate(self._segment, self.position - self._start)
            return
        self.position = self._start + os.fstat(self._segment).st_size
        self._full_at = 0


class _Syncer:
    """The thread that brings segments to the disk and tells when one is old. One each journal, begun when needed."""

    def __init__(self, options: SegmentOptions, when_old: Callable[[], None]) -> None:
        self._options = options
        self._when_old = when_old
        self._wake = threading.Event()
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None
        self._segment = -1
        self._passed: list[int] = []
        self._folder: Path | None = None
        self._waiting = 0
        self._old_at = float("inf")
        self._is_closed = False

    def opened(self, segment: int, before: int, folder: Path) -> None:
        with self._guard:
            self._segment, self._folder = segment, folder
            if before >= 0:
                self._passed.append(before)
            self._old_at = time.monotonic() + self._options.segment_s
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="segments", daemon=True)
                self._thread.start()
        self._wake.set()

    def wrote(self, size: int) -> None:
        """Hear of a record: the first one after a sync wakes the thread, many bytes hurry it."""
        before = self._waiting
        self._waiting = before + size
        if before == 0 or before < self._options.fsync_bytes <= before + size:
            self._wake.set()

    def close(self) -> None:
        self._is_closed = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        self._sync_passed()

    def _run(self) -> None:
        options = self._options
        while self._pause(options.segment_s):
            if self._waiting < options.fsync_bytes and not self._pause(options.fsync_s):
                return
            if self._waiting or self._passed:
                self._waiting = 0
                self._try_to_sync()
            if time.monotonic() >= self._old_at:
                self._old_at = float("inf")
                self._when_old()

    def _pause(self, seconds: float) -> bool:
        """Wait so long at most; return False when the journal is closed."""
        self._wake.wait(seconds)
        self._wake.clear()
        return not self._is_closed

    def _try_to_sync(self) -> None:
        try:
            self._sync()
        except OSError:
            log.exception("the inference log could not be brought to the disk")

    def _sync(self) -> None:
        with self._guard:
            held, folder = os.dup(self._segment), self._folder
        try:
            self._sync_passed()
            os.fsync(held)
        finally:
            os.close(held)
        if folder is not None:
            sync_folder(folder)

    def _sync_passed(self) -> None:
        with self._guard:
            passed, self._passed = self._passed, []
        for descriptor in passed:
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def begin_stream(folder: Path) -> int:
    """Make the folder of a stream, its lock held from the moment it is seen; return the lock's descriptor.

    Raises OSError.
    """
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = folder.with_name("." + folder.name)
    beside.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(beside / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        beside.rename(folder)
        sync_folder(folder.parent)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def segment_name(position: int) -> str:
    """Return the file name of the segment that begins at a position.

    >>> segment_name(16_777_216)
    '00000000000016777216.seg'
    """
    return f"{position:020d}{SUFFIX}"


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
