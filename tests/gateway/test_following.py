"""The gateway starts and serves from its own copy, follows the control plane, and says how it fares."""

from __future__ import annotations

import json
import threading
from pathlib import Path

from boucle.adapters.memory.models import MemoryModels, MemoryRoutes
from boucle.core.document import canonical, from_json
from boucle.core.errors import Unavailable
from boucle.core.routes import RouteTable
from gateway.conftest import FUNCTIONS, Launch, Running, until
from routed import ROW, routed, table

FIRST, SECOND = routed(1, "a" * 64), routed(2, "b" * 64)


class ControlPlaneDown:
    """A control plane that does not answer."""

    async def next_after(self, sequence: int) -> RouteTable | None:
        raise Unavailable("connection refused")

    async def close(self) -> None:
        """Nothing to close."""


def prediction(running: Running) -> float:
    return float(running.ask([ROW]).json()["predictions"][0])


def test_it_starts_and_serves_from_its_copy_when_the_control_plane_is_down(launch: Launch, tmp_path: Path) -> None:
    (tmp_path / "routes.json").write_bytes(canonical(table(7, FIRST)))

    running = launch(MemoryModels(FUNCTIONS), ControlPlaneDown())

    assert prediction(running) == 82.0
    assert running.client.get("/readyz").json() == {
        "status": "ready",
        "sequence": 7,
        "models": [{"model": "bank", "version": 1, "wanted": 1, "ready": True}],
        "failing": [],
    }


def test_it_keeps_each_new_table_on_disk(launch: Launch, tmp_path: Path) -> None:
    source = MemoryRoutes(table(1, FIRST))
    launch(MemoryModels(FUNCTIONS), source)
    copy = tmp_path / "routes.json"

    until(lambda: copy.exists() and json.loads(copy.read_bytes())["sequence"] == 1)
    source.publish(table(2, FIRST, SECOND, champion=2))
    until(lambda: json.loads(copy.read_bytes())["sequence"] == 2)

    assert from_json(RouteTable, json.loads(copy.read_bytes())) == table(2, FIRST, SECOND, champion=2)
    assert list(tmp_path.iterdir()) == [copy]


def test_the_table_of_a_restored_registry_counts_although_its_sequence_is_smaller(
    launch: Launch, tmp_path: Path
) -> None:
    (tmp_path / "routes.json").write_bytes(canonical(table(40, FIRST, SECOND, champion=2)))

    running = launch(MemoryModels(FUNCTIONS), MemoryRoutes(table(3, FIRST)))

    until(lambda: prediction(running) == 82.0)


class Faulty(ControlPlaneDown):
    """A source that fails once in a way that nobody foresaw."""

    def __init__(self) -> None:
        self.tables = MemoryRoutes(table(1, FIRST))
        self.calls = 0

    async def next_after(self, sequence: int) -> RouteTable | None:
        self.calls += 1
        if self.calls == 1:
            raise RuntimeError("unforeseen")
        return await self.tables.next_after(sequence)


def test_it_follows_on_after_an_error_that_nobody_foresaw(launch: Launch) -> None:
    running = launch(MemoryModels(FUNCTIONS), Faulty())

    until(lambda: running.ask([ROW]).status_code == 200)


def test_a_copy_that_cannot_be_read_is_left_for_the_control_planes_table(launch: Launch, tmp_path: Path) -> None:
    (tmp_path / "routes.json").write_bytes(b'{"sequence": 3, "routes": [{"na')

    running = launch(MemoryModels(FUNCTIONS), MemoryRoutes(table(1, FIRST)))
    until(lambda: running.app.fleet.aliases("bank") != {})

    assert prediction(running) == 82.0


def test_promotion_and_rollback_under_load_lose_no_request_and_name_the_version_that_answered(launch: Launch) -> None:
    source = MemoryRoutes(table(1, FIRST, SECOND, champion=1))
    running = launch(MemoryModels(FUNCTIONS), source)
    until(lambda: len(running.app.fleet.loaded) == 2)
    answers: list[tuple[int, str, float]] = []
    is_over = threading.Event()

    def call() -> None:
        while not is_over.is_set():
            answer = running.ask([ROW])
            told = answer.json()["predictions"][0] if answer.status_code == 200 else -1
            answers.append((answer.status_code, answer.headers["x-boucle-version"], told))

    threads = [threading.Thread(target=call) for _i in range(4)]
    for thread in threads:
        thread.start()
    for sequence in range(2, 22):
        champion = 1 + sequence % 2
        source.publish(table(sequence, FIRST, SECOND, champion=champion))
        until(lambda: running.app.fleet.find("bank").version.number == champion)  # noqa: B023  # within the loop
    is_over.set()
    for thread in threads:
        thread.join()

    assert len(answers) > 50
    assert set(answers) == {(200, "1", 82.0), (200, "2", 123.0)}


def test_a_version_that_cannot_be_loaded_is_told_and_the_old_one_serves(launch: Launch) -> None:
    source = MemoryRoutes(table(1, FIRST))
    running = launch(MemoryModels(FUNCTIONS), source)
    until(lambda: running.app.fleet.aliases("bank") != {})

    source.publish(table(2, FIRST, routed(2, "f" * 64), champion=2))
    until(lambda: running.app.fleet.failing != {})
    ready = running.client.get("/readyz")

    assert prediction(running) == 82.0
    assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
    assert ready.json()["models"] == [{"model": "bank", "version": 1, "wanted": 2, "ready": True}]
    assert ready.json()["failing"][0]["version"] == 2
    assert "ffffffffffff" in ready.json()["failing"][0]["detail"]
    assert 'boucle_load_failures_total{model="bank",version="2"} 1.0' in running.client.get("/metrics").text


def test_a_champion_that_was_never_loaded_is_not_ready(launch: Launch) -> None:
    running = launch(MemoryModels({}), MemoryRoutes(table(1, FIRST)))
    until(lambda: running.app.fleet.failing != {})

    ready, answer = running.client.get("/readyz"), running.ask([ROW])

    assert (ready.status_code, ready.json()["status"]) == (503, "not-ready")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert running.client.get("/livez").status_code == 200
    assert running.client.get("/models/bank").json()["version"] is None


def test_without_any_table_it_is_alive_but_not_ready(launch: Launch) -> None:
    running = launch(MemoryModels({}), ControlPlaneDown())

    assert running.client.get("/livez").json() == {"status": "alive"}
    assert running.client.get("/readyz").status_code == 503
    assert running.ask([ROW]).status_code == 503


def test_a_platform_without_models_is_ready(launch: Launch) -> None:
    running = launch(MemoryModels({}), MemoryRoutes())
    until(lambda: running.app.fleet.table is not None)

    assert running.client.get("/readyz").json()["status"] == "ready"
    assert running.ask([ROW]).status_code == 404
