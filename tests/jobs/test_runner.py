"""The runner as real processes over one SQLite file: what is killed, frozen, late or poisonous harms no other job."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from boucle.adapters.sql import SqlJobStore, SqlScheduleStore, migrate, open_database
from boucle.jobs.job import Job, JobOptions, JobQuery, Schedule
from boucle.jobs.schedules import Schedules

PATIENCE_S = 20.0
SHORT = {"lease_s": 0.5, "poll_s": 0.02}
LONG = {"lease_s": 60.0, "poll_s": 0.02}


def until(is_true: Callable[[], bool], what: str) -> None:
    """Wait for something that happens in another process."""
    end = time.monotonic() + PATIENCE_S
    while not is_true():
        assert time.monotonic() < end, f"{what} did not happen in {PATIENCE_S} s"
        time.sleep(0.01)


class World:
    """A database, a folder, and the runners that a test started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"sqlite:///{folder}/db.sqlite"
        self.engine = open_database(self.url)
        migrate(self.engine)
        self.jobs = SqlJobStore(self.engine)
        self.runners: list[subprocess.Popen[bytes]] = []

    def runner(self, owner: str, options: Mapping[str, Any]) -> subprocess.Popen[bytes]:
        script = Path(__file__).with_name("worker.py")
        command = [sys.executable, str(script), self.url, str(self.folder), owner, json.dumps(options)]
        with (self.folder / f"{owner}.err").open("wb") as errors:
            runner = subprocess.Popen(command, start_new_session=True, stderr=errors)
        self.runners.append(runner)
        return runner

    def seen(self, start: str = "") -> list[str]:
        path = self.folder / "seen"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line for line in lines if line.startswith(start)]

    def until_seen(self, start: str) -> str:
        until(lambda: bool(self.seen(start)), f"'{start}'")
        return self.seen(start)[0]

    def ended(self, job: Job) -> Job:
        until(lambda: not self.jobs.get(job.id).is_live, f"the end of {job.kind}")
        return self.jobs.get(job.id)

    def close(self) -> None:
        for runner in self.runners:
            if runner.poll() is None:
                runner.send_signal(signal.SIGCONT)
                runner.kill()
            runner.wait()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


def is_alive(pid: int) -> bool:
    """True while a process is there and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_job_runs_in_a_child_and_its_result_and_output_are_kept(world: World) -> None:
    job = world.jobs.enqueue("note", {"word": "hello"})
    world.runner("r1", LONG)

    done = world.ended(job)

    assert (done.state, done.result, done.owner) == ("done", {"word": "hello", "attempt": 1}, "r1")
    assert (world.folder / "logs" / f"{job.id}.log").read_text() == "noted hello\n"


def test_a_standing_job_runs_though_all_slots_are_taken(world: World) -> None:
    busy = world.jobs.enqueue("wait", {})
    standing = world.jobs.enqueue("note", {"word": "hello"})
    world.runner("r1", {**LONG, "slots": 1, "standing": ["note"]})

    assert world.ended(standing).state == "done"
    assert world.jobs.get(busy.id).is_live


def test_a_killed_child_is_started_again_and_finds_its_steps_remembered(world: World) -> None:
    job = world.jobs.enqueue("steps", {})
    world.runner("r1", LONG)

    done = world.ended(job)

    assert (done.state, done.result, done.attempts) == ("done", [1, 2, 3], 2)
    assert [word for word in world.seen() if word in {"first", "second"}] == ["first", "second", "second"]


@pytest.mark.parametrize(("backoff_s", "waited_s"), [(30.0, 30), (7200.0, 600)], ids=["as told", "ten minutes at most"])
def test_a_job_that_failed_waits_before_it_is_tried_again(world: World, backoff_s: float, waited_s: int) -> None:
    job = world.jobs.enqueue("raises", {}, options=JobOptions(backoff_s=backoff_s))
    world.runner("r1", LONG)
    until(lambda: bool(world.jobs.get(job.id).error), "the first failure")

    waiting = world.jobs.get(job.id)

    assert (waiting.state, waiting.attempts) == ("ready", 1)
    assert waited_s <= (waiting.run_at - (waiting.started_at or 0)) / 1_000_000 < waited_s + PATIENCE_S


def test_a_job_that_kills_its_worker_each_time_fails_after_its_attempts(world: World) -> None:
    job = world.jobs.enqueue("dies", {}, options=JobOptions(max_attempts=2))
    world.runner("r1", LONG)

    failed = world.ended(job)

    assert (failed.state, failed.attempts, failed.error) == ("failed", 2, "its process ended with status 3")
    assert world.seen("failed") == ["failed dies its process ended with status 3"]


def test_a_job_that_raises_is_tried_again_and_its_last_error_kept(world: World) -> None:
    job = world.jobs.enqueue("raises", {}, options=JobOptions(max_attempts=2))
    world.runner("r1", LONG)

    failed = world.ended(job)

    assert (failed.state, failed.error) == ("failed", "ValueError: attempt 2 of a poor idea")
    assert "Traceback" in (world.folder / "logs" / f"{job.id}.log").read_text()


def test_a_result_that_is_no_json_is_an_error_that_says_so(world: World) -> None:
    job = world.jobs.enqueue("odd", {}, options=JobOptions(max_attempts=1))
    world.runner("r1", LONG)
    assert world.ended(job).error == "TypeError: Object of type set is not JSON serializable"


def test_jobs_one_after_the_other_reach_the_artifacts(world: World) -> None:
    jobs = [world.jobs.enqueue("stores", {"text": text}) for text in ("abc", "abc")]
    world.runner("r1", {**LONG, "slots": 1})
    sha256_of_abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, B.1
    assert [world.ended(job).result for job in jobs] == [sha256_of_abc] * 2


def test_when_a_runner_is_killed_its_child_dies_and_another_takes_the_job_over(world: World) -> None:
    job = world.jobs.enqueue("wait", {})
    first = world.runner("r1", SHORT)
    pid = int(world.until_seen("started r1").split()[2])

    first.kill()
    first.wait()
    until(lambda: not is_alive(pid), "the death of the child")
    (world.folder / "go").touch()
    world.runner("r2", SHORT)

    done = world.ended(job)
    assert (done.state, done.result, done.fence, done.attempts) == ("done", "r2", 2, 2)
    assert world.seen("worked") == ["worked r2"]


def test_the_late_result_of_a_frozen_runner_is_refused(world: World) -> None:
    job = world.jobs.enqueue("wait", {})
    frozen = world.runner("r1", SHORT)
    world.until_seen("started r1")

    frozen.send_signal(signal.SIGSTOP)
    world.runner("r2", SHORT)
    world.until_seen("started r2")
    (world.folder / "go").touch()
    done = world.ended(job)
    world.until_seen("worked r1")  # the child of the frozen runner finished too
    frozen.send_signal(signal.SIGCONT)
    after = world.jobs.enqueue("note", {"word": "both runners go on"})
    world.ended(after)

    frozen.send_signal(signal.SIGTERM)
    assert frozen.wait(PATIENCE_S) == 0
    assert (done.result, done.fence) == ("r2", 2)
    assert world.jobs.get(job.id) == done
    assert world.seen("failed") == []
    assert f"Job {job.id} is not held under fence 1 any more" in (world.folder / "r1.err").read_text()


def test_a_frozen_runner_that_wakes_kills_the_child_of_the_job_it_lost(world: World) -> None:
    world.jobs.enqueue("wait", {})
    frozen = world.runner("r1", SHORT)
    pid = int(world.until_seen("started r1").split()[2])
    frozen.send_signal(signal.SIGSTOP)
    world.runner("r2", SHORT)
    world.until_seen("started r2")

    frozen.send_signal(signal.SIGCONT)

    until(lambda: not is_alive(pid), "the death of the child")
    (world.folder / "go").touch()
    until(lambda: world.seen("worked") == ["worked r2"], "the work of r2")


def test_a_stopped_runner_puts_its_job_back_without_counting_the_attempt(world: World) -> None:
    job = world.jobs.enqueue("wait", {})
    first = world.runner("r1", LONG)
    pid = int(world.until_seen("started r1").split()[2])

    first.send_signal(signal.SIGTERM)

    assert first.wait(PATIENCE_S) == 0
    assert not is_alive(pid)
    back = world.jobs.get(job.id)
    assert (back.state, back.attempts, back.owner) == ("ready", 0, None)


def test_cancelling_a_running_job_kills_its_child(world: World) -> None:
    job = world.jobs.enqueue("wait", {})
    world.runner("r1", SHORT)
    pid = int(world.until_seen("started r1").split()[2])

    world.jobs.cancel(job.id)

    cancelled = world.ended(job)
    assert (cancelled.state, cancelled.error, is_alive(pid)) == ("cancelled", "cancelled while it ran", False)
    assert world.seen("failed") == ["failed wait cancelled while it ran"]


def test_a_job_cancelled_before_it_ran_never_runs(world: World) -> None:
    job = world.jobs.enqueue("note", {"word": "never"}, options=JobOptions(delay_s=600))
    world.jobs.cancel(job.id)
    world.runner("r1", LONG)

    assert world.ended(job).state == "cancelled"
    assert world.seen("never") == []
    assert world.seen("failed") == ["failed note cancelled before it ran"]


def test_a_job_is_killed_at_its_deadline(world: World) -> None:
    job = world.jobs.enqueue("wait", {}, options=JobOptions(timeout_s=0.3))
    world.runner("r1", LONG)

    late = world.ended(job)

    assert (late.state, late.error, late.attempts) == ("failed", "it was killed at its deadline", 1)
    assert 300_000 <= (late.ended_at or 0) - (late.started_at or 0) < 5_000_000


def test_what_a_job_leaves_behind_is_killed_and_does_not_hold_it_up(world: World) -> None:
    job = world.jobs.enqueue("leaves", {})
    world.runner("r1", LONG)

    assert world.ended(job).state == "done"
    for pid in world.until_seen("left").split()[1:]:
        until(lambda left=int(pid): not is_alive(left), "the death of what was left")  # type: ignore[misc]  # bound now


def test_slots_bound_what_runs_at_once(world: World) -> None:
    for _ in range(3):
        world.jobs.enqueue("wait", {})
    world.runner("r1", {**LONG, "slots": 2})
    until(lambda: len(world.seen("started")) == 2, "the start of two jobs")
    waiting = world.jobs.enqueue("note", {"word": "next"}, options=JobOptions(priority=1))
    assert [job.state for job in world.jobs.list(JobQuery(states=("running",)))] == ["running"] * 2

    (world.folder / "go").touch()

    world.ended(waiting)
    assert world.seen().index("next") < len(world.seen())


def test_two_runners_do_two_hundred_jobs_none_twice(world: World) -> None:
    words = [f"word-{n}" for n in range(200)]
    jobs = [world.jobs.enqueue("note", {"word": word}) for word in words]
    world.runner("r1", {**LONG, "slots": 3})
    world.runner("r2", {**LONG, "slots": 3})

    until(lambda: not world.jobs.list(JobQuery(states=("ready", "running"))), "the end of all jobs")

    done = [world.jobs.get(job.id) for job in jobs]
    assert sorted(world.seen("word")) == sorted(words)
    assert {(job.state, job.attempts) for job in done} == {("done", 1)}
    assert {job.owner for job in done} == {"r1", "r2"}


def test_a_missed_schedule_is_caught_up_once_by_two_runners(world: World) -> None:
    store = SqlScheduleStore(world.engine)
    hourly = Schedules(store).add(Schedule("hourly", "note", "0 * * * *", "UTC", {"word": "tick"}))
    missed = hourly.next_at - 5 * 3_600_000_000
    store.save(Schedule(**{**vars(hourly), "next_at": missed}))

    world.runner("r1", LONG)
    world.runner("r2", LONG)
    world.until_seen("tick")
    until(lambda: len(world.seen("ready")) == 2, "the start of both")
    last = world.jobs.enqueue("note", {"word": "last"})
    world.ended(last)

    assert world.seen("tick") == ["tick"]
    assert store.list()[0].next_at == hourly.next_at
    assert world.jobs.list(JobQuery(kind="note"))[-1].run_at == missed


def test_a_locked_database_is_waited_for(world: World) -> None:
    world.runner("r1", LONG)
    world.until_seen("ready")
    with world.engine.begin():
        time.sleep(0.3)
    assert world.ended(world.jobs.enqueue("note", {"word": "after"})).state == "done"


@pytest.mark.slow
def test_jobs_survive_runners_killed_at_random(world: World) -> None:
    """However often runners die, each job ends, and its result is that of its last attempt."""
    jobs = [world.jobs.enqueue("note", {"word": f"word-{n}"}, options=JobOptions(max_attempts=50)) for n in range(60)]
    for n in range(12):
        runner = world.runner(f"r{n}", {**SHORT, "slots": 2})
        time.sleep(0.6)
        os.kill(runner.pid, signal.SIGKILL)
        runner.wait()
    world.runner("last", {**SHORT, "slots": 4})

    ended = [world.ended(job) for job in jobs]

    assert {job.state for job in ended} == {"done"}
    assert all(job.result["attempt"] == job.attempts for job in ended)
    assert len(world.seen("word")) >= len(jobs)
