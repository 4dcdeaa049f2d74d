"""A control plane that died in the middle of writing a piece: the rest of a record follows it in the same segment."""

from __future__ import annotations

from pathlib import Path

import pytest

from boucle.adapters import shipping
from boucle.adapters.segment_reader import SegmentReader
from boucle.adapters.shipping import Elsewhere, ShippedStreams
from boucle.core.ids import uuid7
from boucle.core.record import InferenceRecord
from boucle.core.segment import pack


def test_no_segment_begins_within_a_record_that_was_written_in_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipping, "_SEGMENT_BYTES", 100)
    told = [InferenceRecord("answer", "churn", 1, f"id-{i}", at=i, logged_at=i, request=b"[{}]" * 9) for i in range(3)]
    frames = [b"".join(pack(record)) for record in told]
    first, last, stream = b"".join(frames[:2]), frames[2], uuid7()
    streams = ShippedStreams(tmp_path)
    streams.append(stream, 0, first, is_finished=False)
    written = next((tmp_path / stream).glob("*.seg"))
    written.write_bytes(first[:-5])  # the process died here

    with pytest.raises(Elsewhere) as told_where:
        ShippedStreams(tmp_path).append(stream, 0, first, is_finished=False)
    position = told_where.value.position
    position = streams.append(stream, position, first[position:], is_finished=False)
    streams.append(stream, position, last, is_finished=True)

    reader, position = SegmentReader(tmp_path), 0
    found: list[InferenceRecord] = []
    while (read := reader.read(stream, position))[1] > position:
        found, position = found + read[0], read[1]
    assert found == told
    assert len(list((tmp_path / stream).glob("*.seg"))) == 2
