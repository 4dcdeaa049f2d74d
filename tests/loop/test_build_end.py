"""Builds that end badly: killed at any step, overtaken, given up. What serves is never touched."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine

from boucle.adapters.sql import SqlJobStore, SqlRegistryStore, migrate, open_database
from boucle.adapters.uv import UvEnvironments
from boucle.core.check import Check
from boucle.core.errors import Unavailable
from boucle.core.version import Manifest, Version
from boucle.jobs.context import JobContext
from boucle.jobs.job import ClaimRequest, Held, Job, JobOptions, Outcome
from boucle.loop.build import build, end_failed_build
from boucle.loop.world import BuildWorld
from boucle.registry.registry import Registry
from loop.doubling import Doubling
from loop.scene import PYTHON_STEPS, Scene, pins, statuses, worlds_of

STEPS = list(PYTHON_STEPS)
MATRIX = np.arange(60.0).reshape(30, 2)
LEASE_S = 30.0
KILLED = 137
WORKER = Path(__file__).with_name("worker.py")


@dataclass(frozen=True)
class Platform:
    """A scene whose registry and jobs are in a real database, as processes share them."""

    scene: Scene
    store: SqlJobStore
    root: Path
    environments: Path

    @property
    def world(self) -> BuildWorld:
        return self.scene.world

    def manifest(self, factor: float) -> Manifest:
        return self.scene.manifest(Doubling(factor), MATRIX, pins("numpy", "cloudpickle"))

    def registered(self, factor: float) -> Version:
        return self.world.registry.register("model", self.manifest(factor), "ada")[0]

    def enqueued(self, made: Version, max_attempts: int = 3) -> Job:
        args = {"name": made.name, "number": made.number}
        return self.store.enqueue("build", args, f"build:{made.number}", JobOptions(max_attempts=max_attempts))

    def claimed(self, made: Version) -> JobContext:
        self.enqueued(made)
        claim = self.store.claim(ClaimRequest("test", LEASE_S, ("build",)))
        assert claim is not None
        return JobContext(claim.job, self.store)

    def worked(self, mode: str, step: str, attempts: int) -> int:
        """Let a worker process work, and return its exit status: obstore cannot be used in a fork of this one."""
        command = [sys.executable, str(WORKER), mode, str(self.root), str(self.environments), step, str(attempts)]
        paths = [str(WORKER.parents[1]), str(WORKER.parents[2] / "src")]
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        return subprocess.run(command, env=environ, check=False, timeout=60).returncode

    def now(self, made: Version) -> Version:
        return self.world.registry.version(made.name, made.number)

    def aliases(self) -> dict[str, int]:
        return self.world.registry.model("model").aliases


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(f"sqlite:///{tmp_path / 'db.sqlite'}")
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def platform(tmp_path: Path, environments: UvEnvironments, engine: Engine) -> Platform:
    registry = Registry(SqlRegistryStore(engine), lambda: time.time_ns() // 1000)
    scene = Scene(replace(worlds_of(tmp_path, environments), registry=registry))
    return Platform(scene, SqlJobStore(engine), tmp_path, environments._root)


@pytest.fixture
def served(platform: Platform) -> Platform:
    """A platform whose first version is champion."""
    made = platform.registered(2.0)
    context = platform.claimed(made)
    build(context, platform.world)
    platform.store.finish(Held(context.job_id, context.fence), Outcome("done"))
    assert platform.now(made).state == "ready"
    return platform


@pytest.mark.parametrize("step", [*STEPS, "found", "ready"])
def test_killed_at_any_step_the_champion_serves_and_the_next_attempt_completes(served: Platform, step: str) -> None:
    made = served.registered(3.0)
    job = served.enqueued(made)
    assert served.worked("once", step, attempts=1) == KILLED
    assert served.now(made).state == "building"
    assert served.aliases() == {"champion": 1}
    served.store.finish(Held(job.id, served.store.get(job.id).fence), Outcome("ready"))
    build(served.claimed(made), served.world)
    assert served.now(made).state == "ready"
    assert [check.name for check in served.now(made).checks] == STEPS
    assert served.aliases() == {"champion": 1, "challenger": made.number}


def test_a_build_whose_lease_was_lost_tells_nothing_more(served: Platform) -> None:
    made = served.registered(3.0)
    late = served.claimed(made)
    served.store.finish(Held(late.job_id, late.fence), Outcome("ready"))
    successor = served.claimed(made)
    build(late, served.world)
    assert served.now(made).checks == ()
    build(successor, served.world)
    assert served.now(made).state == "ready"


def test_a_version_that_is_ready_is_not_built_again(served: Platform) -> None:
    before = served.now(Version("model", 1, "ready", "", served.manifest(2.0), 0, ""))
    build(served.claimed(before), served.world)
    assert served.now(before) == before


def test_a_refused_model_deployed_again_starts_over_without_its_old_checks(platform: Platform) -> None:
    manifest = replace(platform.manifest(2.0), python="3.4.0")
    made, _is_new = platform.world.registry.register("model", manifest, "ada")
    build(platform.claimed(made), platform.world)
    assert statuses(platform.now(made)) == {"artifacts": "pass", "environment": "fail"}
    again, is_new = platform.world.registry.register("model", manifest, "ada")
    assert (again.number, again.state, again.checks, is_new) == (made.number, "building", (), False)


def test_a_registry_that_cannot_be_told_fails_the_job_and_not_the_version(platform: Platform) -> None:
    class Deaf(Registry):
        def add_check(self, name: str, number: int, check: Check) -> None:
            raise Unavailable("the database is locked")

    made = platform.registered(2.0)
    deaf = Deaf(platform.world.registry._store, lambda: 0)
    with pytest.raises(Unavailable, match="locked"):
        build(platform.claimed(made), replace(platform.world, registry=deaf))
    assert platform.now(made).state == "building"


def test_a_fault_of_the_platform_is_told_as_such(platform: Platform, environments: UvEnvironments) -> None:
    class Full(UvEnvironments):
        def ensure(self, lock: str, interpreter: str, *, require_hashes: bool = True) -> Path:
            raise OSError(28, "No space left on device")

    made = platform.registered(2.0)
    build(platform.claimed(made), replace(platform.world, environments=Full(environments._root)))
    refused = platform.now(made).checks[-1]
    assert platform.now(made).state == "failed"
    assert refused.observed == "the platform failed: OSError: [Errno 28] No space left on device"


def test_a_job_that_is_given_up_fails_its_version(served: Platform) -> None:
    made = served.registered(3.0)
    job = served.store.enqueue("build", {"name": made.name, "number": made.number})
    end_failed_build(job, "it was killed at its deadline", served.world.registry)
    end_failed_build(job, "it was killed at its deadline", served.world.registry)
    failed = served.now(made)
    assert (failed.state, statuses(failed)) == ("failed", {"build": "fail"})
    assert failed.reason == "the build was ended: it was killed at its deadline"
    assert served.aliases() == {"champion": 1}


def test_other_jobs_and_finished_versions_are_left_alone(served: Platform) -> None:
    for kind in ("build", "retrain"):
        end_failed_build(served.store.enqueue(kind, {"name": "model", "number": 1}), "late", served.world.registry)
    assert served.world.registry.version("model", 1).state == "ready"


def test_the_runner_builds_a_version_whose_first_attempt_was_killed(served: Platform) -> None:
    made = served.registered(3.0)
    job = served.enqueued(made, max_attempts=2)
    assert served.worked("runner", "reproduce", attempts=1) == 0
    assert (served.store.get(job.id).state, served.store.get(job.id).attempts) == ("done", 2)
    assert served.now(made).state == "ready"
    assert [check.name for check in served.now(made).checks] == STEPS


def test_the_runner_fails_a_version_whose_every_attempt_was_killed(served: Platform) -> None:
    made = served.registered(3.0)
    job = served.enqueued(made, max_attempts=1)
    assert served.worked("runner", "load", attempts=1) == 0
    assert served.store.get(job.id).state == "failed"
    failed = served.now(made)
    assert failed.state == "failed"
    assert [check.name for check in failed.checks] == ["artifacts", "environment", "build"]
    assert "ended with status 137" in failed.checks[-1].observed
    assert served.aliases() == {"champion": 1}
