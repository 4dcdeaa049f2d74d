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
from errno import EIO, ENOSPC
from pathlib import Path

from boucle.adapters.segment_reader import FINISHED, LOCK, SHIPPED, SUFFIX, SegmentReader
from boucle.core.i18n import _
from boucle.core.ids import uuid7

__all__ = ["FINISHED", "LOCK", "SHIPPED", "SUFFIX", "SegmentJournal", "SegmentOptions", "SegmentReader"]
log = logging.getLogger("boucle.segments")
_RETRY_S = 1.0
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
        self._is_old = self._is_named = False
        self._syncer = _Syncer(self.options, self._is_due)

    @property
    def is_each_synced(self) -> bool:
        """True when an append returns only after the disk has the record: it is slow then."""
        return self.options.fsync_s == 0

    def append(self, buffers: Sequence[bytes]) -> int:
        """Write one whole record; it survives the end of this process. Returns its bytes.

        Raises OSError when it could not be written, or while what was written before cannot be brought to the disk;
        then nothing of it is left. With ``fsync_s`` 0 also when the disk did not confirm it: then it may be in the
        log all the same, for a reader may have seen it.
        """
        with self._lock:
            self._syncer.require()
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
            wanted = self._syncer.wrote(size)
        if self.options.fsync_s == 0:
            self._syncer.sync(wanted)
        return size

    def sync(self) -> None:
        """Return when the disk has all that was appended, in whichever segment. Raises OSError.

        Records are appended meanwhile.
        """
        self._syncer.sync()

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
        if not self._is_named:
            sync_folder(self._folder.parent)  # again until it is done, for a stream begins only once
            self._is_named = True
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
    """Brings segments to the disk, in a thread of its own or for who waits, and tells when one is old.

    Bytes are counted: those written, and those the disk has. After a failure ``require`` raises it until a later
    try succeeds; the thread tries again by itself.
    """

    def __init__(self, options: SegmentOptions, when_old: Callable[[], None]) -> None:
        self._options = options
        self._when_old = when_old
        self._wake = threading.Event()
        self._guard = threading.Lock()  # of the segments; never held while the disk works
        self._turn = threading.Lock()  # one sync after the other
        self._thread: threading.Thread | None = None
        self._segment = -1
        self._passed: list[int] = []
        self._folder: Path | None = None
        self._is_named = True
        self._written = self._synced = 0
        self._doubted = -1  # up to here a sync failed: the next one that succeeds says nothing of these bytes
        self._error: OSError | None = None
        self._old_at = float("inf")
        self._is_closed = False

    def require(self) -> None:
        """Raise OSError while the disk does not take what was written."""
        if self._error is not None:
            raise _again(self._error)

    def opened(self, segment: int, before: int, folder: Path) -> None:
        with self._guard:
            self._segment, self._folder, self._is_named = segment, folder, False
            if before >= 0:
                self._passed.append(before)
            self._old_at = time.monotonic() + self._options.segment_s
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="segments", daemon=True)
                self._thread.start()
        self._wake.set()

    def wrote(self, size: int) -> int:
        """Hear of a record: the first one after a sync wakes the thread, many bytes hurry it. Return all bytes."""
        before = self._written
        self._written = after = before + size
        waiting = before - self._synced  # read last: a sync that ended before it knows nothing of this record
        if (waiting <= 0 or waiting < self._options.fsync_bytes <= waiting + size) and self._options.fsync_s:
            self._wake.set()
        return after

    def sync(self, wanted: int | None = None) -> None:
        """Return when the disk has so many bytes, all by default. Raises OSError."""
        wanted = self._written if wanted is None else wanted
        with self._turn:
            failed = self._error
            if self._synced < wanted:
                self._bring()
            if failed is None and wanted > self._doubted:
                return
        raise _again(failed) if failed is not None else OSError(EIO, os.strerror(EIO))

    def close(self) -> None:
        """Bring what is left to the disk and let all but the newest segment go. Never raises OSError."""
        self._is_closed = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        with self._turn:
            with suppress(OSError):
                self._bring()
            with self._guard:
                for descriptor in self._passed:
                    os.close(descriptor)
                self._passed, self._segment = [], -1

    def _run(self) -> None:
        while self._rest():
            if self._waiting() or self._passed or self._error is not None:
                with self._turn, suppress(OSError):  # logged, and kept
                    self._bring()
            if time.monotonic() >= self._old_at:
                self._old_at = float("inf")
                self._when_old()

    def _rest(self) -> bool:
        """Wait until there may be something to do; return False when the journal is closed."""
        options = self._options
        if self._error is not None:
            return self._pause(_RETRY_S)
        if not self._waiting() and not self._pause(options.segment_s):
            return False
        return self._waiting() >= options.fsync_bytes or self._pause(options.fsync_s)

    def _waiting(self) -> int:
        """Return the bytes that this thread has to bring; with ``fsync_s`` 0 each append brings its own."""
        return self._written - self._synced if self._options.fsync_s else 0

    def _pause(self, seconds: float) -> bool:
        """Wait so long at most; return False when the journal is closed."""
        self._wake.wait(seconds)
        self._wake.clear()
        return not self._is_closed

    def _bring(self) -> None:
        """Bring all that was written so far to the disk, in the caller's turn. Raises OSError, which is kept."""
        target = self._written
        try:
            self._sync_all()
        except OSError as error:
            if self._error is None:
                log.exception("the inference log could not be brought to the disk")
                self._wake.set()  # the thread tries again
            self._error, self._doubted = error, self._written
            raise
        if self._error is not None:
            log.warning("the inference log is brought to the disk again")
        self._synced, self._error = target, None

    def _sync_all(self) -> None:
        with self._guard:
            passed, folder, is_named = list(self._passed), self._folder, self._is_named
            if folder is None:
                return
            held = os.dup(self._segment)
        try:
            for descriptor in (*passed, held):
                os.fsync(descriptor)
        finally:
            os.close(held)
        if not is_named:
            sync_folder(folder)
        with self._guard:
            self._is_named = self._is_named or len(self._passed) == len(passed)
            del self._passed[: len(passed)]
        for descriptor in passed:
            os.close(descriptor)


def _again(error: OSError) -> OSError:
    """Return an error like one that another thread met."""
    return OSError(error.errno, error.strerror or type(error).__name__)


def begin_stream(folder: Path) -> int:
    """Make the folder of a stream, its lock held from the moment it is seen; return the lock's descriptor.

    Its name is not on the disk yet. Raises OSError; then it can be tried again.
    """
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = folder.with_name("." + folder.name)
    beside.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(beside / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        beside.rename(folder)
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
