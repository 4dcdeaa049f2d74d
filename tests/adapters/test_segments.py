"""Streams of segments on a real disk."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from boucle.adapters import segments
from boucle.adapters.memory.journal import MemoryJournal
from boucle.adapters.segments import LOCK, SegmentJournal, SegmentOptions, SegmentReader
from boucle.core.record import InferenceRecord
from boucle.core.segment import pack, records

SMALL = SegmentOptions(segment_bytes=300, segment_s=60, fsync_s=0.01)
WRITER = """
import sys, pathlib
from boucle.adapters.segments import SegmentJournal
from boucle.core.record import InferenceRecord
from boucle.core.segment import pack
journal, i = SegmentJournal(pathlib.Path(sys.argv[1])), 0
while True:
    journal.append(pack(InferenceRecord("answer", "m", 1, str(i), i, i, request=b"x" * (i * 37 % 5000))))
    i += 1
    print(i, flush=True)
"""


def record(i: int, size: int = 20) -> InferenceRecord:
    return InferenceRecord("answer", "churn", 1, str(i), i, i, request=bytes(size))


def failing(_descriptor: int, _size: int) -> None:
    raise OSError(errno.EIO, "no")


def all_of(reader: SegmentReader, stream: str, max_bytes: int = 10_000) -> tuple[list[InferenceRecord], int]:
    found, position = reader.read(stream, 0, max_bytes)
    while True:
        more, after = reader.read(stream, position, max_bytes)
        if after == position:
            return found, position
        found, position = found + more, after


def test_a_journal_in_memory_keeps_what_was_appended() -> None:
    journal = MemoryJournal()
    size = journal.append(pack(record(1)))
    journal.is_full = True

    with pytest.raises(OSError, match="No space left"):
        journal.append(pack(record(2)))
    assert (journal.records, size) == ([record(1)], len(journal.data))


def test_nothing_is_made_before_the_first_record(tmp_path: Path) -> None:
    journal = SegmentJournal(tmp_path / "segments")
    journal.close()

    assert list(tmp_path.iterdir()) == []
    assert SegmentReader(tmp_path / "segments").streams() == ()


@pytest.mark.parametrize("max_bytes", [1, 90, 10_000])
def test_records_come_back_in_order_over_many_segments(tmp_path: Path, max_bytes: int) -> None:
    journal = SegmentJournal(tmp_path, SMALL)
    for i in range(20):
        journal.append(pack(record(i)))
    reader = SegmentReader(tmp_path)

    assert len(list(tmp_path.glob("*/*.seg"))) > 4
    assert all_of(reader, journal.stream, max_bytes) == ([record(i) for i in range(20)], journal.position)
    assert reader.end(journal.stream) == journal.position
    assert b"".join(b"".join(pack(record(i))) for i in range(3)) == reader.raw(journal.stream, 0, 10_000)[:264]
    journal.close()


def test_files_are_their_owners_alone(tmp_path: Path) -> None:
    journal = SegmentJournal(tmp_path / "segments")
    journal.append(pack(record(1)))

    (segment,) = tmp_path.glob("segments/*/*.seg")
    assert segment.name == "00000000000000000000.seg"
    assert (segment.stat().st_mode & 0o777, segment.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    journal.close()


def test_a_stream_is_over_when_its_writer_is_gone(tmp_path: Path) -> None:
    journal, reader = SegmentJournal(tmp_path), SegmentReader(tmp_path)
    journal.append(pack(record(1)))

    assert not reader.is_over(journal.stream)
    journal.close()
    assert reader.is_over(journal.stream)


def test_passed_segments_are_dropped_but_the_newest_stays_while_its_writer_lives(tmp_path: Path) -> None:
    journal, reader = SegmentJournal(tmp_path, SMALL), SegmentReader(tmp_path)
    for i in range(12):
        journal.append(pack(record(i)))

    reader.drop(journal.stream, journal.position)
    assert len(list(tmp_path.glob("*/*.seg"))) == 1
    journal.append(pack(record(12)))
    assert reader.read(journal.stream, journal.position - 89)[0] == [record(12)]

    reader.drop(journal.stream, 0)
    journal.close()
    reader.drop(journal.stream, journal.position - 1)
    assert reader.streams() == (journal.stream,)
    reader.drop(journal.stream, journal.position)
    reader.drop(journal.stream, journal.position)
    assert list(tmp_path.iterdir()) == []


def test_a_torn_last_record_of_a_dead_writer_is_passed_over(tmp_path: Path) -> None:
    journal, reader = SegmentJournal(tmp_path), SegmentReader(tmp_path)
    journal.append(pack(record(1)))
    (segment,) = tmp_path.glob("*/*.seg")
    with segment.open("ab") as file:
        file.write(b"".join(pack(record(2)))[:-1])

    assert all_of(reader, journal.stream) == ([record(1)], journal.position)
    journal.close()
    found, position = all_of(reader, journal.stream)
    assert (found, position) == ([record(1)], segment.stat().st_size)
    reader.drop(journal.stream, position)
    assert reader.streams() == ()


def test_a_short_write_is_cut_back_and_the_next_record_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, reader = SegmentJournal(tmp_path), SegmentReader(tmp_path)
    journal.append(pack(record(1)))
    real = os.writev
    monkeypatch.setattr(os, "writev", lambda fd, buffers: real(fd, [b"".join(buffers)[:30]]))
    with pytest.raises(OSError) as caught:
        journal.append(pack(record(2)))
    monkeypatch.setattr(os, "writev", real)
    journal.append(pack(record(3)))

    assert caught.value.errno == errno.ENOSPC
    assert all_of(reader, journal.stream) == ([record(1), record(3)], journal.position)
    assert reader.skipped_bytes == 0
    journal.close()


def test_where_cutting_back_fails_too_the_journal_goes_on_in_a_new_segment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, reader = SegmentJournal(tmp_path), SegmentReader(tmp_path)
    real = os.writev
    with monkeypatch.context() as broken:
        broken.setattr(os, "writev", lambda fd, buffers: real(fd, [b"".join(buffers)[:30]]))
        broken.setattr(os, "ftruncate", failing)
        with pytest.raises(OSError, match="cut short"):
            journal.append(pack(record(2)))
    journal.append(pack(record(3)))

    assert all_of(reader, journal.stream) == ([record(3)], journal.position)
    assert reader.skipped_bytes == 30
    journal.close()


def test_a_full_disk_is_an_error_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    journal = SegmentJournal(tmp_path / "file")
    for _try in range(2):
        with pytest.raises(OSError):
            journal.append(pack(record(1)))
    (tmp_path / "file").unlink()

    assert journal.append(pack(record(1))) == journal.position
    journal.close()


def test_a_writer_killed_at_any_moment_loses_nothing_that_it_acknowledged(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    acknowledged = 0
    while acknowledged < 2_000:
        acknowledged = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    acknowledged = max([acknowledged, *(int(line) for line in process.stdout.read().split(b"\n")[:-1])])
    process.stdout.close()
    process.wait()
    reader = SegmentReader(tmp_path)
    (stream,) = reader.streams()
    found, _position = all_of(reader, stream, 100_000)

    assert reader.is_over(stream)
    assert [int(r.prediction_id) for r in found[:acknowledged]] == list(range(acknowledged))
    assert len(found) <= acknowledged + 1


def test_the_lock_is_held_before_the_stream_is_seen(tmp_path: Path) -> None:
    journal = SegmentJournal(tmp_path)
    journal.append(pack(record(1)))

    assert [path.name for path in tmp_path.iterdir()] == [journal.stream]
    assert (tmp_path / journal.stream / LOCK).exists()
    journal.close()


def test_with_no_delay_each_record_is_on_the_disk_when_append_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    real = os.fsync

    def noted(descriptor: int) -> None:
        synced.append(descriptor)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    journal = SegmentJournal(tmp_path, SegmentOptions(fsync_s=0))
    journal.append(pack(record(0)))
    before = len(synced)
    journal.append(pack(record(1)))

    assert journal.is_each_synced
    assert len(synced) == before + 1
    journal.close()
    assert records((next(tmp_path.glob("*/*.seg"))).read_bytes(), 0)[0] == [record(0), record(1)]


SLOWLY = SegmentOptions(fsync_s=60)


class Disk:
    """The disk's answers to fsync, counted; ``fails`` and ``held`` make it fail or wait."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.synced: list[str] = []
        self.fails = False
        self.free, self.is_asked = threading.Event(), threading.Event()
        self.free.set()
        self._real = os.fsync
        monkeypatch.setattr(os, "fsync", self)

    def __call__(self, descriptor: int) -> None:
        self.is_asked.set()
        assert self.free.wait(10)
        if self.fails:
            raise OSError(errno.EIO, "no")
        self.synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        self._real(descriptor)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def test_what_was_asked_to_be_on_the_disk_is_there_though_a_new_segment_began_meanwhile(
    tmp_path: Path, disk: Disk
) -> None:
    journal = SegmentJournal(tmp_path, SegmentOptions(segment_bytes=1, fsync_s=60))
    for i in range(3):
        journal.append(pack(record(i)))
    journal.sync()

    assert {path.name for path in tmp_path.glob("*/*.seg")} | {journal.stream} <= set(disk.synced)
    journal.close()


def test_records_are_appended_while_the_disk_is_busy(tmp_path: Path, disk: Disk) -> None:
    journal = SegmentJournal(tmp_path, SLOWLY)
    journal.append(pack(record(0)))
    disk.is_asked.clear()
    disk.free.clear()
    syncing, writing = threading.Thread(target=journal.sync), threading.Thread(target=journal.append, args=([b"x"],))
    syncing.start()
    assert disk.is_asked.wait(10)
    writing.start()
    writing.join(5)
    was_written = not writing.is_alive()
    disk.free.set()
    for thread in (syncing, writing):
        thread.join(10)

    assert was_written
    journal.close()


def test_while_the_disk_takes_nothing_each_append_says_so_and_the_journal_tries_again_by_itself(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(segments, "_RETRY_S", 0.01)
    journal = SegmentJournal(tmp_path, SegmentOptions(fsync_s=0.01))
    journal.append(pack(record(0)))
    disk.fails = True
    journal.append(pack(record(1)))
    until(lambda: bool(caplog.records))

    for _again in range(2):
        with pytest.raises(OSError, match="no") as caught:
            journal.append(pack(record(2)))
        assert caught.value.errno == errno.EIO
    disk.fails = False
    until(lambda: len(caplog.records) == 2)
    journal.append(pack(record(3)))

    assert [told.levelname for told in caplog.records] == ["ERROR", "WARNING"]
    journal.close()
    assert all_of(SegmentReader(tmp_path), journal.stream)[0] == [record(0), record(1), record(3)]


def test_a_sync_after_one_that_failed_promises_nothing_of_what_came_before(tmp_path: Path, disk: Disk) -> None:
    journal = SegmentJournal(tmp_path, SLOWLY)
    journal.append(pack(record(0)))
    disk.fails = True
    with pytest.raises(OSError, match="no"):
        journal.sync()
    disk.fails = False  # a disk tells of a loss once: its next answer is no promise
    with pytest.raises(OSError):
        journal.sync()
    until(lambda: appended(journal, 1))

    journal.sync()
    journal.close()


def test_with_no_delay_a_record_that_the_disk_did_not_confirm_is_an_error_and_the_next_one_goes_after_it(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "_RETRY_S", 0.01)
    journal, reader = SegmentJournal(tmp_path, SegmentOptions(fsync_s=0)), SegmentReader(tmp_path)
    journal.append(pack(record(0)))
    disk.fails = True
    with pytest.raises(OSError, match="no"):
        journal.append(pack(record(1)))
    disk.fails = False
    until(lambda: appended(journal, 2))

    found, position = all_of(reader, journal.stream)
    assert (found, position) == ([record(0), record(1), record(2)], journal.position)
    journal.close()


def test_a_stream_whose_name_did_not_reach_the_disk_at_once_is_begun_all_the_same(tmp_path: Path, disk: Disk) -> None:
    journal = SegmentJournal(tmp_path, SLOWLY)
    disk.fails = True
    for _try in range(2):
        with pytest.raises(OSError, match="no"):
            journal.append(pack(record(0)))
    disk.fails = False
    journal.append(pack(record(1)))

    assert tmp_path.name in disk.synced
    assert all_of(SegmentReader(tmp_path), journal.stream)[0] == [record(1)]
    journal.close()


def test_what_is_no_stream_is_passed_over(tmp_path: Path) -> None:
    journal = SegmentJournal(tmp_path)
    journal.append(pack(record(1)))
    (tmp_path / "lost+found").mkdir()
    (tmp_path / "notes.txt").write_text("of a person")
    (tmp_path / "01900000-0000-7000-8000-000000000000").write_text("no folder")

    assert SegmentReader(tmp_path).streams() == (journal.stream,)
    journal.close()


def appended(journal: SegmentJournal, i: int) -> bool:
    try:
        return journal.append(pack(record(i))) > 0
    except OSError:
        return False


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.005)
