"""Uploads over real connections: resumed after a cut, repeated without sending, never published when corrupt."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from boucle.client.upload import CHUNK_BYTES, MAX_FAILURES, Upload
from boucle.client.wire import Wire
from boucle.core.errors import CorruptArtifact, TooLarge, Unavailable
from client.platform import Quiet, problem, serving

DATA = bytes(range(256)) * 40_000  # 10 MB: three pieces
DIGEST = hashlib.sha256(DATA).hexdigest()


class Store(Quiet):
    """An artifact store that fails as told: ``faults`` are taken one for each PUT.

    ``cut`` breaks the connection after half of the piece, ``busy`` answers 503, ``moved`` forgets the partial and
    answers 409, ``corrupt`` drops all and answers 422, ``large`` answers 413.
    """

    received: bytearray
    faults: list[str]
    puts: list[int]
    is_whole = False

    def do_HEAD(self) -> None:  # noqa: N802  # http.server's name
        if type(self).is_whole:
            self.answer(200, None)
        else:
            self.answer(404, None, Upload_Offset=str(len(self.received)))

    def do_PUT(self) -> None:  # noqa: N802  # http.server's name
        fault = self.faults.pop(0) if self.faults else ""
        offset, size = int(self.headers["Upload-Offset"]), int(self.headers["Content-Length"])
        self.puts.append(offset)
        body = self.rfile.read(size // 2 if fault == "cut" else size)
        if fault == "cut":
            self.received[offset:] = body
            self.close_connection = True
        elif fault == "busy":
            self.answer(503, problem("unavailable", "busy"), Retry_After="1")
        elif fault == "moved":
            self.received.clear()
            self.answer(409, problem("conflict", "not there"), Upload_Offset="0")
        elif fault == "corrupt":
            self.received.clear()
            self.answer(422, problem("corrupt-artifact", "reads otherwise"))
        elif fault == "large":
            self.answer(413, problem("too-large", "too large here"))
        else:
            self._receive(offset, body)

    def _receive(self, offset: int, body: bytes) -> None:
        self.received[offset:] = body
        if len(self.received) < int(self.headers["Upload-Length"]):
            self.answer(202, {"offset": len(self.received)})
        else:
            type(self).is_whole = True
            self.answer(201, {"digest": DIGEST, "size_bytes": len(self.received)})


@contextmanager
def store(*faults: str) -> Iterator[tuple[Any, Upload, list[int]]]:
    """Run a store and give it, an upload to it, and the progress it tells."""
    fields = {"received": bytearray(), "faults": list(faults), "puts": []}
    handler = type("Faulty", (Store,), fields)
    told: list[int] = []
    with serving(handler) as url:
        wire = Wire(url)
        yield handler, Upload(wire, lambda sent, _total: told.append(sent), sleep=lambda _seconds: None), told
        wire.http.close()


def test_an_artifact_travels_in_pieces_with_progress() -> None:
    with store() as (there, upload, told):
        upload.send_all({DIGEST: DATA})
        assert bytes(there.received) == DATA
        assert there.puts == [0, CHUNK_BYTES, 2 * CHUNK_BYTES]
        assert told == [CHUNK_BYTES, 2 * CHUNK_BYTES, len(DATA), len(DATA)]


def test_sent_again_nothing_travels() -> None:
    with store() as (there, upload, _told):
        upload.send_all({DIGEST: DATA})
        upload.send_all({DIGEST: DATA})
        assert len(there.puts) == 3


def test_an_upload_that_was_begun_elsewhere_goes_on_from_there() -> None:
    with store() as (there, upload, _told):
        there.received.extend(DATA[:9_000_000])
        upload.send_all({DIGEST: DATA})
        assert there.puts == [9_000_000]
        assert bytes(there.received) == DATA


@pytest.mark.parametrize("faults", [("", "cut"), ("busy",), ("", "moved"), ("cut", "busy", "cut"), ("corrupt",)])
def test_an_upload_survives(faults: tuple[str, ...]) -> None:
    with store(*faults) as (there, upload, _told):
        upload.send_all({DIGEST: DATA})
        assert bytes(there.received) == DATA


def test_after_a_cut_it_goes_on_with_the_first_byte_that_is_missing() -> None:
    with store("", "cut") as (there, upload, _told):
        upload.send_all({DIGEST: DATA})
        assert there.puts[2] == CHUNK_BYTES + CHUNK_BYTES // 2


def test_an_upload_that_is_cut_again_and_again_gives_up_and_says_so() -> None:
    faults = ["cut"] * MAX_FAILURES
    with store(*faults) as (_there, upload, _told), pytest.raises(Unavailable, match=r"What arrived is kept"):
        upload.send_all({DIGEST: DATA})


def test_bytes_that_keep_arriving_corrupt_are_told() -> None:
    faults = ["corrupt"] * MAX_FAILURES
    with store(*faults) as (_there, upload, _told), pytest.raises(CorruptArtifact, match="reads otherwise"):
        upload.send_all({DIGEST: DATA})


def test_an_artifact_beyond_the_limit_is_told_at_once() -> None:
    with store("large") as (there, upload, _told):
        with pytest.raises(TooLarge, match="too large here"):
            upload.send_all({DIGEST: DATA})
        assert len(there.puts) == 1
