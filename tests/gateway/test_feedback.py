"""Ground truth, sent to the gateway."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import pytest

from boucle.adapters.memory.journal import MemoryJournal
from boucle.adapters.memory.models import MemoryModels, MemoryRoutes
from boucle.gateway.feedback import read_truth
from boucle.serving.limits import Limits
from gateway.conftest import FUNCTIONS, Launch, Running
from routed import routed, table

ID = "01900000-0000-7000-8000-000000000000"
PATH = "/models/bank/feedback"


@pytest.fixture
def journal() -> MemoryJournal:
    return MemoryJournal()


@pytest.fixture
def running(launch: Launch, journal: MemoryJournal) -> Running:
    return launch(MemoryModels(FUNCTIONS), MemoryRoutes(table(1, routed(1, "a" * 64), champion=1)), journal)


def tell(running: Running, body: Any, **options: Any) -> httpx.Response:
    return running.client.post(PATH, json=body, **options)


def entries(journal: MemoryJournal) -> list[dict[str, Any]]:
    return [entry for record in journal.records if record.kind == "truth" for entry in json.loads(record.request)]


@pytest.mark.parametrize(
    "body",
    [
        {"truth": [{"id": f"{ID}:0", "value": "yes"}, {"id": f"{ID}:1", "value": 2}]},
        [{"id": f"{ID}:0", "value": "yes"}, {"id": f"{ID.upper()}:1", "value": 2}],
        {"prediction_id": ID, "values": ["yes", 2]},
        [{"prediction_id": ID, "values": ["yes", 2]}],
    ],
    ids=["wrapped", "list", "one answer", "answers"],
)
def test_ground_truth_is_on_the_disk_when_it_is_accepted(running: Running, journal: MemoryJournal, body: Any) -> None:
    answer = tell(running, body, headers={"x-boucle-time": "2026-05-04T10:00:00Z"})

    assert answer.status_code == 202
    assert {**answer.json(), "feedback_id": ""} == {"accepted": 2, "rejected": [], "n_rejected": 0, "feedback_id": ""}
    (record,) = journal.records
    assert (record.kind, record.model, record.prediction_id) == ("truth", "bank", answer.json()["feedback_id"])
    assert record.at == 1_777_888_800_000_000
    assert entries(journal) == [{"id": f"{ID}:0", "value": "yes"}, {"id": f"{ID}:1", "value": 2}]
    assert journal.n_synced_bytes == len(journal.data)
    assert 'boucle_feedback_total{model="bank"} 2.0' in running.client.get("/metrics").text


def test_csv_cells_are_numbers_truth_values_or_texts(running: Running, journal: MemoryJournal) -> None:
    body = f"id,value\n{ID}:0,1\n{ID}:1,0.5\n{ID}:2,Adelie\n{ID}:3,true\n{ID}:4,\n{ID}:5\n"
    answer = running.client.post(PATH, content=body, headers={"content-type": "text/csv"})

    assert (answer.status_code, answer.json()["n_rejected"]) == (202, 2)
    assert [entry["value"] for entry in entries(journal)] == [1, 0.5, "Adelie", True]


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": ID, "value": 1},
        {"id": f"{ID}:-1", "value": 1},
        {"id": "00000000-0000-4000-8000-000000000000:0", "value": 1},
        {"id": 5, "value": 1},
        {"id": f"{ID}:0", "value": None},
        {"id": f"{ID}:0", "value": {"a": 1}},
        {"id": f"{ID}:0", "value": ["a", 1]},
        {"id": f"{ID}:0", "value": "x" * 70_000},
        {"id": f"{ID}:0"},
        {"id": f"{ID}:0", "value": 1, "more": 1},
        "text",
    ],
)
def test_a_wrong_entry_is_told_and_the_others_are_kept(running: Running, journal: MemoryJournal, wrong: Any) -> None:
    answer = tell(running, [wrong, {"id": f"{ID}:1", "value": ["a", "b"]}])

    assert (answer.status_code, answer.json()["accepted"], answer.json()["n_rejected"]) == (202, 1, 1)
    assert answer.json()["rejected"][0]["detail"]
    assert [entry["id"] for entry in entries(journal)] == [f"{ID}:1"]


def test_only_the_first_wrong_entries_are_told(running: Running) -> None:
    told = tell(running, [{"id": "x", "value": 1}] * 50 + [{"id": f"{ID}:1", "value": 1}]).json()

    assert (len(told["rejected"]), told["n_rejected"]) == (20, 50)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b'[{"id": "x", "value": 1}]', 422, "invalid-truth"),
        (b"[]", 422, "no-rows"),
        (b"", 400, "empty-body"),
        (b"{", 400, "malformed-json"),
        (b'{"other": []}', 400, "unknown-format"),
        (b'"text"', 400, "unknown-format"),
    ],
)
def test_a_body_of_no_use_is_refused(running: Running, body: bytes, status: int, code: str) -> None:
    answer = running.client.post(PATH, content=body)

    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:boucle:problem:{code}")


@pytest.mark.parametrize(
    "given", ["x" * 3_000_000, "\u0130" * 100_000, ["x" * 300_000], None], ids=["long", "wide", "list", "none"]
)
def test_a_prediction_id_that_is_none_costs_no_more_than_its_rows(given: Any) -> None:
    body = json.dumps({"prediction_id": given, "values": [1] * 20_000}).encode()
    start = time.process_time()
    told = read_truth(body, "", Limits())

    assert (told.accepted, len(told.rejected)) == ([], 20_000)
    assert max(len(id_) for _place, id_, _detail in told.rejected) <= 90
    assert time.process_time() - start < 2


def test_more_than_the_limit_is_refused(running: Running) -> None:
    assert tell(running, {"prediction_id": ID, "values": [1] * 50_001}).status_code == 413


def test_ground_truth_that_cannot_be_kept_is_never_accepted(running: Running, journal: MemoryJournal) -> None:
    journal.is_full = True
    answer = tell(running, {"prediction_id": ID, "values": [1]})

    assert (answer.status_code, answer.json()["type"]) == (503, "urn:boucle:problem:log-full")
    assert running.client.get("/readyz").json()["status"] == "degraded"
    journal.is_full = False
    assert tell(running, {"prediction_id": ID, "values": [1]}).status_code == 202
    assert "log" not in running.client.get("/readyz").json()


def test_feedback_needs_a_known_model_and_a_post(running: Running) -> None:
    unknown = running.client.post("/models/nobody/feedback", json=[])
    wrong = running.client.get(PATH)

    assert (unknown.status_code, wrong.status_code, wrong.headers["allow"]) == (404, 405, "POST")
    assert "/models/{name}/feedback" in running.client.get("/nowhere").json()["detail"]
