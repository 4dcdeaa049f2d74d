"""The worker's standing jobs, in a real worker."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from boucle.adapters.sql import SqlJobStore, SqlScheduleStore
from boucle.bootstrap.collecting import forget_jobs
from boucle.bootstrap.home import Home
from boucle.jobs.job import STANDING, ClaimRequest, JobQuery, Outcome
from loop.collecting import Platform


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return Platform(tmp_path, now=time.time_ns() // 1000)


@pytest.fixture
def start(platform: Platform) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    workers: list[subprocess.Popen[bytes]] = []

    def started() -> subprocess.Popen[bytes]:
        environment = {**os.environ, "BOUCLE_HOME": str(platform.root), "BOUCLE_LEASE_S": "2"}
        workers.append(subprocess.Popen([sys.executable, "-m", "boucle.bootstrap.worker"], env=environment))
        return workers[-1]

    yield started
    for worker in workers:
        worker.terminate()
        worker.wait(20)


def until(is_true: Callable[[], bool]) -> None:
    late = time.monotonic() + 30
    while not is_true():
        assert time.monotonic() < late, "not within 30 s"
        time.sleep(0.1)


def test_a_worker_collects_what_was_answered_and_goes_on_after_kill_9(
    platform: Platform, start: Callable[[], subprocess.Popen[bytes]]
) -> None:
    ids = [platform.answer([{"price": 1.0, "city": "Lyon"}], [0])]
    first = start()
    until(lambda: len(platform.logged()) == 1)
    first.send_signal(signal.SIGKILL)
    first.wait()
    ids.append(platform.answer([{"price": 2.0, "city": "Nice"}], [1]))
    start()

    until(lambda: len(platform.logged()) == 2 and platform.counted("features").n_rows == 2)

    assert sorted(row[0] for row in platform.logged()) == sorted(f"{id_}:0" for id_ in ids)
    assert {schedule.name for schedule in SqlScheduleStore(platform.engine).list()} >= {"_collect", "_tend"}


def test_old_jobs_of_the_platform_are_forgotten_with_their_output(platform: Platform) -> None:
    jobs, home = SqlJobStore(platform.engine), Home(platform.root)
    (home.logs / "jobs").mkdir(parents=True)
    for kind in ("collect", "build"):
        job = jobs.enqueue(kind, {})
        claim = jobs.claim(ClaimRequest("r", 60, (kind,)))
        assert claim is not None
        jobs.finish(claim.held, Outcome("done"))
        (home.logs / "jobs" / f"{job.id}.log").touch()

    forget_jobs(jobs, home, STANDING, before=time.time_ns() // 1000 + 10_000_000)

    assert [job.kind for job in jobs.list(JobQuery())] == ["build"]
    assert len(list((home.logs / "jobs").iterdir())) == 1
