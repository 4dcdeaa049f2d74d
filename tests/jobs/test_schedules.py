from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from boucle.adapters.memory.jobs import MemoryJobStore, MemoryScheduleStore
from boucle.adapters.sql import SqlJobStore, SqlScheduleStore, migrate, open_database
from boucle.core.errors import InvalidRequest
from boucle.jobs.job import ClaimRequest, JobOptions, JobQuery, Outcome, Schedule
from boucle.jobs.ports import JobStore, ScheduleStore
from boucle.jobs.schedules import Schedules, next_time

HOUR = 3_600_000_000
HOURLY = Schedule("drift", "watch", "0 * * * *", "UTC", {"name": "churn"}, JobOptions(priority=7, timeout_s=60))


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = at("2020-03-01T00:30:00")

    def __call__(self) -> int:
        return self.now


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


class SqlAtClock(SqlScheduleStore):
    """The stored schedules at the time of the test's clock, which is earlier than the database's own."""

    def __init__(self, path: Path, clock: Clock) -> None:
        engine = open_database(f"sqlite:///{path}/db.sqlite")
        migrate(engine)
        super().__init__(engine)
        self.clock = clock  # type: ignore[method-assign]  # the only thing that a test cannot wait for
        self.jobs = SqlJobStore(engine)


@pytest.fixture
def clock() -> Clock:
    return Clock()


World = tuple[Schedules, ScheduleStore, JobStore]


@pytest.fixture(params=["memory", "sqlite"])
def world(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> World:
    if request.param == "memory":
        jobs = MemoryJobStore(clock)
        store = MemoryScheduleStore(jobs)
        return Schedules(store), store, jobs
    sql = SqlAtClock(tmp_path, clock)
    return Schedules(sql), sql, sql.jobs


def finish_all(jobs: JobStore) -> int:
    request, count = ClaimRequest("r", 60, ("watch",)), 0
    while (claim := jobs.claim(request)) is not None:
        jobs.finish(claim.held, Outcome("done"))
        count += 1
    return count


def test_a_schedule_fires_when_it_is_due_and_not_before(world: World, clock: Clock) -> None:
    schedules, store, jobs = world
    added = schedules.add(HOURLY)
    assert added.next_at == at("2020-03-01T01:00:00")
    assert schedules.tick() == 0

    clock.now = at("2020-03-01T01:00:00")

    assert (schedules.tick(), schedules.tick()) == (1, 0)
    (job,) = jobs.list(JobQuery())
    assert (job.kind, job.args, job.priority, job.run_at) == ("watch", {"name": "churn"}, 7, added.next_at)
    (stored,) = store.list()
    assert (stored.next_at, stored.last_at) == (at("2020-03-01T02:00:00"), clock.now)
    assert stored.options == HOURLY.options


def test_what_was_missed_while_nothing_ran_is_caught_up_once(world: World, clock: Clock) -> None:
    schedules, store, jobs = world
    schedules.add(HOURLY)

    clock.now += 5 * HOUR

    assert (schedules.tick(), schedules.tick()) == (1, 0)
    assert len(jobs.list(JobQuery())) == 1
    assert store.list()[0].next_at == at("2020-03-01T06:00:00")


def test_a_schedule_does_not_fire_while_its_last_job_lives(world: World, clock: Clock) -> None:
    schedules, _store, jobs = world
    schedules.add(HOURLY)
    fired = []
    for _ in range(3):
        clock.now += HOUR
        fired.append(schedules.tick())
    assert fired == [1, 0, 0]

    finished = finish_all(jobs)
    clock.now += HOUR

    assert (finished, schedules.tick()) == (1, 1)


def test_a_clock_that_is_set_back_fires_nothing_twice(world: World, clock: Clock) -> None:
    schedules, _store, jobs = world
    schedules.add(HOURLY)
    clock.now = at("2020-03-01T01:00:00")
    assert schedules.tick() == 1
    finish_all(jobs)

    clock.now = at("2020-03-01T00:59:00")
    assert schedules.tick() == 0
    clock.now = at("2020-03-01T01:00:30")
    assert schedules.tick() == 0


def test_two_runners_fire_one_due_time_once(world: World, clock: Clock) -> None:
    schedules, store, _jobs = world
    schedules.add(HOURLY)
    clock.now += HOUR
    (seen_by_both,) = store.list()
    following = next_time("0 * * * *", "UTC", clock.now)

    assert store.fire(seen_by_both, following, clock.now) is not None
    assert store.fire(seen_by_both, following, clock.now) is None


def test_adding_a_schedule_again_keeps_what_it_missed_and_a_new_time_starts_afresh(world: World, clock: Clock) -> None:
    schedules, store, _jobs = world
    schedules.add(HOURLY)
    clock.now += 3 * HOUR

    assert schedules.add(HOURLY).next_at == at("2020-03-01T01:00:00")
    assert schedules.tick() == 1
    daily = Schedule("drift", "watch", "0 6 * * *", "UTC")
    assert schedules.add(daily).next_at == at("2020-03-01T06:00:00")
    assert len(store.list()) == 1

    schedules.remove("drift")
    clock.now += 24 * HOUR
    assert (store.list(), schedules.tick()) == ((), 0)


@pytest.mark.parametrize(
    ("cron", "after", "expected"),
    [
        ("30 2 * * *", "2026-03-28T12:00:00", "2026-03-29T01:00:00"),  # 02:30 is left out: 03:00 local
        ("30 6 * * *", "2026-03-28T12:00:00", "2026-03-29T04:30:00"),  # summer time from that day
        ("30 6 * * *", "2026-10-24T12:00:00", "2026-10-25T05:30:00"),  # winter time from that day
        ("30 2 * * *", "2026-10-24T12:00:00", "2026-10-25T00:30:00"),  # 02:30 comes twice: the first
        ("30 2 * * *", "2026-10-25T00:30:00", "2026-10-26T01:30:00"),  # ... and not the second
    ],
)
def test_cron_follows_the_changes_of_clocks_of_its_zone(cron: str, after: str, expected: str) -> None:
    assert next_time(cron, "Europe/Paris", at(after)) == at(expected)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: next_time("every day", "UTC", 0), "'every day' is no schedule"),
        (lambda: next_time("0 0 30 2 *", "UTC", 0), "no schedule"),
        (lambda: next_time("* * * * *", "Paris", 0), "'Paris' is no time zone"),
        (lambda: next_time("* * * * *", "../etc/passwd", 0), "is no time zone"),
        (lambda: next_time("* * * * *", "", 0), "is no time zone"),
    ],
)
def test_what_cannot_be_read_is_refused_with_an_example(ask: Callable[[], int], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        ask()
