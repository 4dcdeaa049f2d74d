"""What every store of artifacts does."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from boucle.adapters.artifacts import ObjectArtifacts
from boucle.adapters.memory.artifacts import MemoryArtifacts
from boucle.core.errors import Conflict, CorruptArtifact, InvalidRequest, NotFound
from boucle.core.version import Artifact

# The sha256 of b"abc" as FIPS 180-2 gives it (appendix B.1).
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
Store = ObjectArtifacts | MemoryArtifacts


@pytest.fixture(params=["memory", "object store"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "memory":
        return MemoryArtifacts()
    return ObjectArtifacts(tmp_path / "artifacts", tmp_path / "uploads")


def test_written_bytes_are_known_by_their_sha256_and_read_back(store: Store) -> None:
    assert store.size(ABC) is None
    assert store.write(b"abc") == Artifact(ABC, 3)
    assert store.write(b"abc") == Artifact(ABC, 3)
    assert (store.size(ABC), store.read(ABC), store.local_path(ABC).read_bytes()) == (3, b"abc", b"abc")


def test_no_bytes_at_all_are_an_artifact_too(store: Store) -> None:
    assert store.write(b"") == Artifact(EMPTY, 0)
    assert (store.size(EMPTY), store.read(EMPTY)) == (0, b"")


def test_what_is_not_there_is_said_with_what_to_do(store: Store) -> None:
    for ask in (store.read, store.local_path, store.finish):
        with pytest.raises(NotFound, match=r"no artifact 'ba7816bf8f01'\..* Deploy the model again\."):
            ask(ABC)


def test_an_upload_goes_on_where_it_broke_off(store: Store) -> None:
    assert store.received(ABC) == 0
    assert store.receive(ABC, 0, b"a") == 1
    assert (store.received(ABC), store.size(ABC)) == (1, None)
    assert store.receive(ABC, 1, b"bc") == 3
    assert store.finish(ABC) == Artifact(ABC, 3)
    assert (store.read(ABC), store.received(ABC)) == (b"abc", 0)


@pytest.mark.parametrize("offset", [0, 1, 3])
def test_a_chunk_that_does_not_start_at_the_end_is_refused_and_changes_nothing(store: Store, offset: int) -> None:
    store.receive(ABC, 0, b"ab")
    with pytest.raises(Conflict, match=r"holds 2 bytes, the chunk starts at \d\. Go on at 2\."):
        store.receive(ABC, offset, b"zz")
    store.receive(ABC, 2, b"c")
    assert store.finish(ABC).size_bytes == 3


def test_an_upload_that_is_not_what_it_says_is_refused_and_can_be_sent_again(store: Store) -> None:
    store.receive(ABC, 0, b"abd")
    with pytest.raises(CorruptArtifact, match="Artifact ba7816bf8f01 reads as a52d159f262b"):
        store.finish(ABC)

    assert (store.size(ABC), store.received(ABC)) == (None, 0)
    store.receive(ABC, 0, b"abc")
    assert store.finish(ABC).digest == ABC


def test_finishing_what_another_has_finished_is_no_error(store: Store) -> None:
    store.receive(ABC, 0, b"abc")
    assert store.finish(ABC) == store.finish(ABC)


BAD = ["", "a" * 63, "a" * 65, "A" * 64, "g" * 64, "../" + "a" * 61, "/etc/passwd", "a" * 64 + "\n", "..%2f" + "a" * 59]
ASKS: dict[str, Callable[[Store, str], Any]] = {
    "size": lambda store, digest: store.size(digest),
    "read": lambda store, digest: store.read(digest),
    "local_path": lambda store, digest: store.local_path(digest),
    "received": lambda store, digest: store.received(digest),
    "receive": lambda store, digest: store.receive(digest, 0, b"x"),
    "finish": lambda store, digest: store.finish(digest),
}


@pytest.mark.parametrize("digest", BAD)
@pytest.mark.parametrize("ask", ASKS)
def test_what_is_no_digest_never_touches_the_disk(store: Store, tmp_path: Path, ask: str, digest: str) -> None:
    with pytest.raises(InvalidRequest, match="is no digest: send the sha256 as 64 of 0-9, a-f") as refused:
        ASKS[ask](store, digest)
    assert refused.value.code == "invalid-digest"
    assert list(tmp_path.rglob("*")) == []


def test_random_bytes_of_many_sizes_come_back_unchanged(store: Store) -> None:
    for size in (1, 1024 * 1024 - 1, 1024 * 1024, 1024 * 1024 + 1, 12_000_000):
        data = hashlib.shake_256(str(size).encode()).digest(size)
        artifact = store.write(data)
        assert store.read(artifact.digest) == data
