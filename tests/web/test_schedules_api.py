"""Schedules over HTTP: what is kept, what is refused, and what comes of them when their time is there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from boucle.adapters.memory.jobs import MemoryJobStore
from boucle.jobs.job import ClaimRequest, JobQuery, Outcome, Schedule
from boucle.jobs.schedules import Schedules
from boucle.web.app import create_app
from web.in_process import client
from web.made_up import NOW_US, TOKEN, World

HOUR_US = 3_600_000_000
ONE = "/api/v1/schedules/btc-hourly"


class Clock:
    """A clock that a test sets; it starts at 14:00."""

    now = NOW_US

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def timed(clock: Clock) -> World:
    """A platform whose jobs and schedules know no time but the test's."""
    return World(jobs=MemoryJobStore(clock))


@pytest.fixture
def asked(timed: World) -> httpx.Client:
    return client(create_app(timed.plane()), Authorization=f"Bearer {TOKEN}")


@pytest.fixture
def project(tmp_path: Path) -> str:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "fore"\n[tool.kedro]\npackage_name = "fore"\n')
    (tmp_path / "requirements.lock").write_text("")
    return str(tmp_path)


def body(project: str, **more: Any) -> dict[str, Any]:
    return {"project": project, "cron": "5 * * * *", **more}


def run_next(world: World, outcome: Outcome) -> None:
    claim = world.jobs.claim(ClaimRequest("r1", 60, ("run",)))
    assert claim is not None
    world.jobs.finish(claim.held, outcome)


def test_a_schedule_is_kept_with_its_next_time_and_how_it_is_run(asked: httpx.Client, project: str) -> None:
    more = {"pipeline": "training", "params": {"pair": "BTCUSDT"}, "zone": "Europe/Paris", "timeout_s": 900}
    first = asked.put(ONE, json=body(project, **more))
    again = asked.put(ONE, json=body(project, **more))

    assert (first.status_code, again.status_code) == (201, 200)
    (kept,) = asked.get("/api/v1/schedules").json()["schedules"]
    assert kept == again.json()
    assert (kept["name"], kept["kind"], kept["cron"], kept["zone"]) == (
        "btc-hourly",
        "run",
        "5 * * * *",
        "Europe/Paris",
    )
    assert kept["next_at"] == NOW_US + 5 * 60_000_000
    assert kept["args"] == {
        "project": project,
        "pipeline": "training",
        "params": {"pair": "BTCUSDT"},
        "timeout_s": 900,
    }
    assert (kept["options"]["max_attempts"], kept["options"]["backoff_s"]) == (5, 15.0)
    assert kept["last_job"] is None


def test_runs_missed_while_nothing_ran_are_caught_up_by_one(
    asked: httpx.Client, timed: World, clock: Clock, project: str
) -> None:
    asked.put(ONE, json=body(project))

    clock.now += 5 * HOUR_US
    ticked = [Schedules(timed.schedules).tick() for _n in range(3)]

    assert ticked == [1, 0, 0]
    (job,) = timed.jobs.list(JobQuery("run"))
    assert (job.args["project"], job.queue, job.max_attempts, job.run_at) == (
        project,
        "runs",
        5,
        NOW_US + HOUR_US // 12,
    )
    (kept,) = asked.get("/api/v1/schedules").json()["schedules"]
    assert kept["next_at"] == NOW_US + 5 * HOUR_US + HOUR_US // 12
    assert kept["last_at"] == clock.now


def test_the_listing_tells_how_the_last_run_ended_and_when(
    asked: httpx.Client, timed: World, clock: Clock, project: str
) -> None:
    asked.put(ONE, json=body(project, attempts=1))
    clock.now += HOUR_US
    Schedules(timed.schedules).tick()
    run_next(timed, Outcome("failed", error="RunFailed: no candles"))

    (kept,) = asked.get("/api/v1/schedules").json()["schedules"]

    last = kept["last_job"]
    assert (last["state"], last["error"], last["ended_at"]) == ("failed", "RunFailed: no candles", clock.now)


def test_a_schedule_is_run_now_by_one_job_at_a_time(asked: httpx.Client, timed: World, project: str) -> None:
    asked.put(ONE, json=body(project, pipeline="training"))

    first, second = asked.post(f"{ONE}/run"), asked.post(f"{ONE}/run")

    assert (first.status_code, first.headers["Location"]) == (202, f"/api/v1/jobs/{first.json()['id']}")
    assert first.json()["id"] == second.json()["id"]
    assert first.json()["args"] == {"project": project, "pipeline": "training", "params": {}}
    assert asked.get(first.headers["Location"]).json()["state"] == "ready"
    run_next(timed, Outcome("done", {"seconds": 1.5}))
    assert asked.post(f"{ONE}/run").json()["id"] != first.json()["id"]
    assert len(asked.get("/api/v1/jobs", params={"kind": "run"}).json()["jobs"]) == 2


def test_a_schedule_that_is_removed_is_gone_and_its_jobs_stay(asked: httpx.Client, timed: World, project: str) -> None:
    asked.put(ONE, json=body(project))
    asked.post(f"{ONE}/run")

    assert asked.delete(ONE).status_code == 204

    assert asked.get("/api/v1/schedules").json() == {"schedules": []}
    assert len(timed.jobs.list(JobQuery("run"))) == 1
    for answer in (asked.delete(ONE), asked.post(f"{ONE}/run")):
        assert answer.status_code == 404
        assert "There is no schedule 'btc-hourly'" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("changes", "status", "told"),
    [
        ({"cron": "every hour"}, 400, "'every hour' is no schedule"),
        ({"cron": "0 0 " + "1," * 100 + "1 * *"}, 422, "ScheduledRun.cron: expected at most 60 characters"),
        ({"zone": "Paris"}, 400, "'Paris' is no time zone"),
        ({"attempts": 0}, 422, "ScheduledRun.attempts: expected 1 to 100"),
        ({"backoff_s": -1}, 422, "ScheduledRun.backoff_s: expected 0 to 600"),
        ({"timeout_s": 0}, 422, "ScheduledRun.timeout_s: expected 1 to 604800"),
        ({"timeout_s": 0.5}, 422, "ScheduledRun.timeout_s: expected 1 to 604800"),
        ({"project": "relative/path"}, 422, "the absolute path of a folder"),
        ({"project": "/nowhere/at/all"}, 404, "There is no project '/nowhere/at/all'"),
        ({"params": {"a": "1,2"}}, 400, "without a comma"),
        ({"pipeline": "--help"}, 400, "expected a name"),
        ({"every": "hour"}, 422, "ScheduledRun.every"),
        ({"attempts": "5"}, 422, "ScheduledRun.attempts: expected int"),
    ],
)
def test_what_cannot_be_run_is_refused_and_not_kept(
    asked: httpx.Client, project: str, changes: dict[str, Any], status: int, told: str
) -> None:
    answer = asked.put(ONE, json={**body(project), **changes})
    assert (answer.status_code, told in answer.json()["detail"]) == (status, True), answer.json()
    assert asked.get("/api/v1/schedules").json() == {"schedules": []}


def test_a_name_that_is_none_is_refused(asked: httpx.Client, project: str) -> None:
    assert asked.put("/api/v1/schedules/Bad Name", json=body(project)).status_code == 400


def test_schedules_need_the_token(timed: World) -> None:
    stranger = client(create_app(replace(timed.plane())))
    for method, path in (("GET", "/api/v1/schedules"), ("PUT", ONE), ("DELETE", ONE), ("POST", f"{ONE}/run")):
        assert stranger.request(method, path).status_code == 401


def test_the_document_of_the_api_says_what_a_schedule_takes(asked: httpx.Client) -> None:
    operation = asked.get("/api/openapi.json").json()["paths"]["/api/v1/schedules/{name}"]["put"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    assert schema["required"] == ["project", "cron"]
    assert schema["properties"]["attempts"]["default"] == 5


def test_the_schedules_and_jobs_of_the_platform_itself_are_neither_listed_nor_removed(
    asked: httpx.Client, timed: World
) -> None:
    Schedules(timed.schedules).add(Schedule("_collect", "collect", "* * * * *", "UTC"))
    timed.jobs.enqueue("collect", {})

    assert asked.get("/api/v1/schedules").json() == {"schedules": []}
    assert asked.get("/api/v1/jobs").json() == {"jobs": []}
    assert len(asked.get("/api/v1/jobs?kind=collect").json()["jobs"]) == 1
    assert asked.delete("/api/v1/schedules/_collect").status_code == 400
    assert [schedule.name for schedule in timed.schedules.list()] == ["_collect"]
