"""The inference log as a Delta table: read by others as it is, kept small, written by one at a time."""

import json
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import polars as pl
import pytest
from deltalake import DeltaTable

from boucle.adapters.delta_log import DeltaLog
from boucle.core.errors import Conflict
from boucle.core.report import Span
from boucle.loop.log import DAY_US, Move
from contracts.test_inference_log import ALL, NOON, ids, rows


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "inference_log"


def test_polars_reads_the_table_as_it_is(folder: Path) -> None:
    DeltaLog(folder).append(rows("a:0", "a:1"), {"s1": Move(0, 70)})

    found = pl.read_delta(str(folder)).sort("prediction_id")

    assert found.columns[:4] == ["model", "day", "version", "prediction_id"]
    assert found["day"].to_list() == ["2023-11-14"] * 2
    assert found["at"].dt.epoch("us").to_list() == [NOON, NOON]
    assert (
        found["inputs"].str.json_decode(pl.Struct({"city": pl.String})).struct.field("city").to_list() == ["Lyon"] * 2
    )
    assert found["probabilities"].to_list() == [[0.25, 0.75]] * 2


def test_duckdb_reads_the_table_as_it_is(folder: Path) -> None:
    log = DeltaLog(folder)
    log.append(rows("a:0", "a:1"), {"s1": Move(0, 70)})
    log.append(rows("b:0", model="other"), {"s1": Move(70, 80)})
    table = DeltaTable(folder)

    inference_log = table.to_pyarrow_dataset()
    by_dataset = duckdb.sql("select model, count(*), max(inputs->>'city') from inference_log group by 1 order by 1")
    assert by_dataset is not None
    assert by_dataset.fetchall() == [("churn", 2, "Lyon"), ("other", 1, "Lyon")]
    del inference_log
    by_files = duckdb.read_parquet(table.file_uris(), hive_partitioning=True).aggregate("model, count(*)", "model")
    assert sorted(by_files.fetchall()) == [("churn", 2), ("other", 1)]


@pytest.mark.parametrize(("start", "stop"), [(-(2**62), 2**62), (-(2**62), -(2**61)), (2**61, 2**62)])
def test_windows_beyond_the_years_that_can_be_written_are_read(folder: Path, start: int, stop: int) -> None:
    log = DeltaLog(folder)
    log.append(rows("a:0", "a:1"), {"s1": Move(0, 70)})

    assert log.rows("churn", Span(start, stop)).collect().height == (2 if start <= NOON < stop else 0)


def test_of_two_collectors_that_read_the_same_position_one_is_refused(folder: Path) -> None:
    one, other = DeltaLog(folder), DeltaLog(folder)
    one.append(rows("a:0"), {"s1": Move(0, 70)})
    assert (one.position("s1"), other.position("s1")) == (70, 70)

    one.append(rows("b:0"), {"s1": Move(70, 80)})
    with pytest.raises(Conflict, match="s1"):
        other.append(rows("b:0"), {"s1": Move(70, 80)})

    assert other.position("s1") == 80
    other.append(rows("c:0"), {"s1": Move(80, 90)})
    assert ids(one) == ["a:0", "b:0", "c:0"]


APPENDS = """
import sys
from pathlib import Path
from contracts.test_inference_log import rows
from boucle.adapters.delta_log import DeltaLog
from boucle.core.errors import Conflict
from boucle.loop.log import Move

log = DeltaLog(Path(sys.argv[1]))
while (at := log.position("s1")) < 40:
    try:
        log.append(rows(f"{at:03d}:0"), {"s1": Move(at, at + 1)})
    except Conflict:
        pass
"""


def test_two_processes_add_every_row_once_between_them(folder: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-c", APPENDS, str(folder)]
    others = [subprocess.Popen(command, env=environment) for _ in range(2)]

    assert [other.wait(60) for other in others] == [0, 0]
    assert ids(DeltaLog(folder)) == [f"{at:03d}:0" for at in range(40)]


def test_many_commits_leave_few_files_of_data_and_log(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("boucle.adapters.delta_log._MAINTAIN_EVERY", 30)
    log = DeltaLog(folder)
    for at in range(65):
        log.append(rows(f"{at:03d}:0", at=NOON + at), {"s1": Move(at, at + 1)})

    table = DeltaTable(folder)
    assert len(table.file_uris()) < 30
    assert table.transaction_version("s1") == 65
    assert ids(log) == [f"{at:03d}:0" for at in range(65)]


def test_files_that_nobody_refers_to_are_deleted_once_an_hour_old(folder: Path) -> None:
    log = DeltaLog(folder)
    log.append(rows("a:0"), {"s1": Move(0, 1)})
    old, new = folder / "model=churn" / "old.parquet", folder / "model=churn" / "new.parquet"
    for path in (old, new):
        path.write_bytes(b"half a file")
    os.utime(old, (1_600_000_000, 1_600_000_000))

    log.maintain()

    assert (old.exists(), new.exists()) == (False, True)
    assert ids(log) == ["a:0"]


def test_forgetting_deletes_whole_days_without_reading_them(folder: Path) -> None:
    log = DeltaLog(folder)
    for day in range(3):
        log.append(rows(f"{day}:0", at=NOON + day * DAY_US), {"s1": Move(day, day + 1)})

    log.forget("churn", NOON + 2 * DAY_US)

    actions = [json.loads(line) for line in max((folder / "_delta_log").glob("*.json")).read_text().splitlines()]
    assert sum("remove" in action for action in actions) == 2
    assert not any("add" in action for action in actions)
    assert ids(log, window=ALL) == ["2:0"]


def test_ids_are_looked_for_only_in_files_that_may_hold_them(folder: Path) -> None:
    log = DeltaLog(folder)
    long = "0190aaaa-bbbb-7ccc-8ddd-"
    for at in range(6):
        log.append(rows(f"{long}{at:012d}:0"), {"s1": Move(at, at + 1)})
    for path in list((folder / "model=churn").rglob("*.parquet")):
        kept = pl.read_parquet(path)["prediction_id"][0]
        if not kept.endswith("2:0"):
            path.unlink()

    assert set(log.find("churn", [f"{long}{2:012d}:0"])) == {f"{long}{2:012d}:0"}
