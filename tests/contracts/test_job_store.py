"""What every JobStore does. A lease of no length is over at once: nothing here waits."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from boucle.adapters.memory.jobs import MemoryJobStore
from boucle.adapters.sql import SqlJobStore
from boucle.core.errors import Conflict, NotFound
from boucle.jobs.job import Claim, ClaimRequest, Held, JobOptions, JobQuery, LeaseLost, Outcome
from boucle.jobs.ports import JobStore

OVER, LONG = 0.0, 3600.0


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, database: Callable[[str], sa.Engine]) -> JobStore:
    return MemoryJobStore() if request.param == "memory" else SqlJobStore(database(request.param))


def asking(lease_s: float = LONG, owner: str = "r1", **limits: int) -> ClaimRequest:
    return ClaimRequest(owner, lease_s, ("build", "watch"), limits)


def taken(store: JobStore, request: ClaimRequest | None = None) -> Claim:
    claim = store.claim(request or asking())
    assert claim is not None
    return claim


def test_a_job_is_claimed_with_its_arguments_and_finished_with_its_result(store: JobStore) -> None:
    job = store.enqueue("build", {"name": "churn", "number": 3})
    assert (job.state, job.attempts, job.fence, job.args) == ("ready", 0, 0, {"name": "churn", "number": 3})

    claim = taken(store)
    assert (claim.job.id, claim.job.state, claim.job.owner, claim.job.attempts) == (job.id, "running", "r1", 1)
    store.finish(claim.held, Outcome("done", {"rows": [1, None]}))

    done = store.get(job.id)
    assert (done.state, done.result, done.is_live) == ("done", {"rows": [1, None]}, False)
    assert done.created_at <= (done.started_at or 0) <= (done.ended_at or 0)


def test_a_job_is_claimed_once(store: JobStore) -> None:
    store.enqueue("build", {})
    assert store.claim(asking()) is not None
    assert store.claim(asking(owner="r2")) is None


def test_a_runner_is_given_only_the_kinds_it_can_do(store: JobStore) -> None:
    store.enqueue("retrain", {})
    assert store.claim(asking()) is None


def test_a_live_job_of_the_same_key_is_returned_instead_and_an_ended_one_is_not(store: JobStore) -> None:
    first = store.enqueue("build", {"n": 1}, dedupe="build:churn:1")
    assert store.enqueue("build", {"n": 2}, dedupe="build:churn:1") == first
    claim = taken(store)
    assert store.enqueue("build", {}, dedupe="build:churn:1").id == first.id

    store.finish(claim.held, Outcome("done"))

    again = store.enqueue("build", {}, dedupe="build:churn:1")
    assert again.id != first.id
    assert store.get(first.id).dedupe == "build:churn:1"


def test_jobs_go_by_priority_then_by_age(store: JobStore) -> None:
    late = store.enqueue("build", {}, options=JobOptions(priority=200))
    first, second = store.enqueue("build", {}), store.enqueue("build", {})
    urgent = store.enqueue("build", {}, options=JobOptions(priority=1))

    assert [taken(store).job.id for _ in range(4)] == [urgent.id, first.id, second.id, late.id]


def test_a_delayed_job_waits(store: JobStore) -> None:
    store.enqueue("build", {}, options=JobOptions(delay_s=60))
    assert store.claim(asking()) is None


def test_of_a_limited_queue_no_more_run_at_once_than_allowed(store: JobStore) -> None:
    heavy = JobOptions(queue="heavy")
    first, second = store.enqueue("build", {}, options=heavy), store.enqueue("build", {}, options=heavy)
    light = store.enqueue("build", {})

    claim = taken(store, asking(heavy=1))
    assert (claim.job.id, taken(store, asking(heavy=1)).job.id) == (first.id, light.id)
    assert store.claim(asking(heavy=1)) is None
    store.finish(claim.held, Outcome("done"))
    assert taken(store, asking(heavy=1)).job.id == second.id


def test_a_job_whose_lease_is_over_is_taken_over_under_a_higher_fence(store: JobStore) -> None:
    job = store.enqueue("build", {})
    old, new = taken(store, asking(OVER)), taken(store, asking(owner="r2"))

    assert (new.job.id, new.job.owner, new.job.attempts) == (job.id, "r2", 2)
    assert new.held.fence == old.held.fence + 1


LATE: dict[str, Callable[[JobStore, Held], object]] = {
    "finish": lambda store, held: store.finish(held, Outcome("done", "late")),
    "remember": lambda store, held: store.remember(held, "load", 1),
    "beat": lambda store, held: store.beat(held, LONG),
}


@pytest.mark.parametrize("late", LATE)
def test_what_comes_under_an_old_fence_is_refused_and_changes_nothing(store: JobStore, late: str) -> None:
    store.enqueue("build", {})
    old, new = taken(store, asking(OVER)), taken(store, asking(owner="r2"))
    before = store.get(new.job.id)

    with pytest.raises(LeaseLost, match=rf"{old.job.id} is not held under fence 1 any more"):
        LATE[late](store, old.held)

    assert store.get(new.job.id) == before


def test_an_ended_job_is_held_by_nobody(store: JobStore) -> None:
    store.enqueue("build", {})
    claim = taken(store)
    store.finish(claim.held, Outcome("done"))
    with pytest.raises(LeaseLost):
        store.finish(claim.held, Outcome("failed"))
    with pytest.raises(LeaseLost):
        store.beat(Held("no-such-job", 1), LONG)


def test_a_renewed_lease_keeps_the_job(store: JobStore) -> None:
    store.enqueue("build", {})
    claim = taken(store, asking(OVER))
    assert store.beat(claim.held, LONG) is False
    assert store.claim(asking(owner="r2")) is None


def test_steps_are_remembered_over_attempts(store: JobStore) -> None:
    job = store.enqueue("build", {})
    claim = taken(store, asking(OVER))
    store.remember(claim.held, "lock", {"pins": ["a==1"]})
    store.remember(claim.held, "load", None)

    assert taken(store).job.steps == {"lock": {"pins": ["a==1"]}, "load": None}
    assert store.get(job.id).attempts == 2


def test_an_attempt_that_is_put_back_runs_again_and_a_refunded_one_is_not_counted(store: JobStore) -> None:
    job = store.enqueue("build", {})
    store.finish(taken(store).held, Outcome("ready", error="disk full"))
    assert (store.get(job.id).error, store.get(job.id).attempts) == ("disk full", 1)
    store.finish(taken(store).held, Outcome("ready", refund=True))
    assert store.get(job.id).attempts == 1
    store.finish(taken(store).held, Outcome("ready", delay_s=60))
    assert store.claim(asking()) is None


def test_the_deadline_counts_from_the_first_start_over_all_attempts(store: JobStore) -> None:
    store.enqueue("build", {}, options=JobOptions(timeout_s=100))
    first, second = taken(store, asking(OVER)), taken(store)

    assert first.remaining_s == pytest.approx(100)
    assert second.job.deadline == first.job.deadline
    assert (second.remaining_s or 101) <= 100
    store.enqueue("build", {})
    assert taken(store).remaining_s is None


def test_a_cancellation_is_told_at_the_next_beat_of_a_running_job(store: JobStore) -> None:
    job = store.enqueue("build", {})
    claim = taken(store)

    assert store.cancel(job.id).is_cancelled

    assert store.beat(claim.held, LONG) is True
    store.finish(claim.held, Outcome("cancelled"))
    assert store.get(job.id).state == "cancelled"


def test_a_cancelled_job_that_waits_is_handed_out_at_once_to_be_ended(store: JobStore) -> None:
    options = JobOptions(delay_s=60, queue="heavy")
    job = store.enqueue("build", {}, options=options)
    store.cancel(job.id)

    claim = taken(store, asking(heavy=0))
    assert (claim.job.id, claim.job.is_cancelled) == (job.id, True)


def test_an_ended_or_unknown_job_cannot_be_cancelled(store: JobStore) -> None:
    job = store.enqueue("build", {})
    store.finish(taken(store).held, Outcome("done"))
    with pytest.raises(Conflict, match=r"has ended \(done\)"):
        store.cancel(job.id)
    with pytest.raises(NotFound, match="no job 'nothing'"):
        store.cancel("nothing")
    with pytest.raises(NotFound, match="no job 'nothing'"):
        store.get("nothing")


def test_jobs_are_listed_newest_first(store: JobStore) -> None:
    first, second = store.enqueue("build", {}), store.enqueue("watch", {})
    third = store.enqueue("build", {})
    store.finish(taken(store).held, Outcome("done"))

    def ids(query: JobQuery) -> list[str]:
        return [job.id for job in store.list(query)]

    assert ids(JobQuery()) == [third.id, second.id, first.id]
    assert ids(JobQuery(kind="build")) == [third.id, first.id]
    assert ids(JobQuery(states=("ready",))) == [third.id, second.id]
    assert ids(JobQuery(limit=1)) == [third.id]


def test_the_jobs_of_one_key_are_listed_live_or_ended(store: JobStore) -> None:
    first = store.enqueue("build", {}, dedupe="schedule:hourly")
    store.enqueue("build", {}, dedupe="schedule:daily")
    store.finish(taken(store).held, Outcome("done"))
    second = store.enqueue("build", {}, dedupe="schedule:hourly")

    listed = store.list(JobQuery(dedupe="schedule:hourly"))

    assert [job.id for job in listed] == [second.id, first.id]
    assert store.list(JobQuery(limit=1, dedupe="schedule:hourly")) == listed[:1]


def test_a_job_keeps_how_long_it_waits_between_attempts(store: JobStore) -> None:
    assert store.enqueue("build", {}).backoff_s == 1.0
    assert store.get(store.enqueue("build", {}, options=JobOptions(backoff_s=15.5)).id).backoff_s == 15.5


def test_ended_jobs_are_forgotten_and_live_ones_are_not(store: JobStore) -> None:
    ended, live = store.enqueue("build", {}), store.enqueue("build", {})
    claim = taken(store)
    store.finish(claim.held, Outcome("done"))

    store.forget([ended.id, live.id, "nobody"])

    assert [job.id for job in store.list(JobQuery())] == [live.id]


def test_jobs_of_some_kinds_are_left_out_of_a_list(store: JobStore) -> None:
    store.enqueue("collect", {})
    build = store.enqueue("build", {})

    assert [job.id for job in store.list(JobQuery(without=("collect", "watch")))] == [build.id]
