"""A worker in a process of its own: it builds, and dies where it is told to.

    python worker.py once|runner ROOT ENVIRONMENTS STEP ATTEMPTS

``once`` takes one job and builds it; ``runner`` works as the platform's worker does until every job has ended.
The first ATTEMPTS attempts die right before they tell STEP.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

from boucle.adapters.sql import SqlJobStore, SqlRegistryStore, open_database
from boucle.adapters.uv import UvEnvironments
from boucle.jobs.context import JobContext
from boucle.jobs.job import ClaimRequest, JobQuery
from boucle.jobs.runner import Runner, RunnerOptions
from boucle.loop.build import build, end_failed_build
from boucle.loop.world import BuildWorld
from boucle.registry.registry import Registry
from loop.scene import worlds_of


@dataclass(frozen=True)
class Worker:
    """The world of its jobs, and where its jobs are."""

    world: BuildWorld
    store: SqlJobStore
    step: str
    attempts: int

    def once(self) -> None:
        claim = self.store.claim(ClaimRequest("once", 30.0, ("build",)))
        assert claim is not None
        self.handle(JobContext(claim.job, self.store))

    def runner(self) -> None:
        registry = self.world.registry
        runner = Runner(
            self.store,
            {"build": self.handle},
            RunnerOptions("runner", self.world.log_dir, poll_s=0.02),
            on_failed=lambda job, error: end_failed_build(job, error, registry),
        )
        runner.run(lambda: not self.store.list(JobQuery(states=("ready", "running"))))

    def handle(self, context: JobContext) -> None:
        build(context, replace(self.world, crash_at=self.step if context.attempt <= self.attempts else None))


def worker_of(root: Path, environments: Path, step: str, attempts: int) -> Worker:
    """Return the worker of the platform whose files are in ``root``."""
    engine = open_database(f"sqlite:///{root / 'db.sqlite'}")
    registry = Registry(SqlRegistryStore(engine), lambda: time.time_ns() // 1000)
    world = replace(worlds_of(root, UvEnvironments(environments)), registry=registry)
    return Worker(world, SqlJobStore(engine), step, attempts)


if __name__ == "__main__":
    mode, root, environments, step, attempts = sys.argv[1:]
    worker = worker_of(Path(root), Path(environments), step, int(attempts))
    {"once": worker.once, "runner": worker.runner}[mode]()
