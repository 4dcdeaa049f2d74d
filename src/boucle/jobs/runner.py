"""Runner: takes jobs, forks a child for each, keeps their leases, ends them.

It has one thread, so that forking is safe, and no state that matters: kill it at any moment, and another takes its
jobs over when their leases run out.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from boucle.core.errors import Unavailable
from boucle.jobs import child as process
from boucle.jobs.child import Child, Ended
from boucle.jobs.context import JobContext
from boucle.jobs.job import Claim, ClaimRequest, Job, LeaseLost, Outcome
from boucle.jobs.ports import JobStore
from boucle.jobs.schedules import Schedules

LONGEST_BEAT_S = 1.0
LONGEST_DELAY_S = 600.0
TICK_S = 1.0
Handler = Callable[[JobContext], Any]
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunnerOptions:
    """``owner`` names the runner, uniquely; ``slots`` jobs run at a time; ``log_dir`` gets ``<job id>.log`` files.

    Jobs of the kinds ``standing`` need no slot, so that long jobs never keep them waiting: limit their queues.

    ``limits`` says for each queue how many of its jobs run at once, over all runners (which must agree on it).
    """

    owner: str
    log_dir: Path
    lease_s: float = 10.0
    slots: int = 2
    poll_s: float = 0.1
    limits: Mapping[str, int] = field(default_factory=dict)
    standing: frozenset[str] = frozenset()


@dataclass
class _Running:
    """A child with its claim; times are monotonic. ``stopped`` says why it was killed, if it was."""

    claim: Claim
    child: Child
    held_at: float
    deadline: float | None
    stopped: str = ""


class Runner:
    """``on_failed(job, error)`` is told, in the runner's process, of each job that failed for good or was cancelled.

    It comes before the end is written, so that it is told at least once: make it repeatable.
    """

    def __init__(
        self,
        store: JobStore,
        handlers: Mapping[str, Handler],
        options: RunnerOptions,
        schedules: Schedules | None = None,
        on_failed: Callable[[Job, str], None] | None = None,
    ) -> None:
        self._store, self._handlers, self._options = store, handlers, options
        self._schedules, self._on_failed = schedules, on_failed
        self._running: list[_Running] = []
        self._ending: list[tuple[Claim, Outcome]] = []
        self._ticked = -TICK_S

    def run(self, should_stop: Callable[[], bool]) -> None:
        """Work until ``should_stop()``; then kill the jobs at work and put them back, their attempt not counted."""
        self._options.log_dir.mkdir(parents=True, exist_ok=True)
        try:
            while not should_stop():
                self._round()
        finally:
            self._put_back()

    def _round(self) -> None:
        try:
            self._tick()
            self._take()
        except Unavailable as error:
            log.warning("no jobs are taken: %s", error)
            time.sleep(self._options.poll_s)
        self._reap()
        self._watch()
        self._end()

    def _tick(self) -> None:
        now = time.monotonic()
        if self._schedules is not None and now - self._ticked >= TICK_S:
            self._ticked = now
            self._schedules.tick()

    def _take(self) -> None:
        """Start children while there are free slots and jobs."""
        options = self._options
        while kinds := self._wanted():
            claim = self._store.claim(ClaimRequest(options.owner, options.lease_s, kinds, options.limits))
            if claim is None:
                return
            hopeless = _hopeless(claim)
            if hopeless is not None:
                self._ending.append((claim, hopeless))
                continue
            self._running.append(self._started(claim))

    def _wanted(self) -> tuple[str, ...]:
        """Return the kinds of jobs that may start: with all slots taken only those that need none."""
        standing = self._options.standing
        busy = sum(running.claim.job.kind not in standing for running in self._running)
        return tuple(kind for kind in self._handlers if busy < self._options.slots or kind in standing)

    def _started(self, claim: Claim) -> _Running:
        job, now = claim.job, time.monotonic()
        context = JobContext(job, self._store)
        child = process.start(lambda: self._handlers[job.kind](context), self._options.log_dir / f"{job.id}.log")
        deadline = None if claim.remaining_s is None else now + claim.remaining_s
        return _Running(claim, child, now, deadline)

    def _reap(self) -> None:
        """Wait, no longer than a poll, for children to end, and collect those that did."""
        ended = process.wait([running.child for running in self._running], self._options.poll_s)
        for running in [r for r in self._running if r.child in ended]:
            self._running.remove(running)
            outcome = _outcome(running, process.end(running.child))
            if outcome is not None:
                self._ending.append((running.claim, outcome))

    def _watch(self) -> None:
        """Renew leases; kill what is cancelled, late, or not ours any more."""
        now = time.monotonic()
        longest_s = self._options.lease_s / 3
        for running in [r for r in self._running if not r.stopped]:
            is_standing = running.claim.job.kind in self._options.standing  # nobody waits to see it cancelled
            beat_s = longest_s if is_standing else min(longest_s, LONGEST_BEAT_S)
            if running.deadline is not None and now >= running.deadline:
                _stop(running, "deadline")
            elif now - running.held_at >= beat_s:
                self._beat(running)

    def _beat(self, running: _Running) -> None:
        asked_at = time.monotonic()
        try:
            is_cancelled = self._store.beat(running.claim.held, self._options.lease_s)
        except LeaseLost as error:
            log.warning("%s", error)
            _stop(running, "lost")
        except Unavailable as error:
            log.warning("the lease of job %s is not renewed: %s", running.claim.job.id, error)
            if asked_at - running.held_at > self._options.lease_s:
                _stop(running, "lost")
        else:
            running.held_at = asked_at
            if is_cancelled:
                _stop(running, "cancelled")

    def _end(self) -> None:
        """Write what came of the children that ended; what cannot be written now is tried again."""
        waiting, self._ending = self._ending, []
        for claim, outcome in waiting:
            try:
                self._tell(claim, outcome)
                self._store.finish(claim.held, outcome)
            except LeaseLost as error:
                log.warning("a late result is dropped: %s", error)
            except Unavailable as error:
                log.warning("the end of job %s is not written yet: %s", claim.job.id, error)
                self._ending.append((claim, outcome))

    def _tell(self, claim: Claim, outcome: Outcome) -> None:
        if self._on_failed is None or outcome.state not in {"failed", "cancelled"}:
            return
        self._store.beat(claim.held, self._options.lease_s)  # a late runner has no say
        try:
            self._on_failed(claim.job, outcome.error)
        except Unavailable:
            raise
        except Exception:
            log.exception("the failure of job %s could not be told", claim.job.id)

    def _put_back(self) -> None:
        for running in self._running:
            _stop(running, "stopping")
        for running in self._running:
            ended = process.end(running.child)
            outcome = _outcome(running, ended)
            if outcome is not None:
                self._ending.append((running.claim, outcome))
        self._running = []
        self._end()


def _stop(running: _Running, why: str) -> None:
    running.stopped = why
    process.kill(running.child)


def _hopeless(claim: Claim) -> Outcome | None:
    """Return the end of a job that is not worth a start: cancelled, late, or the death of too many workers."""
    job = claim.job
    if job.is_cancelled:
        return Outcome("cancelled", error="cancelled before it ran")
    if job.attempts > job.max_attempts:
        return Outcome("failed", error=f"its worker died in each of {job.max_attempts} attempts. {job.error}".strip())
    if claim.remaining_s is not None and claim.remaining_s <= 0:
        return Outcome("failed", error=f"its time was over before attempt {job.attempts}. {job.error}".strip())
    return None


def _outcome(running: _Running, ended: Ended) -> Outcome | None:
    """Return how the attempt ended; None when the job is another runner's."""
    job, stopped = running.claim.job, running.stopped
    if stopped == "lost":
        return None
    if not ended.error:
        return Outcome("done", ended.result)
    if stopped == "cancelled":
        return Outcome("cancelled", error="cancelled while it ran")
    if stopped == "deadline":
        return Outcome("failed", error="it was killed at its deadline")
    if stopped == "stopping":
        return Outcome("ready", error="its runner was stopped", refund=True)
    if job.attempts >= job.max_attempts:
        return Outcome("failed", error=ended.error)
    delay_s = min(job.backoff_s * 2.0 ** min(job.attempts - 1, 30), LONGEST_DELAY_S)
    return Outcome("ready", error=ended.error, delay_s=delay_s)
