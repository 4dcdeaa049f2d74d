"""What the gateway writes down of each answer, and what it does when it cannot."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from boucle.adapters.memory.journal import MemoryJournal
from boucle.adapters.memory.models import MemoryModels, MemoryRoutes
from gateway.conftest import FUNCTIONS, Launch, Running, until
from routed import ROW, routed, table

CSV_TYPE = {"content-type": "text/csv"}


@pytest.fixture
def journal() -> MemoryJournal:
    return MemoryJournal()


def started(launch: Launch, journal: MemoryJournal, **options: bool) -> Running:
    running = launch(
        MemoryModels(FUNCTIONS), MemoryRoutes(table(1, routed(1, "a" * 64), champion=1)), journal, **options
    )
    until(lambda: len(running.app.fleet.loaded) == 1)
    return running


@pytest.fixture
def running(launch: Launch, journal: MemoryJournal) -> Running:
    return started(launch, journal)


def test_an_answer_is_written_down_with_the_bytes_that_went_in_and_out(
    running: Running, journal: MemoryJournal
) -> None:
    body = json.dumps([ROW]).encode()
    before = time.time_ns() // 1000
    answer = running.client.post("/models/bank/invocations", content=body, headers={"x-boucle-caller": "shop@1"})

    (record,) = journal.records
    assert (record.kind, record.model, record.version, record.status) == ("answer", "bank", 1, 200)
    assert (record.request, record.answer) == (body, answer.content)
    assert (record.media, record.answer_media, record.caller) == ("json", "json", "shop@1")
    assert record.prediction_id == answer.headers["x-prediction-id"]
    assert before <= record.logged_at == record.at <= time.time_ns() // 1000
    assert 0 < record.latency_us < 10_000_000


def test_a_zipped_body_is_kept_unzipped_and_csv_as_csv(running: Running, journal: MemoryJournal) -> None:
    body = (",".join(ROW) + "\n" + ",".join(map(str, ROW.values())) + "\n").encode()
    headers = {**CSV_TYPE, "accept": "text/csv", "content-encoding": "gzip"}
    answer = running.client.post("/models/bank/invocations", content=gzip.compress(body), headers=headers)

    assert answer.status_code == 200, answer.text
    (record,) = journal.records
    assert (record.request, record.media, record.answer_media) == (body, "csv", "csv")
    assert record.answer == answer.content


def test_a_large_answer_is_written_down_too(running: Running, journal: MemoryJournal) -> None:
    answer = running.ask([ROW] * 5_000)

    assert answer.status_code == 200
    assert journal.records[0].answer == answer.content


@pytest.mark.parametrize("told", ["a b", "x" * 65, "é", ""])
def test_a_caller_that_is_not_plain_is_ignored(running: Running, journal: MemoryJournal, told: str) -> None:
    running.ask([ROW], headers={"x-boucle-caller": told.encode()})

    assert journal.records[0].caller == ""


@pytest.mark.parametrize("told", ["2026-05-04T12:00:00.25+02:00", "2026-05-04T10:00:00.25Z", "1777888800250000"])
def test_the_caller_tells_when_it_happened(running: Running, journal: MemoryJournal, told: str) -> None:
    assert running.ask([ROW], headers={"x-boucle-time": told}).status_code == 200

    assert journal.records[0].at == 1_777_888_800_250_000
    assert journal.records[0].logged_at > 1_777_888_800_250_000


@pytest.mark.parametrize(
    "told", ["yesterday", "2026-05-04T12:00:00", "-5", "1" * 30, "1e9", "0", "2999-01-01T00:00:00Z"]
)
def test_a_time_that_cannot_be_is_refused(running: Running, told: str) -> None:
    answer = running.ask([ROW], headers={"x-boucle-time": told})

    assert (answer.status_code, answer.json()["type"]) == (400, "urn:boucle:problem:invalid-time")


def test_a_request_that_was_refused_leaves_a_small_record(running: Running, journal: MemoryJournal) -> None:
    running.ask([{"age": "old"}])
    running.ask([ROW], model="nobody")

    (record,) = journal.records
    assert (record.kind, record.model, record.version, record.status) == ("refusal", "bank", 1, 422)
    assert (record.request, record.answer, record.prediction_id) == (b"", b"", "")


def test_when_the_log_is_full_it_serves_on_counts_and_says_so_until_it_recovers(
    running: Running, journal: MemoryJournal, caplog: pytest.LogCaptureFixture
) -> None:
    journal.is_full = True
    assert [running.ask([ROW]).status_code for _ in range(3)] == [200, 200, 200]
    ready = running.client.get("/readyz").json()
    metrics = running.client.get("/metrics").text
    journal.is_full = False
    assert running.ask([ROW]).status_code == 200

    assert (ready["status"], "No space left" in ready["log"]) == ("degraded", True)
    assert "boucle_log_lost_total 3.0" in metrics
    assert [(r.kind, r.model, r.version, r.n_lost) for r in journal.records[1:]] == [("gap", "bank", 1, 3)]
    assert [r.getMessage() for r in caplog.records if r.levelname == "ERROR"] == [
        "the inference log cannot be written: free space on its disk"
    ]
    assert running.client.get("/readyz").json()["status"] == "ready"
    assert f"boucle_log_bytes_total {float(len(journal.data))}" in running.client.get("/metrics").text


def test_when_it_must_not_answer_unlogged_a_full_log_is_a_503(launch: Launch, journal: MemoryJournal) -> None:
    running = started(launch, journal, is_refusing_unlogged=True)
    journal.is_full = True
    refused = running.ask([ROW])
    journal.is_full = False

    assert (refused.status_code, refused.json()["type"]) == (503, "urn:boucle:problem:log-full")
    assert refused.headers["retry-after"] == "5"
    assert running.ask([ROW]).status_code == 200
    assert [record.kind for record in journal.records] == ["answer"]


def test_what_is_known_to_be_missing_is_written_at_the_end(launch: Launch, journal: MemoryJournal) -> None:
    running = started(launch, journal)
    journal.is_full = True
    running.ask([ROW])
    journal.is_full = False
    launch.stop()

    assert [(record.kind, record.n_lost) for record in journal.records] == [("gap", 1)]
    assert journal.is_closed


class SlowJournal(MemoryJournal):
    """A journal whose appends wait for the disk; it remembers in which threads."""

    is_each_synced = True

    def __init__(self) -> None:
        super().__init__()
        self.threads: list[str] = []
        self.free = threading.Event()
        self.free.set()

    def append(self, buffers: Sequence[bytes]) -> int:
        """Keep one record."""
        self.threads.append(threading.current_thread().name)
        assert self.free.wait(10)
        return super().append(buffers)


def test_where_each_record_waits_for_the_disk_nothing_is_written_in_the_event_loop(launch: Launch) -> None:
    journal = SlowJournal()
    running = started(launch, journal)
    running.ask([{"age": "old"}])
    journal.is_full = True
    running.ask([ROW])
    journal.is_full = False
    running.ask([ROW])
    until(lambda: len(journal.records) == 3)
    launch.stop()

    assert [record.kind for record in journal.records] == ["refusal", "answer", "gap"]
    assert {name.split("_")[0] for name in journal.threads} == {"gateway", "notes"}


def test_refusals_that_come_while_the_disk_is_busy_are_answered_and_written_together(launch: Launch) -> None:
    journal = SlowJournal()
    running = started(launch, journal)
    journal.free.clear()
    running.ask([{"age": "old"}])
    until(lambda: len(journal.threads) == 1)
    statuses = [running.ask([{"age": "old"}]).status_code for _ in range(5)]
    journal.free.set()
    until(lambda: len(journal.records) == 6)

    assert (statuses, len(journal.threads)) == ([422] * 5, 2)


def test_a_gateway_without_a_journal_answers(launch: Launch, tmp_path: Path) -> None:
    running = launch(MemoryModels(FUNCTIONS), MemoryRoutes(table(1, routed(1, "a" * 64), champion=1)))
    until(lambda: len(running.app.fleet.loaded) == 1)

    assert running.ask([ROW]).status_code == 200
    assert not (tmp_path / "segments").exists()
