"""Segments on their way from one machine to another, through the real web application."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
import pytest

from boucle.adapters.segments import SegmentJournal, SegmentOptions, SegmentReader
from boucle.adapters.shipping import ShippedStreams, Shipper
from boucle.core.errors import Unavailable
from boucle.core.record import InferenceRecord
from boucle.core.segment import pack
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

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self.breaks == "before":
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
