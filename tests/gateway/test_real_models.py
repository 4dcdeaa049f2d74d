"""The gateway with real artifacts, real ONNX, and worker processes behind a real model host."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from boucle.adapters.artifacts import ObjectArtifacts
from boucle.adapters.memory.artifacts import MemoryArtifacts
from boucle.adapters.memory.models import MemoryRoutes
from boucle.adapters.models import StoredModels
from boucle.core.routes import RoutedVersion, RouteTable
from boucle.serving.host import ModelHost, serve
from gateway.conftest import Launch, Running, until
from hosting import host, obedient
from routed import LINEAR_SCHEMA, LINEAR_SIGNATURE, linear_graph, table

ROW = {"a": 1.0, "b": 2.0}


@dataclass
class Hosting:
    """A model host in a thread of its own."""

    artifacts: MemoryArtifacts
    host: ModelHost
    socket: Path

    def pid(self) -> int:
        """The worker's process id, once there is one."""
        until(lambda: any(slot.is_ready for slot in self.host.slots.values()))
        return next(slot.pid for slot in self.host.slots.values() if slot.pid is not None)


@pytest.fixture
def hosting(tmp_path: Path) -> Iterator[Hosting]:
    artifacts = MemoryArtifacts()
    loop = asyncio.new_event_loop()
    stopping = asyncio.Event()
    made = Hosting(artifacts, host(artifacts, tmp_path), tmp_path / "host.sock")
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(made.host, made.socket, stopping),))
    thread.start()
    until(made.socket.exists)
    yield made
    loop.call_soon_threadsafe(stopping.set)
    thread.join(20)
    loop.close()


@pytest.fixture
def obeying(hosting: Hosting, launch: Launch) -> Running:
    routes = MemoryRoutes(table(1, obedient(hosting.artifacts), name="obedient"))
    running = launch(StoredModels(hosting.artifacts, hosting.socket), routes, timeout_s=1.0)
    until(lambda: running.app.fleet.aliases("obedient") != {}, 20)
    return running


def ask(running: Running, *values: float) -> tuple[int, Any]:
    answer = running.ask([{"x": value} for value in values], "obedient")
    return answer.status_code, answer.json().get("predictions", answer.json().get("type"))


def linear(artifacts: ObjectArtifacts, weight: float, number: int = 1) -> RoutedVersion:
    model = artifacts.write(linear_graph((weight, 10.0)))
    return RoutedVersion(number, "onnx", "onnx", model, LINEAR_SCHEMA, LINEAR_SIGNATURE)


def test_an_onnx_version_is_read_verified_and_answers(launch: Launch, tmp_path: Path) -> None:
    artifacts = ObjectArtifacts(tmp_path / "artifacts", tmp_path / "uploads")
    routes = MemoryRoutes(table(1, linear(artifacts, 2.0)))

    running = launch(StoredModels(artifacts, tmp_path / "none.sock"), routes)
    until(lambda: running.app.fleet.aliases("bank") != {})

    assert running.ask([ROW, {"a": 0.5, "b": None}]).json()["predictions"] == [22.0, None]
    assert running.ask([{"a": 0.1 * i, "b": i} for i in range(9_000)]).json()["predictions"] == pytest.approx(
        [0.2 * i + 10.0 * i for i in range(9_000)]
    )
    assert running.client.get("/readyz").json()["models"][0]["ready"]


def test_a_changed_byte_in_an_artifact_keeps_the_old_champion(launch: Launch, tmp_path: Path) -> None:
    artifacts = ObjectArtifacts(tmp_path / "artifacts", tmp_path / "uploads")
    first, second = linear(artifacts, 2.0), linear(artifacts, 3.0, number=2)
    path = artifacts.local_path(second.model.digest)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o600)
    path.write_bytes(data)
    routes = MemoryRoutes(table(1, first))
    running = launch(StoredModels(artifacts, tmp_path / "none.sock"), routes)
    until(lambda: running.app.fleet.aliases("bank") != {})

    routes.publish(table(2, first, second, champion=2))
    until(lambda: running.app.fleet.failing != {})

    assert running.ask([ROW]).json()["predictions"] == [22.0]
    failing = running.client.get("/readyz").json()["failing"]
    assert failing[0]["version"] == 2
    assert "was changed or cut" in failing[0]["detail"]


def test_a_worker_answers_and_is_asked_by_readyz(obeying: Running, hosting: Hosting) -> None:
    assert ask(obeying, 1, 2.5) == (200, [2, 5])
    assert obeying.client.get("/readyz").json()["status"] == "ready"


def test_a_row_on_which_the_model_raises_is_a_500_and_its_neighbours_are_answered(obeying: Running) -> None:
    values = [-1.0 if i % 5 == 0 else float(i) for i in range(40)]

    with ThreadPoolExecutor(16) as threads:
        found = list(threads.map(lambda value: ask(obeying, value), values))

    raised = (500, "urn:boucle:problem:model-failed")
    assert found == [raised if value == -1 else (200, [2 * value]) for value in values]


def test_a_row_that_kills_the_worker_is_a_503_and_its_neighbours_are_answered(obeying: Running) -> None:
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda value: ask(obeying, value), [1.0, -2.0, 3.0]))

    assert found[1] == (503, "urn:boucle:problem:unavailable")
    assert {found[0][0], found[2][0]} <= {200, 503}
    until(lambda: ask(obeying, 1) == (200, [2]), 15)


def test_a_worker_killed_between_requests_costs_no_request(obeying: Running, hosting: Hosting) -> None:
    for _i in range(2):
        os.kill(hosting.pid(), signal.SIGKILL)
        until(lambda: not any(slot.is_ready for slot in hosting.host.slots.values()))
        start = time.monotonic()

        assert ask(obeying, 4) == (200, [8])
        assert time.monotonic() - start < 3.0
        until(lambda: hosting.pid() > 0)


def test_a_model_that_hangs_is_a_504_and_is_replaced(obeying: Running, hosting: Hosting) -> None:
    pid = hosting.pid()

    assert ask(obeying, -3) == (504, "urn:boucle:problem:too-slow")
    until(lambda: ask(obeying, 1) == (200, [2]), 4)
    assert hosting.pid() != pid


def test_answers_that_are_no_numbers_are_null(obeying: Running) -> None:
    assert ask(obeying, -7) == (200, [None])


def test_a_gateway_that_restarts_finds_its_model_warm(obeying: Running, hosting: Hosting, launch: Launch) -> None:
    pid = hosting.pid()
    routes = MemoryRoutes(table(1, obedient(hosting.artifacts), name="obedient"))
    launch.stop()

    again = launch(StoredModels(hosting.artifacts, hosting.socket), routes)
    until(lambda: again.app.fleet.aliases("obedient") != {}, 20)

    assert ask(again, 1) == (200, [2])
    assert hosting.pid() == pid


def test_a_version_that_left_the_table_gives_its_process_back(obeying: Running, hosting: Hosting) -> None:
    pid = hosting.pid()
    source = obeying.app.source
    assert isinstance(source, MemoryRoutes)

    source.publish(RouteTable(2))

    until(lambda: not Path(f"/proc/{pid}").exists(), 10)
    assert hosting.host.slots == {}
