"""Reading streams of segments: what the collector and the shipper see of the inference log."""

from __future__ import annotations

import fcntl
import logging
import os
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from boucle.core.record import InferenceRecord
from boucle.core.segment import HEAD_BYTES, frame_size, is_stream, scan

log = logging.getLogger("boucle.segments")
LOCK, SHIPPED, FINISHED, SUFFIX = "lock", "shipped", "finished", ".seg"


class _Segment(NamedTuple):
    start: int
    path: Path


class SegmentReader:
    """The streams below a folder. A stream that is gone reads as an empty one that is over."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.skipped_bytes = 0

    def streams(self) -> tuple[str, ...]:
        """Return the ids of the streams, the oldest first (ids sort by time). What else lies there is passed over."""
        try:
            with os.scandir(self._root) as found:
                return tuple(sorted(each.name for each in found if is_stream(each.name) and each.is_dir()))
        except FileNotFoundError:
            return ()

    def read(self, stream: str, position: int, max_bytes: int = 8 * 1024 * 1024) -> tuple[list[InferenceRecord], int]:
        """Return whole records from a position on, about ``max_bytes`` of them, and the position after them.

        A record larger than that is returned alone. The same position again means that there is nothing more for
        now. Damage is skipped, logged and added to ``skipped_bytes``.
        """
        was_over = self.is_over(stream)  # asked before the bytes are read: what is read then is all there will be
        segments = self._segments(stream)
        for i, (start, path) in enumerate(segments):
            is_last = i + 1 == len(segments)
            stop = None if is_last else segments[i + 1].start
            if stop is not None and position >= stop:
                continue
            position = max(position, start)
            data, is_end = _bytes(path, position - start, max_bytes)
            found = scan(data, 0, is_end and (was_over or not is_last))
            if found.skipped_bytes:
                self.skipped_bytes += found.skipped_bytes
                told = {"stream": stream, "position": position, "bytes": found.skipped_bytes}
                log.error("damaged bytes of the inference log were skipped", extra=told)
            position += found.position
            if found.records or is_last:
                return found.records, position
            if not is_end:
                return found.records, position
            position = max(position, stop or 0)
        return [], position

    def raw(self, stream: str, position: int, max_bytes: int) -> bytes:
        """Return bytes from a position on as they are, of one segment at most; empty at the end."""
        for start, path in reversed(self._segments(stream)):
            if start <= position:
                return _piece(path, position - start, max_bytes)
        return b""

    def is_over(self, stream: str) -> bool:
        """True when nothing will be appended: its gateway is gone, or all of it was shipped."""
        folder = self._root / stream
        try:
            descriptor = os.open(folder / LOCK, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return (folder / FINISHED).exists() or not (folder / SHIPPED).exists()
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(descriptor)
        return True

    def end(self, stream: str) -> int:
        """Return the position after the last byte of a stream; 0 for one that is gone or empty."""
        segments = self._segments(stream)
        if not segments:
            return 0
        last = segments[-1]
        with suppress(FileNotFoundError):
            return last.start + last.path.stat().st_size
        return last.start

    def drop(self, stream: str, position: int) -> None:
        """Delete the segments wholly before a position, but the newest; all of a stream that is over and passed.

        Safe to repeat, and after a crash in the middle of it. Raises OSError.
        """
        was_over = self.is_over(stream)
        segments = self._segments(stream)
        for old, following in pairwise(segments):
            if following.start <= position:
                old.path.unlink(missing_ok=True)
        if was_over and position >= self.end(stream):
            self._remove(stream)

    def _remove(self, stream: str) -> None:
        folder = self._root / stream
        for segment in self._segments(stream):
            segment.path.unlink(missing_ok=True)
        for name in (SHIPPED, LOCK, FINISHED):
            (folder / name).unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            folder.rmdir()

    def _segments(self, stream: str) -> list[_Segment]:
        with suppress(FileNotFoundError):
            found = sorted((self._root / stream).iterdir())
            return [_Segment(int(path.stem), path) for path in found if path.suffix == SUFFIX and path.stem.isdecimal()]
        return []


def _bytes(path: Path, offset: int, max_bytes: int) -> tuple[bytes, bool]:
    """Return at least one whole frame where there is one, and whether these bytes reach the end of the file."""
    max_bytes = max(max_bytes, HEAD_BYTES)
    data = _piece(path, offset, max_bytes)
    wanted = frame_size(data, 0) or 0
    if len(data) == max_bytes and wanted > max_bytes:
        data = _piece(path, offset, wanted)
        return data, len(data) < wanted
    return data, len(data) < max_bytes


def _piece(path: Path, offset: int, n_bytes: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(n_bytes)
    except FileNotFoundError:
        return b""
