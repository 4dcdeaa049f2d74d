"""The artifacts on a real disk: damaged, cut, written by many, killed at each step."""

import errno
import hashlib
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from obstore.store import LocalStore

from boucle.adapters import artifacts as module
from boucle.adapters.artifacts import ObjectArtifacts
from boucle.core.errors import CorruptArtifact
from boucle.core.version import Artifact

DATA = hashlib.shake_256(b"a model").digest(3_000_001)
DIGEST = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def store(tmp_path: Path) -> ObjectArtifacts:
    return ObjectArtifacts(tmp_path / "artifacts", tmp_path / "uploads")


def test_each_flipped_byte_is_found_by_every_way_of_reading(store: ObjectArtifacts) -> None:
    data = DATA[:5000]
    digest = store.write(data).digest
    path = store.local_path(digest)
    chosen = random.Random(7)  # noqa: S311  # a repeatable choice of bytes, no secret
    for place in [0, len(data) - 1, *(chosen.randrange(len(data)) for _ in range(200))]:
        flipped = bytearray(data)
        flipped[place] ^= 1 << chosen.randrange(8)
        path.write_bytes(flipped)
        with pytest.raises(CorruptArtifact):
            store.read(digest)
        with pytest.raises(CorruptArtifact):
            store.local_path(digest)
        assert store.size(digest) is None


@pytest.mark.parametrize("kept", [0, 1, 2_999_999])
def test_a_truncated_artifact_is_refused_and_sending_it_again_heals_it(store: ObjectArtifacts, kept: int) -> None:
    store.write(DATA)
    store.local_path(DIGEST).write_bytes(DATA[:kept])
    with pytest.raises(CorruptArtifact, match=r"it was changed or cut\. Deploy the model again"):
        store.local_path(DIGEST)

    store.receive(DIGEST, 0, DATA)
    store.finish(DIGEST)

    assert store.read(DIGEST) == DATA


def test_an_upload_survives_the_process_that_received_it(store: ObjectArtifacts, tmp_path: Path) -> None:
    store.receive(DIGEST, 0, DATA[:1_000_000])

    another = ObjectArtifacts(tmp_path / "artifacts", tmp_path / "uploads")

    assert another.received(DIGEST) == 1_000_000
    another.receive(DIGEST, 1_000_000, DATA[1_000_000:])
    assert another.finish(DIGEST) == Artifact(DIGEST, len(DATA))


UPLOADER = """
import sys
from pathlib import Path
from boucle.adapters.artifacts import ObjectArtifacts
from boucle.core.errors import Conflict
digest, root, source = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]).read_bytes()
store = ObjectArtifacts(root / "artifacts", root / "uploads")
sys.stdin.read()  # until all are here
while store.size(digest) is None:
    offset = store.received(digest)
    try:
        if offset < len(source):
            store.receive(digest, offset, source[offset : offset + 100_000])
        else:
            store.finish(digest)
    except Conflict:
        continue  # another was faster: go on where the store says it is
"""


def test_many_writers_of_the_same_bytes_at_once_leave_one_good_artifact(store: ObjectArtifacts, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(DATA)
    command = [sys.executable, "-c", UPLOADER, DIGEST, str(tmp_path), str(tmp_path / "source")]
    writers = [subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(4)]
    for writer in writers:
        writer.communicate()

    assert [writer.returncode for writer in writers] == [0, 0, 0, 0]
    assert store.read(DIGEST) == DATA
    assert [path.name for path in (tmp_path / "artifacts").rglob("*") if path.is_file()] == [DIGEST]
    assert list((tmp_path / "uploads").glob("*.part")) == []


class Disk:
    """Counts what is asked of the disk, and fails at the n-th."""

    def __init__(self, fails_at: int) -> None:
        self.count, self.fails_at = 0, fails_at

    def counted(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def ask(*args: Any, **kwargs: Any) -> Any:
            self.count += 1
            if self.count == self.fails_at:
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(*args, **kwargs)

        return ask


class CountedStore(LocalStore):
    disk: Disk

    def put(self, *args: Any, **kwargs: Any) -> Any:
        return self.disk.counted(super().put)(*args, **kwargs)

    def rename(self, *args: Any, **kwargs: Any) -> Any:
        return self.disk.counted(super().rename)(*args, **kwargs)


def failing_disks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    """Yield disks that fail at their first, second … operation, until one got through without failing."""
    while True:
        for n in range(1, 50):
            disk = Disk(n)
            with monkeypatch.context() as patched:
                patched.setattr(CountedStore, "disk", disk, raising=False)
                patched.setattr(module, "LocalStore", CountedStore)
                patched.setattr(os, "fsync", disk.counted(os.fsync))
                yield disk
            if disk.count < n:
                return


def test_wherever_the_disk_fails_an_artifact_is_whole_or_absent_and_the_next_try_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = 0
    for disk in failing_disks(monkeypatch):
        root = tmp_path / str(disk.fails_at)
        store = ObjectArtifacts(root / "artifacts", root / "uploads")
        store.receive(DIGEST, 0, DATA)
        try:
            store.finish(DIGEST)
        except OSError:
            failures += 1
            assert store.size(DIGEST) in {None, len(DATA)}
            assert store.received(DIGEST) == len(DATA)
        disk.fails_at = 0
        assert store.finish(DIGEST) == Artifact(DIGEST, len(DATA))
        assert store.read(DIGEST) == DATA
        assert [path.name for path in (root / "artifacts").rglob("*") if path.is_file()] == [DIGEST]

    assert failures == 5  # put, fsync of the file, rename, fsync of its folder, fsync of the root


def test_bytes_are_flushed_before_they_get_their_name_and_the_folder_after(
    store: ObjectArtifacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[str] = []
    real = os.fsync

    def fsync(handle: int) -> None:
        flushed.append(Path(f"/proc/self/fd/{handle}").readlink().name)
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    store.write(b"abc")

    staged, folder, root = flushed
    assert staged.startswith("ba7816bf")
    assert staged != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert (folder, root) == ("ba", "artifacts")


def test_a_child_of_a_process_that_used_the_store_is_told_instead_of_hanging(
    store: ObjectArtifacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write(b"abc")
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with pytest.raises(RuntimeError, match="forked from one that had used obstore"):
        store.write(b"abd")
