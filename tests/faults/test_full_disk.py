"""A disk that takes nothing more, and then does again: the gateway says so, goes on as it was told to, and recovers.

The disk is full for one process alone: its files may grow no further (RLIMIT_FSIZE), until that is lifted.
"""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from boucle.adapters.sql import SqlProfileStore, SqlRegistryStore, SqlTruthStore, SqlWatchStore
from boucle.bootstrap.sockets import listen
from boucle.bootstrap.wiring import now_us
from boucle.core.alert import Alert
from boucle.loop.notify import deliver
from boucle.loop.watch import WatchWorld, watch
from boucle.monitoring.alerting import apart
from boucle.monitoring.ports import AlertQuery
from boucle.registry.registry import Registry
from faults.load import MODEL
from faults.scene import Scene, until

pytestmark = pytest.mark.slow
LIMIT_BYTES = 40_000


@contextmanager
def full_disk(pid: int) -> Iterator[None]:
    """Let the files of a process grow to 40 kB and no further, for the length of a block."""
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (LIMIT_BYTES, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


def rows(first: int) -> list[dict[str, Any]]:
    """Return rows that fill the disk within some ten requests."""
    return [{"number": first + i, "price": 0.5, "city": "Lyon"} for i in range(50)]


def lost(address: str) -> int:
    """Return how many answers a gateway says it could not write down."""
    text = httpx.get(f"{address}/metrics", trust_env=False).text
    line = next(line for line in text.splitlines() if line.startswith("boucle_log_lost_total"))
    return int(float(line.split()[-1]))


def ready(address: str) -> dict[str, Any]:
    told: dict[str, Any] = httpx.get(f"{address}/readyz", trust_env=False).json()
    return told


def test_a_full_disk_is_told_and_the_answers_it_costs_are_counted_as_lost(scene: Scene) -> None:
    before = scene.outcomes() if scene.home.inference_log.exists() else {"lost": 0}
    written: list[str] = []
    with full_disk(scene.pid("gateway")):
        for first in range(0, 1_500, 50):
            answer = scene.ask(rows(first))
            assert answer.status_code == 200
            if not lost(scene.gateway):
                written.append(answer.json()["prediction_id"])
        told, n_lost = ready(scene.gateway), lost(scene.gateway)
    assert told["status"] == "degraded"
    assert "The inference log cannot be written" in told["log"]
    assert len(written) + n_lost == 30
    assert written

    after = scene.ask(rows(3_000))
    assert after.status_code == 200
    until(lambda: ready(scene.gateway)["status"] == "ready", "the gateway ready again", 5)
    assert lost(scene.gateway) == n_lost
    scene.settle()
    assert scene.outcomes()["lost"] - before["lost"] == n_lost
    check_alert(scene)
    assert {*written, after.json()["prediction_id"]} <= requests(scene)


class Heard:
    """A channel that keeps what it was told."""

    name = "heard"

    def __init__(self) -> None:
        self.told: list[tuple[str, Alert]] = []

    def tell(self, event: str, alert: Alert, link: str) -> None:
        del link
        self.told.append((event, alert))


def check_alert(scene: Scene) -> None:
    """By the end of the hour a critical alert is open that tells how many answers are missing, and was told once."""
    store, heard, hours = SqlWatchStore(scene.engine), Heard(), iter(range(9))
    profiles = SqlProfileStore(scene.engine)
    registry = Registry(SqlRegistryStore(scene.engine), now_us)
    world = WatchWorld(
        registry,
        profiles,
        SqlTruthStore(scene.engine),
        store,
        now=lambda: now_us() + next(hours) * 3_600_000_000,  # each look an hour later
        channels=(heard.name,),
    )
    for _look in range(3):
        watch(world)
        deliver(store, [heard], now_us() + 9 * 3_600_000_000)

    (alert,) = [alert for alert in store.alerts(AlertQuery(MODEL, is_open=True)) if alert.check.name == "log"]
    assert alert.severity == "critical"
    assert alert.check.evidence["n_lost"] == scene.outcomes()["lost"]
    assert "answers could not be written down" in alert.check.observed
    told = [event for event, group in heard.told for one in apart(group) if one.id == alert.id]
    assert told == ["opened"]


@pytest.fixture
def refusing(scene: Scene) -> Iterator[tuple[int, str]]:
    """A second gateway of the same home that answers nothing it cannot write down: its process and address."""
    with listen("127.0.0.1", 0) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    process = scene.process(
        "-m",
        "boucle.bootstrap.gateway",
        BOUCLE_PORT=scene.told["url"].rpartition(":")[2],
        BOUCLE_GATEWAY_PORT=address.rpartition(":")[2],
        BOUCLE_LOG_FULL="refuse",
    )
    try:
        until(lambda: is_up(address), "the second gateway up")
        yield process.pid, address
    finally:
        process.terminate()
        process.wait(30)


def is_up(address: str) -> bool:
    try:
        return httpx.get(f"{address}/readyz", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def test_a_gateway_told_to_refuse_answers_nothing_it_cannot_write_down(scene: Scene, refusing: tuple[int, str]) -> None:
    pid, address = refusing
    answered: set[str] = set()
    with full_disk(pid):
        for first in range(0, 1_500, 50):
            answer = scene.ask(rows(first), address)
            if answer.status_code == 200:
                answered.add(answer.json()["prediction_id"])
        assert answer.status_code == 503
        assert answer.json()["type"].endswith("log-full")
        assert int(answer.headers["retry-after"]) > 0
        told = [{"id": f"{max(answered)}:{row}", "value": 1} for row in range(1_000)]
        truth = httpx.post(f"{address}/models/{MODEL}/feedback", json=told, trust_env=False)
        assert truth.status_code == 503
        assert ready(address)["status"] == "degraded"
    assert 0 < len(answered) < 30

    answered.add(scene.ask(rows(3_000), address).json()["prediction_id"])
    assert ready(address)["status"] == "ready"
    assert lost(address) == 0
    until(lambda: answered <= requests(scene), "all that was answered in the log", 20)


def requests(scene: Scene) -> set[str]:
    """Return the prediction ids in the log."""
    if not scene.home.inference_log.exists():
        return set()
    return {id_.partition(":")[0] for id_ in scene.logged()["prediction_id"]}
