"""Answers that wait for news, over a real server: builds as they happen, and the route table."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from boucle.web import app as application
from boucle.web.api import waiting
from web.made_up import PASSED, World
from web.serving import serving


@pytest.fixture
def server(world: World) -> Iterator[httpx.Client]:
    """The populated platform."""
    with serving(world.plane()) as client:
        yield client


def test_a_build_is_told_check_by_check_and_at_last_the_version(server: httpx.Client, world: World) -> None:
    def build() -> None:
        for check in PASSED[4:]:
            world.registry.add_check("late-payment", 1, check)
        world.registry.mark_ready("late-payment", 1)

    seen = []
    with server.stream("GET", "/api/v1/models/late-payment/versions/1/events", params={"after": 2}) as answer:
        lines = answer.iter_lines()
        seen += [json.loads(next(lines)), json.loads(next(lines))]
        threading.Thread(target=build).start()
        seen += [json.loads(line) for line in lines if line]

    assert answer.headers["Content-Type"] == "application/x-ndjson"
    assert [event["index"] for event in seen[:-1]] == [2, 3, 4, 5, 6]
    assert [event["check"]["name"] for event in seen[:-1]] == [check.name for check in PASSED[2:]]
    assert seen[-1]["version"]["state"] == "ready"


def test_the_events_of_a_build_that_is_over_end_at_once(server: httpx.Client) -> None:
    answer = server.get("/api/v1/models/churn/versions/1/events?after=99")

    assert [list(json.loads(line)) for line in answer.text.splitlines()] == [["version"]]
    assert server.get("/api/v1/models/churn/versions/9/events").status_code == 404


def test_a_quiet_build_is_kept_alive_with_blank_lines_and_ends_in_time(
    server: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "KEEP_ALIVE_S", 0.05)
    monkeypatch.setattr(waiting, "STREAM_S", 0.4)

    answer = server.get("/api/v1/models/late-payment/versions/1/events?after=4")

    assert answer.text.strip() == ""
    assert len(answer.text) >= 2


def test_the_route_table_comes_at_once_when_it_is_news(server: httpx.Client, world: World) -> None:
    table = server.get("/api/v1/routes").json()

    assert table["sequence"] == world.registry.sequence()
    assert [route["name"] for route in table["routes"] if "champion" in route["aliases"]] == ["churn", "house-price"]


def test_nothing_newer_is_said_without_a_body(server: httpx.Client, world: World) -> None:
    answer = server.get("/api/v1/routes", params={"after": world.registry.sequence(), "wait_s": 0})

    assert (answer.status_code, answer.content) == (204, b"")


def test_a_follower_hears_of_a_promotion_while_it_waits(server: httpx.Client, world: World) -> None:
    after = world.registry.sequence()
    timer = threading.Timer(0.3, lambda: world.registry.promote("churn", 3, "grace"))
    timer.start()

    answer = server.get("/api/v1/routes", params={"after": after, "wait_s": 20}, timeout=30)

    timer.join()
    assert answer.status_code == 200
    assert answer.json()["sequence"] > after


def test_a_stop_does_not_wait_for_those_who_wait(world: World) -> None:
    stopping = threading.Event()
    with serving(world.plane(is_stopping=stopping.is_set)) as client:
        threading.Timer(0.2, stopping.set).start()
        started = time.monotonic()

        known = world.registry.sequence()
        answer = client.get("/api/v1/routes", params={"after": known, "wait_s": 20}, timeout=30)

    assert answer.status_code == 204
    assert time.monotonic() - started < 5


def test_a_gateway_that_knows_more_than_a_restored_registry_is_told_its_table(server: httpx.Client) -> None:
    answer = server.get("/api/v1/routes", params={"after": 10**9, "wait_s": 20})

    assert answer.status_code == 200
    assert answer.json()["sequence"] < 10**9


@pytest.mark.parametrize(
    "query", ["wait_s=26", "wait_s=x", "wait_s=nan", "wait_s=-1", "after=x", "after=-2", "after=1e9"]
)
def test_a_wait_that_cannot_be_is_named(server: httpx.Client, query: str) -> None:
    answer = server.get(f"/api/v1/routes?{query}")

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["in"] == "query"


def test_other_requests_are_answered_while_many_wait(server: httpx.Client) -> None:
    waiters = [
        threading.Thread(target=server.get, args=("/api/v1/routes?after=999999&wait_s=1",), kwargs={"timeout": 30})
        for _ in range(60)
    ]
    for waiter in waiters:
        waiter.start()
    started = time.monotonic()

    assert server.get("/models.json").status_code == 200

    assert time.monotonic() - started < 1
    for waiter in waiters:
        waiter.join()


def test_the_traffic_is_sampled_though_nobody_looks(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application, "SAMPLE_S", 0.02)
    read = threading.Semaphore(0)

    class Counted:
        def read(self) -> dict[str, object]:
            read.release()
            return {}

    with serving(world.plane(traffic=Counted())):
        assert all(read.acquire(timeout=5) for _ in range(3))


def test_an_upload_that_breaks_off_goes_on_over_a_real_connection(server: httpx.Client, world: World) -> None:
    data = b"0123456789" * 300_000
    stored = World().artifacts.write(data)
    path = f"/api/v1/artifacts/{stored.digest}"

    def broken() -> Iterator[bytes]:
        yield data[:1_200_000]
        raise ConnectionError("the network is gone")

    with pytest.raises(ConnectionError):
        server.put(path, content=broken(), headers={"Upload-Length": str(len(data))})
    deadline = time.monotonic() + 5
    while world.artifacts.received(stored.digest) == 0 and time.monotonic() < deadline:
        time.sleep(0.01)
    offset = int(server.head(path).headers["Upload-Offset"])
    rest = {"Upload-Length": str(len(data)), "Upload-Offset": str(offset)}
    answer = server.put(path, content=data[offset:], headers=rest)

    assert 1_000_000 <= offset <= 1_200_000
    assert answer.status_code == 201
    assert world.artifacts.read(stored.digest) == data
