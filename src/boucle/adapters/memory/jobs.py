"""Jobs and schedules in memory, by a clock that is given. They are not shared with forked processes."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from boucle.core.errors import Conflict, NotFound
from boucle.core.i18n import _
from boucle.jobs.job import (
    Claim,
    ClaimRequest,
    Held,
    Job,
    JobOptions,
    JobQuery,
    LeaseLost,
    Outcome,
    Schedule,
    microseconds,
    new_job,
    schedule_key,
)


def _wall_clock() -> int:
    return time.time_ns() // 1000


@dataclass(frozen=True)
class _Row:
    job: Job
    timeout_s: float | None = None
    lease_us: int = 0
    lease_until: int = 0

    def is_at_work(self, now: int) -> bool:
        return self.job.state == "running" and now < self.lease_until <= now + 2 * self.lease_us


class MemoryJobStore:
    """``clock`` returns UTC microseconds."""

    def __init__(self, clock: Callable[[], int] = _wall_clock) -> None:
        self.clock = clock
        self.rows: dict[str, _Row] = {}
        self.lock = threading.RLock()

    def enqueue(
        self, kind: str, args: Mapping[str, Any], dedupe: str | None = None, options: JobOptions | None = None
    ) -> Job:
        """Add a job, or return the live one of the same ``dedupe`` key."""
        wanted = options or JobOptions()
        with self.lock:
            job = new_job(kind, json.loads(json.dumps(args)), wanted, self.clock())
            return self.live(dedupe) or self.insert(job, dedupe, wanted)

    def live(self, dedupe: str | None) -> Job | None:
        """Return the live job of a key."""
        jobs = (row.job for row in self.rows.values())
        return next((job for job in jobs if dedupe is not None and job.dedupe == dedupe and job.is_live), None)

    def insert(self, job: Job, dedupe: str | None, options: JobOptions) -> Job:
        """Add a job whose key is free."""
        job = replace(job, dedupe=dedupe)
        self.rows[job.id] = _Row(job, options.timeout_s)
        return job

    def claim(self, request: ClaimRequest) -> Claim | None:
        """Take the next job, or return None."""
        with self.lock:
            now = self.clock()
            wanted = [row for row in self._claimable(request, now) if row.job.kind in request.kinds]
            if not wanted:
                return None
            return self._taken(
                min(wanted, key=lambda row: (row.job.priority, row.job.run_at, row.job.id)), request, now
            )

    def beat(self, held: Held, lease_s: float) -> bool:
        """Renew the lease and return whether a cancellation was asked for. Raises LeaseLost."""
        with self.lock:
            lease_us = microseconds(lease_s)
            row = replace(self._held(held), lease_us=lease_us, lease_until=self.clock() + lease_us)
            self.rows[held.job_id] = row
            return row.job.is_cancelled

    def remember(self, held: Held, step: str, value: Any) -> None:
        """Keep the result of a step. Raises LeaseLost."""
        with self.lock:
            row = self._held(held)
            steps = {**row.job.steps, step: json.loads(json.dumps(value))}
            self.rows[held.job_id] = replace(row, job=replace(row.job, steps=steps))

    def finish(self, held: Held, outcome: Outcome) -> None:
        """End the attempt. Raises LeaseLost."""
        with self.lock:
            row, now = self._held(held), self.clock()
            job = replace(row.job, state=outcome.state, error=outcome.error)
            if outcome.state == "ready":
                attempts = job.attempts - (1 if outcome.refund else 0)
                run_at = now + microseconds(outcome.delay_s)
                job = replace(job, attempts=attempts, run_at=run_at, owner=None)
            else:
                job = replace(job, result=outcome.result, ended_at=now)
            self.rows[held.job_id] = replace(row, job=job)

    def cancel(self, job_id: str) -> Job:
        """Ask for a cancellation. Raises NotFound, or Conflict when the job has ended."""
        with self.lock:
            job = self.get(job_id)
            if not job.is_live:
                raise Conflict(
                    _("Job {id} has ended ({state}): it cannot be cancelled.").format(id=job_id, state=job.state)
                )
            self.rows[job_id] = replace(self.rows[job_id], job=replace(job, is_cancelled=True))
            return self.rows[job_id].job

    def get(self, job_id: str) -> Job:
        """Return a job. Raises NotFound."""
        if job_id not in self.rows:
            raise NotFound("job", job_id, cure=_("It may have been cleared away."))
        return self.rows[job_id].job

    def list(self, query: JobQuery) -> tuple[Job, ...]:
        """Return jobs, newest first."""
        jobs = [row.job for row in self.rows.values() if query.kind in {None, row.job.kind}]
        wanted = [job for job in jobs if query.states is None or job.state in query.states]
        wanted = [job for job in wanted if query.dedupe in {None, job.dedupe} and job.kind not in query.without]
        wanted.sort(key=lambda job: (job.created_at, job.id), reverse=True)
        return tuple(wanted[: query.limit])

    def forget(self, ids: Iterable[str]) -> None:
        """Remove jobs that have ended; the others stay."""
        with self.lock:
            for job_id in ids:
                if job_id in self.rows and not self.rows[job_id].job.is_live:
                    del self.rows[job_id]

    def _claimable(self, request: ClaimRequest, now: int) -> tuple[_Row, ...]:
        rows = self.rows.values()
        busy = Counter(row.job.queue for row in rows if row.is_at_work(now))
        full = {queue for queue, limit in request.limits.items() if busy[queue] >= limit}
        return tuple(row for row in rows if _is_claimable(row, now, full))

    def _taken(self, row: _Row, request: ClaimRequest, now: int) -> Claim:
        job, lease_us = row.job, microseconds(request.lease_s)
        deadline = job.deadline
        if deadline is None and row.timeout_s is not None:
            deadline = now + microseconds(row.timeout_s)
        taken = replace(
            job,
            state="running",
            owner=request.owner,
            fence=job.fence + 1,
            attempts=job.attempts + 1,
            deadline=deadline,
            started_at=job.started_at or now,
        )
        self.rows[job.id] = replace(row, job=taken, lease_us=lease_us, lease_until=now + lease_us)
        return Claim(taken, None if deadline is None else (deadline - now) / 1_000_000)

    def _held(self, held: Held) -> _Row:
        row = self.rows.get(held.job_id)
        if row is None or row.job.fence != held.fence or row.job.state != "running":
            raise LeaseLost(held.job_id, held.fence)
        return row


class MemoryScheduleStore:
    """Schedules that make their jobs in a MemoryJobStore, by its clock."""

    def __init__(self, jobs: MemoryJobStore) -> None:
        self._jobs = jobs
        self._schedules: dict[str, Schedule] = {}

    def clock(self) -> int:
        """Return the clock of the jobs."""
        return self._jobs.clock()

    def save(self, schedule: Schedule) -> None:
        """Insert or replace a schedule."""
        with self._jobs.lock:
            self._schedules[schedule.name] = schedule

    def remove(self, name: str) -> None:
        """Forget a schedule; its jobs stay."""
        with self._jobs.lock:
            self._schedules.pop(name, None)

    def list(self) -> tuple[Schedule, ...]:
        """Return the schedules by name."""
        return tuple(schedule for _name, schedule in sorted(self._schedules.items()))

    def fire(self, schedule: Schedule, next_at: int, at: int) -> Job | None:
        """Move the schedule on and make its job; None when that was done already or its last job still lives."""
        key = schedule_key(schedule.name)
        with self._jobs.lock:
            known = self._schedules.get(schedule.name)
            if known is None or known.next_at != schedule.next_at:
                return None
            self._schedules[schedule.name] = replace(known, next_at=next_at, last_at=at)
            if self._jobs.live(key) is not None:
                return None
            made = new_job(schedule.kind, schedule.args, schedule.options, at, due=schedule.next_at)
            return self._jobs.insert(made, key, schedule.options)


def _is_claimable(row: _Row, now: int, full: set[str]) -> bool:
    job = row.job
    if job.state == "ready" and job.is_cancelled:
        return True
    is_due = job.state == "ready" and job.run_at <= now
    is_over = job.state == "running" and not row.is_at_work(now)
    return (is_due or is_over) and job.queue not in full
