"""A Delta table whose end a loss of power damaged: it is cut back to what is whole, and collected again."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from boucle.adapters import delta_repair
from boucle.adapters.delta_log import DeltaLog
from boucle.adapters.delta_repair import cut_back
from boucle.loop.collect import Collector
from loop.collecting import Platform

ROW = {"price": 1.0, "city": "Lyon"}
N_COMMITS = 5


class Collected:
    """A log of five commits, one row each, and what wrote it is gone; its stream is there still."""

    def __init__(self, root: Path) -> None:
        self.platform, self.folder = Platform(root), root / "inference_log"
        self.ids: list[str] = []
        collector = Collector(self.platform.world())
        for _commit in range(N_COMMITS):
            self.ids.append(f"{self.platform.answer([ROW], [1])}:0")
            collector.collect()
        self.platform.end_stream()

    def commits(self) -> list[Path]:
        """Return the commits, the first of which made the table."""
        return sorted((self.folder / "_delta_log").glob("*.json"))

    def files(self) -> list[Path]:
        return sorted(self.folder.rglob("*.parquet"), key=lambda path: path.stat().st_mtime_ns)

    def rows(self) -> list[str]:
        return sorted(id_ for id_, *_rest in self.platform.logged())


@pytest.fixture
def collected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Collected:
    found = Collected(tmp_path)
    monkeypatch.setattr(delta_repair, "boot", lambda: "after the loss of power")
    return found


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:50])


def zeros(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def empty(path: Path) -> None:
    path.write_bytes(b"")


def gone(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("harm", [cut, zeros, empty, gone])
@pytest.mark.parametrize("what", ["commits", "files"])
@pytest.mark.parametrize("place", [-1, -3])
def test_each_row_is_in_the_log_once_and_counted_once_whatever_was_damaged(
    collected: Collected, harm: Callable[[Path], None], what: str, place: int
) -> None:
    harm(getattr(collected, what)()[place])

    collector = Collector(collected.platform.world())
    for _pass in range(3):
        collector.collect()

    assert collected.rows() == sorted(collected.ids)
    assert collected.platform.counted("features").n_rows == N_COMMITS
    collected.platform.now += 60_000_000
    collector.collect()
    assert not list((collected.platform.root / "segments").iterdir())


def test_commits_from_the_first_damaged_one_on_are_kept_aside(collected: Collected, tmp_path: Path) -> None:
    commits = [path.name for path in collected.commits()]
    cut(collected.commits()[-2])

    assert cut_back(collected.folder) == 2

    assert [path.name for path in collected.commits()] == commits[:-2]
    assert {path.name for path in (tmp_path / "inference_log_torn").iterdir()} == {"boot", *commits[-2:]}
    assert collected.rows() == sorted(collected.ids[:-2])


def test_what_is_whole_is_left_as_it_is_and_looked_at_once_in_a_life_of_the_machine(collected: Collected) -> None:
    assert cut_back(collected.folder) == 0
    cut(collected.commits()[-1])  # cannot be, without another start of the machine
    assert cut_back(collected.folder) == 0
    assert len(collected.commits()) == N_COMMITS + 1


def test_a_damaged_checkpoint_is_set_aside_and_the_commits_before_it_are_read(collected: Collected) -> None:
    from deltalake import DeltaTable

    DeltaTable(collected.folder).create_checkpoint()
    (checkpoint,) = (collected.folder / "_delta_log").glob("*.checkpoint.parquet")
    cut(checkpoint)

    assert cut_back(collected.folder) == 0
    assert collected.rows() == sorted(collected.ids)


def test_after_a_whole_checkpoint_only_newer_commits_are_looked_at(collected: Collected) -> None:
    log = DeltaLog(collected.folder)
    log.maintain()
    for commit in collected.commits():
        empty(commit)

    assert cut_back(collected.folder) == 0
    assert collected.rows() == sorted(collected.ids)


def test_what_a_file_was_compacted_into_stands_for_it(collected: Collected) -> None:
    from deltalake import DeltaTable

    small = collected.files()
    DeltaTable(collected.folder).optimize.compact()
    gone(small[-1])
    assert cut_back(collected.folder) == 0
    assert collected.rows() == sorted(collected.ids)


def test_a_compaction_that_was_damaged_is_undone_with_what_came_after_it(collected: Collected) -> None:
    from deltalake import DeltaTable

    DeltaTable(collected.folder).optimize.compact()
    empty(collected.files()[-1])
    assert cut_back(collected.folder) == 1
    assert collected.rows() == sorted(collected.ids)


def test_damage_that_no_loss_of_power_can_have_done_is_told_and_nothing_is_touched(
    collected: Collected, caplog: pytest.LogCaptureFixture
) -> None:
    old = collected.commits()[1]
    cut(old)
    os.utime(old, (1.0, 1.0))

    assert cut_back(collected.folder) == 0
    assert len(collected.commits()) == N_COMMITS + 1
    assert "restore it" in caplog.text


def test_a_log_that_begins_after_the_commits_it_needs_is_left_alone(collected: Collected) -> None:
    gone(collected.commits()[0])
    assert cut_back(collected.folder) == 0
    assert len(collected.commits()) == N_COMMITS


def test_without_a_table_nothing_is_made(tmp_path: Path) -> None:
    assert cut_back(tmp_path / "inference_log") == 0
    assert not list(tmp_path.iterdir())
