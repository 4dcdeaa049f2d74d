"""Projects on a running platform: run by hand, by a schedule, tried again, cancelled; nothing is left behind."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from boucle.adapters.sql import SqlJobStore, SqlScheduleStore, open_database
from boucle.bootstrap.home import Home
from boucle.jobs.job import JobQuery
from journeys.scene import Platform

STANDIN = Path(__file__).parent / "standin"
EVERY_NEW_YEAR = "0 0 1 1 *"
HOUR_US = 3_600_000_000


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder: Path = shutil.copytree(STANDIN, tmp_path / "standin")
    return folder


def api(platform: Platform, method: str, path: str) -> Any:
    headers = {"Authorization": f"Bearer {platform.token}"}
    return httpx.request(method, f"{platform.url}/api/v1{path}", headers=headers, trust_env=False).json()


def until(is_true: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 30
    while not is_true():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def add(platform: Platform, name: str, project: Path, *more: str) -> subprocess.CompletedProcess[str]:
    where = ("--project", str(project), *(() if "--cron" in more else ("--cron", EVERY_NEW_YEAR)))
    return platform.cli("schedule", "add", name, *where, *more)


def test_a_project_runs_in_its_own_environment_and_its_output_and_status_are_passed_on(
    platform: Platform, project: Path
) -> None:
    done = platform.cli("run", str(project), "--pipeline", "writing", "--param", "pair=BTCUSDT")
    assert done.returncode == 0, done.stderr
    assert "written\n" in done.stdout
    url, home, pair, finds_boucle = (project / "seen.txt").read_text().splitlines()
    assert (url, Path(home), pair, finds_boucle) == (platform.url, platform.home, "BTCUSDT", "True")

    failed = platform.cli("run", str(project), "--pipeline", "failing", "--json")
    assert failed.returncode == 1
    told = json.loads(failed.stdout)
    assert (told["status"], "the exchange gave no candles" in told["error"]) == (1, True)
    assert "the exchange gave no candles" in Path(told["log"]).read_text()


def test_a_schedule_is_added_run_listed_and_removed(platform: Platform, project: Path) -> None:
    added = add(platform, "standin-hourly", project, "--param", "pair=ETHUSDT", "--zone", "Europe/Paris")
    assert added.returncode == 0, added.stderr
    assert "boucle schedule run standin-hourly" in added.stdout

    ran = platform.cli("schedule", "run", "standin-hourly", "--json")

    job = json.loads(ran.stdout)
    assert (job["state"], job["attempts"], job["result"]["project"]) == ("done", 1, "standin"), ran.stderr
    assert "written" in Path(job["result"]["log"]).read_text()
    assert (project / "seen.txt").read_text().splitlines()[0] == platform.url
    listed = platform.cli("schedule", "list").stdout
    assert "standin-hourly" in listed
    assert "is done" in listed
    (kept,) = json.loads(platform.cli("schedule", "list", "--json").stdout)["schedules"]
    assert (kept["zone"], kept["last_job"]["id"]) == ("Europe/Paris", job["id"])
    assert platform.cli("schedule", "remove", "standin-hourly").stdout == "standin-hourly is removed.\n"
    again = platform.cli("schedule", "remove", "standin-hourly")
    assert (again.returncode, "There is no schedule 'standin-hourly'" in again.stderr) == (1, True)


def test_what_was_missed_while_the_platform_was_down_is_run_once(platform: Platform, project: Path) -> None:
    add(platform, "missed", project, "--cron", "5 * * * *")
    engine = open_database(Home(platform.home).database_url)
    store, jobs = SqlScheduleStore(engine), SqlJobStore(engine)
    (kept,) = [schedule for schedule in store.list() if schedule.name == "missed"]
    store.save(replace(kept, next_at=kept.next_at - 5 * HOUR_US))  # as if nothing had run for five hours

    until(lambda: any(job.state == "done" for job in jobs.list(JobQuery("run", dedupe="schedule:missed"))), "its run")

    assert len(jobs.list(JobQuery(dedupe="schedule:missed"))) == 1
    (after,) = [schedule for schedule in store.list() if schedule.name == "missed"]
    assert after.next_at == kept.next_at
    platform.cli("schedule", "remove", "missed")


def test_a_run_that_fails_is_tried_again_and_done_when_it_goes_well(platform: Platform, project: Path) -> None:
    more = ("--pipeline", "failing", "--param", "until=3", "--backoff-s", "0.05")
    add(platform, "flaky", project, *more)

    ran = platform.cli("schedule", "run", "flaky", "--json")

    job = json.loads(ran.stdout)
    assert (job["state"], job["attempts"], job["max_attempts"]) == ("done", 3, 5)
    platform.cli("schedule", "remove", "flaky")


def test_a_run_that_keeps_failing_ends_with_the_last_lines_of_its_output(platform: Platform, project: Path) -> None:
    add(platform, "broken", project, "--pipeline", "failing", "--attempts", "2", "--backoff-s", "1")

    ran = platform.cli("schedule", "run", "broken")

    assert ran.returncode == 1
    assert re.search(
        r"Attempt 1 of 2 failed; the next is at \d\d:\d\d:\d\d UTC: RuntimeError: .*, time 1\n", ran.stdout
    )
    assert ran.stderr.endswith("RuntimeError: the exchange gave no candles, time 2\n")
    (kept,) = json.loads(platform.cli("schedule", "list", "--json").stdout)["schedules"]
    assert (kept["last_job"]["state"], kept["last_job"]["attempts"]) == ("failed", 2)
    assert kept["last_job"]["error"].endswith("RuntimeError: the exchange gave no candles, time 2")
    assert "the exchange gave no candles, time 2" in " ".join(platform.cli("schedule", "list").stdout.split())
    platform.cli("schedule", "remove", "broken")


def waiting(platform: Platform, project: Path) -> tuple[str, list[int]]:
    """Return the job and the processes of a run that would wait for ever."""
    add(platform, "waiting", project, "--pipeline", "waiting", "--backoff-s", "0.05")
    (project / "pids.txt").unlink(missing_ok=True)
    job = api(platform, "POST", "/schedules/waiting/run")
    path = project / "pids.txt"
    until(lambda: path.exists() and len(path.read_text().split()) == 2, "the run has started")
    return job["id"], [int(pid) for pid in path.read_text().split()]


def test_a_cancelled_run_leaves_no_process_behind(platform: Platform, project: Path) -> None:
    job, pids = waiting(platform, project)
    assert [is_alive(pid) for pid in pids] == [True, True]

    api(platform, "POST", f"/jobs/{job}/cancel")

    until(lambda: api(platform, "GET", f"/jobs/{job}")["state"] == "cancelled", "it is cancelled")
    until(lambda: not any(is_alive(pid) for pid in pids), "its processes are gone")
    platform.cli("schedule", "remove", "waiting")


def test_a_worker_that_is_killed_takes_its_run_along_and_the_next_one_runs_it_again(
    platform: Platform, project: Path
) -> None:
    job, pids = waiting(platform, project)
    (project / "pids.txt").unlink()

    os.kill(platform.pid("worker"), signal.SIGKILL)

    until(lambda: not any(is_alive(pid) for pid in pids), "its processes are gone")
    until((project / "pids.txt").exists, "another worker runs it")
    assert api(platform, "GET", f"/jobs/{job}")["attempts"] == 2
    api(platform, "POST", f"/jobs/{job}/cancel")
    until(lambda: api(platform, "GET", f"/jobs/{job}")["state"] == "cancelled", "it is cancelled")
    platform.cli("schedule", "remove", "waiting")
