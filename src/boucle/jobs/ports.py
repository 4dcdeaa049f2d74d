"""What jobs need from a database. Every method is one transaction; all raise Unavailable when it does not answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from boucle.jobs.job import Claim, ClaimRequest, Held, Job, JobOptions, JobQuery, Outcome, Schedule


class JobStore(Protocol):
    """The jobs. Leases are counted by the clock of the database."""

    def enqueue(
        self, kind: str, args: Mapping[str, Any], dedupe: str | None = None, options: JobOptions | None = None
    ) -> Job:
        """Add a job, or return the live one (waiting or running) of the same ``dedupe`` key."""

    def claim(self, request: ClaimRequest) -> Claim | None:
        """Take the next job that is due, or whose lease ran out, or whose cancellation is to be seen to."""

    def beat(self, held: Held, lease_s: float) -> bool:
        """Renew the lease and return whether a cancellation was asked for. Raises LeaseLost."""

    def remember(self, held: Held, step: str, value: Any) -> None:
        """Keep the result of a step. Raises LeaseLost."""

    def finish(self, held: Held, outcome: Outcome) -> None:
        """End the attempt. Raises LeaseLost."""

    def cancel(self, job_id: str) -> Job:
        """Ask for a cancellation. Raises NotFound, or Conflict when the job has ended."""

    def get(self, job_id: str) -> Job:
        """Return a job. Raises NotFound."""

    def list(self, query: JobQuery) -> tuple[Job, ...]:
        """Return jobs, newest first."""

    def forget(self, ids: Iterable[str]) -> None:
        """Remove jobs that have ended; the others stay."""


class ScheduleStore(Protocol):
    """The schedules, beside the jobs they make."""

    def clock(self) -> int:
        """Return the clock of the database in UTC microseconds."""

    def save(self, schedule: Schedule) -> None:
        """Insert or replace a schedule."""

    def remove(self, name: str) -> None:
        """Forget a schedule; its jobs stay."""

    def list(self) -> tuple[Schedule, ...]:
        """Return the schedules by name."""

    def fire(self, schedule: Schedule, next_at: int, at: int) -> Job | None:
        """Move the schedule on to ``next_at`` and make its job, in one transaction.

        None, and nothing made, when another runner has fired it, or while its last job still lives.
        """
