"""A control plane that died in the middle of writing a piece: the rest of a record follows it in the same segment."""

from __future__ import annotations

import errno
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def no_file_beyond(size: int) -> Iterator[None]:
    """Let the system refuse what would make a file longer, as a full disk does: in the middle of a write."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("size", [2_000, 100_000])
def test_a_piece_that_the_disk_takes_in_part_leaves_nothing(tmp_path: Path, size: int) -> None:
    record = InferenceRecord("answer", "churn", 1, "id", at=1, logged_at=2, request=bytes(size))
    first = b"".join(pack(record))
    streams, stream = ShippedStreams(tmp_path), uuid7()
    streams.append(stream, 0, first, is_finished=False)

    with no_file_beyond(size * 3 // 2), pytest.raises(OSError) as caught:
        streams.append(stream, len(first), first, is_finished=False)

    assert caught.value.errno == errno.EFBIG
    assert [path.read_bytes() for path in (tmp_path / stream).glob("*.seg")] == [first]
    assert streams.append(stream, len(first), first, is_finished=True) == 2 * len(first)
    assert SegmentReader(tmp_path).read(stream, 0) == ([record, record], 2 * len(first))


def test_the_end_that_is_told_is_on_the_disk_though_another_process_wrote_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = b"".join(pack(InferenceRecord("gap", "churn", 1, "", at=1, logged_at=2, n_lost=3)))
    stream = uuid7()
    ShippedStreams(tmp_path).append(stream, 0, data, is_finished=False)
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(Path(f"/proc/self/fd/{fd}").readlink().name))

    with pytest.raises(Elsewhere):
        ShippedStreams(tmp_path).append(stream, 0, b"", is_finished=False)
    assert synced == ["00000000000000000000.seg", stream, tmp_path.name]
