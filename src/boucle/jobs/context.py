"""What a job's handler is given."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

from boucle.jobs.job import Held, Job, LeaseLost
from boucle.jobs.ports import JobStore

T = TypeVar("T")


class JobContext:
    """The arguments of a job, and its memory of the steps that earlier attempts have done."""

    def __init__(self, job: Job, store: JobStore) -> None:
        self._job, self._store = job, store
        self._steps = dict(job.steps)

    @property
    def args(self) -> dict[str, Any]:
        """What the job was enqueued with."""
        return self._job.args

    @property
    def job_id(self) -> str:
        """The identifier of the job."""
        return self._job.id

    @property
    def attempt(self) -> int:
        """1 at the first attempt."""
        return self._job.attempts

    @property
    def fence(self) -> int:
        """Grows each time the job is taken: give it to whatever must refuse a late writer."""
        return self._job.fence

    def step(self, name: str, work: Callable[[], T]) -> T:
        """Return the result of ``work``, done once over all attempts; it must be JSON.

        A step whose process died before its result was kept is done again: make its effects repeatable.
        Raises LeaseLost, before working and before keeping, when another runner holds the job.
        """
        if name not in self._steps:
            self.ensure_held()
            value = json.loads(json.dumps(work(), allow_nan=False))
            self._store.remember(Held(self.job_id, self.fence), name, value)
            self._steps[name] = value
        result: T = self._steps[name]
        return result

    def ensure_held(self) -> None:
        """Raise LeaseLost when another runner holds the job, or it has ended."""
        job = self._store.get(self.job_id)
        if job.fence != self.fence or job.state != "running":
            raise LeaseLost(self.job_id, self.fence)
