"""The nouns of jobs.

A job is held under a *lease*, which its runner renews; a lease that ran out may be taken by another runner. Each
taking raises the *fence* of the job by one, and what is written under an older fence is refused: however late a
frozen runner wakes, its result cannot overwrite that of its successor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from boucle.core.errors import Conflict
from boucle.core.i18n import _
from boucle.core.ids import uuid7

STANDING = ("collect", "tend", "watch", "report")
"""Kinds of the jobs that the platform's own schedules make: nobody asked for them, so they are not listed."""
JobState = Literal["ready", "running", "done", "failed", "cancelled"]


class LeaseLost(Conflict):
    """Another runner holds the job now, or it has ended: nothing was written."""

    code = "lease-lost"

    def __init__(self, job_id: str, fence: int) -> None:
        self.job_id, self.fence = job_id, fence
        super().__init__(
            _("Job {id} is not held under fence {fence} any more: another runner took it or it ended.").format(
                id=job_id, fence=fence
            )
        )


@dataclass(frozen=True)
class JobOptions:
    """How a job is run.

    Of a queue no more run at once than the runners' limits say; a lower priority goes first; ``timeout_s`` counts
    from the first start and over all attempts; an attempt is a start, however it ended. After a failed one the job
    waits ``backoff_s``, after the next twice that, and so on up to ten minutes.
    """

    queue: str = "default"
    priority: int = 100
    delay_s: float = 0.0
    timeout_s: float | None = None
    max_attempts: int = 3
    backoff_s: float = 1.0


@dataclass(frozen=True)
class Job:
    """A job as its store knows it. Times are UTC microseconds by the clock of the database.

    ``is_cancelled`` says that a cancellation was asked for; the state follows when a runner has seen to it.
    ``steps`` are the results remembered of steps that are done; ``error`` is that of the last attempt.
    """

    id: str
    kind: str
    args: dict[str, Any]
    queue: str
    priority: int
    state: JobState
    created_at: int
    run_at: int
    dedupe: str | None = None
    is_cancelled: bool = False
    attempts: int = 0
    max_attempts: int = 3
    backoff_s: float = 1.0
    fence: int = 0
    owner: str | None = None
    started_at: int | None = None
    ended_at: int | None = None
    deadline: int | None = None
    steps: dict[str, Any] = field(default_factory=dict)
    result: Any = None
    error: str = ""

    @property
    def is_live(self) -> bool:
        """True while it waits or runs."""
        return self.state in {"ready", "running"}


def new_job(kind: str, args: Mapping[str, Any], options: JobOptions, now: int, due: int | None = None) -> Job:
    """Return a job as it is enqueued at ``now``; a schedule says when it was ``due``."""
    return Job(
        id=uuid7(),
        kind=kind,
        args=dict(args),
        queue=options.queue,
        priority=options.priority,
        state="ready",
        created_at=now,
        run_at=now + microseconds(options.delay_s) if due is None else due,
        max_attempts=options.max_attempts,
        backoff_s=options.backoff_s,
    )


def schedule_key(name: str) -> str:
    """Return the dedupe key of the jobs of a schedule: one of them lives at a time."""
    return f"schedule:{name}"


def microseconds(seconds: float) -> int:
    """Return seconds as whole microseconds."""
    return round(seconds * 1_000_000)


@dataclass(frozen=True)
class Held:
    """The proof of holding a job."""

    job_id: str
    fence: int


@dataclass(frozen=True)
class Claim:
    """A job just taken; ``remaining_s`` is the time to its deadline (None: it has none)."""

    job: Job
    remaining_s: float | None = None

    @property
    def held(self) -> Held:
        """The proof of holding it."""
        return Held(self.job.id, self.job.fence)


@dataclass(frozen=True)
class ClaimRequest:
    """Who asks for work: kinds it can do, and how many of each queue may run at once over all runners."""

    owner: str
    lease_s: float
    kinds: tuple[str, ...]
    limits: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended. ``ready`` puts the job back, to run after ``delay_s``; ``refund`` uncounts the attempt."""

    state: JobState
    result: Any = None
    error: str = ""
    delay_s: float = 0.0
    refund: bool = False


@dataclass(frozen=True)
class JobQuery:
    """Which jobs are listed, newest first; None leaves a property free. Those of the kinds ``without`` are left out."""

    kind: str | None = None
    states: tuple[JobState, ...] | None = None
    limit: int = 100
    dedupe: str | None = None
    without: tuple[str, ...] = ()


@dataclass(frozen=True)
class Schedule:
    """A job made again and again: a cron expression of five fields in a named zone (``Europe/Paris``).

    ``next_at`` and ``last_at`` are UTC microseconds, kept by the scheduler.
    """

    name: str
    kind: str
    cron: str
    zone: str
    args: dict[str, Any] = field(default_factory=dict)
    options: JobOptions = field(default_factory=JobOptions)
    next_at: int = 0
    last_at: int | None = None
