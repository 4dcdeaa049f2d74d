"""Segments on their way from one machine to another, through the real web application."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from errno import ENOSPC
from pathlib import Path

import httpx
import pytest

from boucle.adapters import shipping
from boucle.adapters.segments import SegmentJournal, SegmentOptions, SegmentReader
from boucle.adapters.shipping import ShippedStreams, Shipper
from boucle.core.errors import BoucleError, Unavailable
from boucle.core.record import InferenceRecord
from boucle.core.segment import MAGIC, pack
from boucle.web.app import create_app
from web.in_process import InProcess, client
from web.made_up import TOKEN, populated


def record(i: int) -> InferenceRecord:
    return InferenceRecord("answer", "churn", 1, str(i), i, i, request=bytes(40))


class Unsteady(httpx.BaseTransport):
    """A way to the application that can break before the request, or after it and before its answer."""

    def __init__(self, app: object) -> None:
        self._inner = InProcess(app)
        self.breaks = ""
        self.sizes: list[int] = []
        self.left = 1_000

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.sizes.append(len(request.content))
        self.left -= 1
        if self.breaks == "before" or self.left < 0:
            raise httpx.ConnectError("away")
        answer = self._inner.handle_request(request)
        if self.breaks == "after":
            raise httpx.ReadError("cut")
        return answer


@dataclass
class Two:
    """A gateway's machine ("here") and the control plane's ("there")."""

    here: Path
    there: Path
    way: Unsteady = field(init=False)

    def __post_init__(self) -> None:
        app = create_app(replace(populated().plane(), streams=ShippedStreams(self.there)))
        self.way = Unsteady(app)

    def shipper(self) -> Shipper:
        return Shipper(self.here, "http://testserver", lambda: TOKEN, httpx.Client(transport=self.way))

    def arrived(self, stream: str) -> list[str]:
        reader, position = SegmentReader(self.there), 0
        found: list[str] = []
        while True:
            records, after = reader.read(stream, position)
            if after == position:
                return found
            found += [each.prediction_id for each in records]
            position = after


@pytest.fixture
def two(tmp_path: Path) -> Two:
    return Two(tmp_path / "here", tmp_path / "there")


def test_a_stream_arrives_while_it_grows_and_ends_when_it_ends(two: Two) -> None:
    journal, shipper, reader = SegmentJournal(two.here, SegmentOptions(segment_bytes=300)), two.shipper(), None
    for i in range(10):
        journal.append(pack(record(i)))
        shipper.ship()
    reader = SegmentReader(two.there)
    assert two.arrived(journal.stream) == [str(i) for i in range(10)]
    assert (reader.is_over(journal.stream), len(list(two.here.glob("*/*.seg")))) == (False, 1)

    journal.close()
    shipper.ship()
    assert reader.is_over(journal.stream)
    assert SegmentReader(two.here).streams() == ()
    reader.drop(journal.stream, reader.end(journal.stream))
    assert reader.streams() == ()


def test_the_absence_of_the_control_plane_loses_nothing_and_repeats_nothing(two: Two) -> None:
    journal = SegmentJournal(two.here, SegmentOptions(segment_bytes=300))
    for i, breaks in enumerate(("", "before", "after", "", "after", "after", "before", "")):
        journal.append(pack(record(i)))
        two.way.breaks = breaks
        shipper = two.shipper()  # killed and started again each time
        if breaks:
            with pytest.raises(Unavailable):
                shipper.ship()
        else:
            shipper.ship()
    journal.close()
    two.shipper().ship()

    assert two.arrived(journal.stream) == [str(i) for i in range(8)]
    assert SegmentReader(two.there).is_over(journal.stream)


def test_a_piece_elsewhere_is_refused_with_the_position_to_go_on_from(two: Two) -> None:
    stream = "01900000-0000-7000-8000-000000000000"
    api = client(create_app(replace(populated().plane(), streams=ShippedStreams(two.there))))
    bearer = {"authorization": f"Bearer {TOKEN}"}

    first = api.put(f"/api/v1/streams/{stream}?position=0", content=b"abc", headers=bearer)
    again = api.put(f"/api/v1/streams/{stream}?position=0", content=b"abc", headers=bearer)

    assert (first.status_code, first.json()) == (200, {"position": 3})
    assert (again.status_code, again.json()["position"], again.json()["type"]) == (
        409,
        3,
        "urn:boucle:problem:wrong-position",
    )


@pytest.mark.parametrize("stream", ["..", "x", "00000000-0000-4000-8000-000000000000", ".hidden"])
def test_an_id_that_is_no_streams_writes_nothing(two: Two, stream: str) -> None:
    api = client(create_app(replace(populated().plane(), streams=ShippedStreams(two.there))))
    url = f"/api/v1/streams/{stream.replace('.', '%2e')}?position=0"

    assert api.put(url, content=b"abc", headers={"authorization": f"Bearer {TOKEN}"}).status_code in (400, 404)
    assert api.put(url, content=b"abc").status_code in (401, 404)
    assert not two.there.exists()


def test_shipping_to_oneself_deletes_nothing(two: Two) -> None:
    two.there = two.here
    two.__post_init__()
    journal = SegmentJournal(two.here)
    journal.append(pack(record(1)))

    with pytest.raises(Unavailable):
        two.shipper().ship()
    journal.close()
    with pytest.raises(Unavailable):
        two.shipper().ship()
    assert two.arrived(journal.stream) == ["1"]


STREAM = "01900000-0000-7000-8000-000000000000"
BEARER = {"authorization": f"Bearer {TOKEN}"}


class FullDisk:
    """Streams on a disk without room."""

    def append(self, stream: str, position: int, data: bytes, is_finished: bool) -> int:
        raise OSError(ENOSPC, "No space left on device")


def test_a_full_disk_is_told_with_a_time_to_come_back() -> None:
    api = client(create_app(replace(populated().plane(), streams=FullDisk())))

    answer = api.put(f"/api/v1/streams/{STREAM}?position=0", content=b"abc", headers=BEARER)

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "No space left on device" in answer.json()["detail"]


def test_the_body_is_not_read_where_it_could_not_be_kept(two: Two) -> None:
    api = client(create_app(replace(populated().plane(), streams=ShippedStreams(two.there))))
    read: list[bytes] = []

    def parts() -> Iterator[bytes]:
        for part in [bytes(1_000)] * 5:
            read.append(part)
            yield part

    assert api.put("/api/v1/streams/x?position=0", content=parts(), headers=BEARER).status_code == 400
    assert read == []


def test_a_record_larger_than_a_piece_arrives_in_pieces(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipping, "_PIECE_BYTES", 30)
    journal = SegmentJournal(two.here)
    journal.append(pack(record(1)))
    journal.append(pack(record(2)))
    two.shipper().ship()

    assert two.arrived(journal.stream) == ["1", "2"]
    assert max(two.way.sizes) == 30
    journal.close()


def test_a_shipper_that_died_within_a_record_goes_on_within_it(
    two: Two, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(shipping, "_PIECE_BYTES", 30)
    journal = SegmentJournal(two.here)
    journal.append(pack(record(1)))
    journal.append(pack(record(2)._replace(request=MAGIC * 10)))
    for n_sent in (3, 2):
        two.way.left = n_sent
        with pytest.raises(Unavailable):
            two.shipper().ship()
    two.way.left = 1_000
    two.shipper().ship()

    assert two.arrived(journal.stream) == ["1", "2"]
    assert not [told for told in caplog.records if "damaged" in told.getMessage()]
    journal.close()


def test_one_stream_that_is_refused_holds_no_other_up(two: Two) -> None:
    first = SegmentJournal(two.here)
    first.append(pack(record(1)))
    second = SegmentJournal(two.here)
    second.append(pack(record(2)))
    refused, taken = sorted([first, second], key=lambda journal: journal.stream)
    (two.there / refused.stream).mkdir(parents=True)
    (two.there / refused.stream / "lock").touch()

    with pytest.raises(Unavailable, match="400"):
        two.shipper().ship()
    assert (len(two.arrived(refused.stream)), len(two.arrived(taken.stream))) == (0, 1)
    first.close()
    second.close()


@pytest.mark.parametrize("token", ["sekrit \u00e9", "sek\x00rit"])
def test_what_goes_wrong_is_told_without_token_or_password(tmp_path: Path, token: str) -> None:
    journal = SegmentJournal(tmp_path)
    journal.append(pack(record(1)))
    journal.close()

    with pytest.raises(BoucleError) as caught:
        Shipper(tmp_path, "http://ann:sekrit@127.0.0.1:1", lambda: token).ship()
    assert "127.0.0.1:1" in str(caught.value)
    assert "sek" not in str(caught.value)
    assert (caught.value.__cause__, caught.value.__suppress_context__) == (None, True)


def test_a_token_with_a_line_end_is_the_token(two: Two) -> None:
    journal = SegmentJournal(two.here)
    journal.append(pack(record(1)))
    journal.close()

    Shipper(two.here, "http://ann:x@testserver", lambda: f" {TOKEN}\n", httpx.Client(transport=two.way)).ship()
    assert two.arrived(journal.stream) == ["1"]


def test_a_piece_beyond_the_limit_is_refused(two: Two) -> None:
    api = client(create_app(replace(populated().plane(), streams=ShippedStreams(two.there))))
    parts = iter([bytes(1024 * 1024)] * 33)

    assert api.put(f"/api/v1/streams/{STREAM}?position=0", content=parts, headers=BEARER).status_code == 413
    assert not two.there.exists()
