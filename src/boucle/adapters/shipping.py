"""Segments on their way from a gateway's machine to the control plane: what is sent, and what receives it.

The sender deletes nothing before the receiver said that its disk has it; the receiver takes bytes only where the ones
it has end. So neither a lost answer, nor a crash of either side, loses a record or keeps it twice.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable
from pathlib import Path

import httpx

from boucle.adapters.segments import FINISHED, LOCK, SHIPPED, SegmentReader, segment_name, sync_folder
from boucle.core.errors import Conflict, InvalidRequest, Unavailable
from boucle.core.i18n import _
from boucle.core.segment import frame_size, require_stream

_SEGMENT_BYTES, _PIECE_BYTES, _TIMEOUT_S = 16 * 1024 * 1024, 4 * 1024 * 1024, 30.0
_TAKEN, _ELSEWHERE = 200, 409
_USER = re.compile(r"//.*@")  # of an address: name and password


class ShippedStreams:
    """Takes the streams of other machines into the folder where the collector reads those of this one."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._reader = SegmentReader(root)
        self._lock = threading.Lock()
        self._settled: set[str] = set()  # streams of which the disk has all that is told of them

    def append(self, stream: str, position: int, data: bytes, is_finished: bool) -> int:
        """Append whole frames at the end of a stream and return the new end; the disk has them then.

        Raises InvalidRequest for an id that is no stream's, Conflict (``position``) when the stream ends elsewhere,
        OSError when the disk cannot take them: then the stream ends where it did, or after the first bytes of them.
        """
        require_stream(stream)
        folder = self._root / stream
        with self._lock:
            if (folder / LOCK).exists():
                told = _("Stream {stream} is written on this machine itself: it needs no shipping.")
                raise InvalidRequest("invalid-stream", told.format(stream=stream))
            self._settle(folder)
            end = self._reader.end(stream)
            if position != end and any(folder.glob("*.seg")):
                raise Elsewhere(stream, end)
            if data:
                self._write(folder, position, data)
            if is_finished:
                (folder / FINISHED).touch(mode=0o600)
            sync_folder(folder)
            return position + len(data)

    def _settle(self, folder: Path) -> None:
        """Make the folder of a stream; what another process left there is brought to the disk before it is told."""
        is_there = folder.exists()
        if is_there and folder.name in self._settled:
            return
        if not is_there:
            beside = folder.with_name("." + folder.name)
            beside.mkdir(parents=True, exist_ok=True, mode=0o700)
            (beside / SHIPPED).touch(mode=0o600)
            beside.rename(folder)
        for segment in sorted(folder.glob("*.seg")):
            _sync_file(segment)
        sync_folder(folder)
        sync_folder(folder.parent)
        self._settled.add(folder.name)

    def _write(self, folder: Path, position: int, data: bytes) -> None:
        newest = max(folder.glob("*.seg"), default=None)
        is_full = newest is not None and newest.stat().st_size >= _SEGMENT_BYTES
        is_whole = bool(frame_size(data, 0))  # else this process died in the middle of a record: its rest comes here
        path = folder / segment_name(position) if newest is None or (is_full and is_whole) else newest
        before = path.stat().st_size if path.exists() else 0
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            _write_all(descriptor, data)
            os.fsync(descriptor)
        except OSError:
            self._settled.discard(folder.name)
            os.ftruncate(descriptor, before)
            raise
        finally:
            os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    """Write bytes with nothing in between that could write them later: a buffer would, after they were cut away."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Elsewhere(Conflict):
    """A stream does not end where a piece begins: ``position`` is where it does."""

    code = "wrong-position"

    def __init__(self, stream: str, position: int) -> None:
        self.position = position
        super().__init__(_("Stream {stream} ends at {position}. Go on there.").format(stream=stream, position=position))


class _Away(Unavailable):
    """Nobody is there: no other stream fares better."""


class Shipper:
    """Sends the streams of a folder to ``{url}/api/v1/streams`` and deletes what was taken."""

    def __init__(self, root: Path, url: str, token: Callable[[], str], client: httpx.Client | None = None) -> None:
        self._root = root
        self._reader = SegmentReader(root)
        self._url = f"{_USER.sub('//', url.rstrip('/'))}/api/v1/streams"
        self._token = token
        self._client = client or httpx.Client(trust_env=False, timeout=_TIMEOUT_S)
        self._positions: dict[str, int] = {}

    def ship(self) -> int:
        """Send all that is there now and return its bytes; what was not taken stays.

        Raises Unavailable or OSError, the first of them when each stream was tried.
        """
        sent, failed = 0, list[Unavailable | OSError]()
        for stream in self._reader.streams():
            try:
                sent += self._ship(stream)
            except _Away:
                raise
            except (Unavailable, OSError) as error:
                failed.append(error)
        if failed:
            raise failed[0]
        return sent

    def close(self) -> None:
        """Let the connections go."""
        self._client.close()

    def _ship(self, stream: str) -> int:
        sent = 0
        is_over = self._reader.is_over(stream)  # asked first: what is read after it is all there will be
        position = whole = self._positions.get(stream, -1)
        if position < 0:
            position = self._first(stream)
            whole = self._whole_before(stream, position)
        while True:
            _records, stop = self._reader.read(stream, whole, _PIECE_BYTES)
            if stop == whole:
                break
            whole = stop
            while position < stop:
                piece = self._reader.raw(stream, position, min(stop - position, _PIECE_BYTES))
                end = self._send(stream, position, piece)
                if end <= position:
                    raise Unavailable(_("Stream {stream} makes no progress at {n}.").format(stream=stream, n=position))
                position, sent = end, sent + len(piece)
            self._positions[stream] = position
            self._reader.drop(stream, min(position, self._reader.end(stream) - 1))
        if is_over:
            if self._send(stream, position, b"", is_finished=True) != position:
                raise Unavailable(_("Stream {stream} ends elsewhere than here.").format(stream=stream))
            self._reader.drop(stream, position)
            self._positions.pop(stream, None)
        return sent

    def _first(self, stream: str) -> int:
        """Return where the receiver's part of a stream ends, asked by sending nothing at the least position."""
        segments = sorted((self._root / stream).glob("*.seg"))
        least = int(segments[0].stem) if segments else 0
        return self._send(stream, least, b"")

    def _whole_before(self, stream: str, position: int) -> int:
        """Return where the record begins that a position stands in: a shipper that died sent the part before it."""
        starts = [int(path.stem) for path in (self._root / stream).glob("*.seg")]
        start = max((each for each in starts if each <= position), default=position)
        while True:
            _records, stop = self._reader.read(stream, start, _PIECE_BYTES)
            if stop == start or stop > position:
                return start
            start = stop

    def _send(self, stream: str, position: int, data: bytes, is_finished: bool = False) -> int:
        """Send a piece; return where to go on. Raises Unavailable, which never repeats what may hold a secret."""
        told = {"position": str(position), **({"finished": "true"} if is_finished else {})}
        headers = {"authorization": f"Bearer {self._token().strip()}", "content-type": "application/octet-stream"}
        url = f"{self._url}/{stream}"
        try:
            answer = self._client.put(url, params=told, content=data, headers=headers)
            if answer.status_code in (_TAKEN, _ELSEWHERE):
                return int(answer.json()["position"])
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, KeyError, TypeError) as error:
            kind = _Away if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout)) else Unavailable
            detail = _("{url} did not answer: {cause}").format(url=url, cause=type(error).__name__)
            raise kind(detail) from None  # not "from error": its text may hold the token
        raise Unavailable(_("{url} answered {status}").format(url=url, status=answer.status_code))
