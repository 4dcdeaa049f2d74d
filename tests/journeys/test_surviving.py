"""What goes on when something dies: processes are killed and stopped for real."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

import boucle
from journeys.scene import Platform, shop, shop_pipeline

STEPS = ("artifacts", "environment", "load", "reproduce", "schema", "timing")


@pytest.fixture(scope="module")
def row(platform: Platform) -> list[dict[str, object]]:
    """One raw row of the model that all of these ask."""
    rows = shop(300, seed=20)
    os.environ["BOUCLE_URL"], os.environ["BOUCLE_HOME"] = platform.url, str(platform.home)
    try:
        boucle.deploy(shop_pipeline(rows), "survivor", example=rows, target="left")
    finally:
        del os.environ["BOUCLE_URL"], os.environ["BOUCLE_HOME"]
    told: list[dict[str, object]] = json.loads(
        rows.drop(columns="left").head(1).to_json(orient="records", date_format="iso")
    )
    return told


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Keep a process from running for the length of a block."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def await_answer(platform: Platform, row: list[dict[str, object]], within_s: float = 30.0) -> int:
    """Ask until there is an answer and return its status."""
    import httpx

    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            status = platform.ask("survivor", row).status_code
            if status == 200:
                return status
        time.sleep(0.1)
    return 0


def test_the_gateway_answers_while_the_control_plane_stands_still(
    platform: Platform, row: list[dict[str, object]]
) -> None:
    with stopped(platform.pid("control")):
        assert platform.ask("survivor", row).status_code == 200


def test_the_gateway_answers_after_its_own_restart_without_the_control_plane(
    platform: Platform, row: list[dict[str, object]]
) -> None:
    with stopped(platform.pid("control")):
        os.kill(platform.pid("gateway"), signal.SIGKILL)
        assert await_answer(platform, row) == 200


def test_a_killed_control_plane_comes_back_and_nobody_is_refused_meanwhile(
    platform: Platform, row: list[dict[str, object]]
) -> None:
    os.kill(platform.pid("control"), signal.SIGKILL)
    assert [platform.ask("survivor", row).status_code for _time in range(20)] == [200] * 20
    assert boucle.Client().model("survivor")["name"] == "survivor"


def test_a_killed_model_host_comes_back(platform: Platform, row: list[dict[str, object]]) -> None:
    os.kill(platform.pid("host"), signal.SIGKILL)
    assert await_answer(platform, row) == 200


def children(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_a_build_killed_after_a_step_starts_over_and_the_old_champion_serves(platform: Platform, step: str) -> None:
    name = f"killed-{step}"
    rows = shop(300, seed=21)
    boucle.deploy(shop_pipeline(rows), name, example=rows, target="left")
    killed = threading.Event()

    def kill_when_reached() -> None:
        client = boucle.Client()
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not killed.is_set():
            with suppress(Exception):
                told = client.version(name, 2)
                if step in [check.name for check in told.checks] and told.state == "building":
                    for child in children(platform.pid("worker")):
                        os.kill(child, signal.SIGKILL)
                        killed.set()
            time.sleep(0.01)

    killer = threading.Thread(target=kill_when_reached)
    killer.start()
    again = shop_pipeline(shop(300, seed=22))
    second = boucle.deploy(again, name, example=rows, target="left")
    killer.join()

    row = json.loads(rows.drop(columns="left").head(1).to_json(orient="records", date_format="iso"))
    assert platform.ask(name, row).headers["x-boucle-version"] == "1"
    assert second.version == 2
    second.promote()
    assert platform.ask(name, row).headers["x-boucle-version"] == "2"
