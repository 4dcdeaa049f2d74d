"""A build's world made of the real adapters: environments by uv, a worker process, artifacts in a folder."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from boucle.adapters.artifacts import ObjectArtifacts
from boucle.adapters.converter import OnnxConverter
from boucle.adapters.memory.jobs import MemoryJobStore
from boucle.adapters.memory.registry import MemoryRegistryStore
from boucle.adapters.model_process import ModelProcess
from boucle.adapters.onnx_checks import OnnxFiles
from boucle.adapters.uv import UvEnvironments
from boucle.client.capture.answers import ask
from boucle.client.capture.code import find_code
from boucle.client.capture.rows import Rows, candidates
from boucle.client.capture.serialise import serialise
from boucle.core.schema import infer
from boucle.core.signature import Signature
from boucle.core.version import CodeFile, Manifest, Version
from boucle.jobs.context import JobContext
from boucle.jobs.job import ClaimRequest
from boucle.loop.build import build
from boucle.loop.world import BuildWorld
from boucle.registry.registry import Registry

PYTHON_STEPS = (
    *("artifacts", "environment", "load", "convert", "raw-rows"),
    *("reproduce", "suspects", "schema", "timing", "smoke"),
)
GRAPH_STEPS = tuple(name for step in PYTHON_STEPS for name in ((step, "parity") if step == "reproduce" else (step,)))
LIBRARIES = ("scikit-learn", "numpy", "pandas", "skops", "cloudpickle")


@dataclass(frozen=True)
class Scene:
    """A world, and the notebook's part of a deploy: capture and registration."""

    world: BuildWorld
    jobs: MemoryJobStore = field(default_factory=MemoryJobStore)

    def manifest(self, model: Any, example: Any, requirements: Sequence[str] = ()) -> Manifest:
        """Return what a notebook sends about a model, its artifacts stored."""
        answered = ask(model, "model", candidates(example), None)
        stored = serialise(model, lambda again: _same(model, again, answered.rows))
        write = self.world.artifacts.write
        return Manifest(
            model=write(stored.data),
            format=stored.format,
            trusted=stored.trusted,
            schema=infer(answered.rows.table),
            signature=answered.signature,
            python=platform.python_version(),
            requirements=tuple(requirements) or pins(*LIBRARIES),
            code=self.code(stored.modules),
            sample=write(answered.rows.table.take(answered.positions).to_bytes()),
            answers=write(answered.answers.to_bytes()),
            model_class=f"{type(model).__module__}.{type(model).__qualname__}",
        )

    def raw_manifest(self, model: Any, example: Any, **changes: Any) -> Manifest:
        """Return what a notebook would send that did not ask its model first: rows, and no answers."""
        rows = candidates(example)[0]
        stored = serialise(model, lambda _again: True)
        write = self.world.artifacts.write
        told = Manifest(
            model=write(stored.data),
            format=stored.format,
            trusted=stored.trusted,
            schema=infer(rows.table),
            signature=Signature(rows.feed, rows.inputs, "classification", "int", classes=(0, 1)),
            python=platform.python_version(),
            requirements=pins(*LIBRARIES),
            code=self.code(stored.modules),
            sample=write(rows.table.to_bytes()),
            model_class=f"{type(model).__module__}.{type(model).__qualname__}",
        )
        return replace(told, **changes)

    def code(self, modules: frozenset[str]) -> tuple[CodeFile, ...]:
        """Store the local files among the modules that a model needs."""
        stored = [(path, self.world.artifacts.write(data)) for path, data in find_code(modules).files.items()]
        return tuple(CodeFile(path, artifact.digest, artifact.size_bytes) for path, artifact in stored)

    def built(self, manifest: Manifest, name: str = "model") -> Version:
        """Register a manifest, run its build to the end and return the version."""
        made, _is_new = self.world.registry.register(name, manifest, "ada")
        return self.run(made)

    def run(self, made: Version) -> Version:
        """Run the build of a version."""
        build(self.context(made), self.world)
        return self.world.registry.version(made.name, made.number)

    def context(self, made: Version) -> JobContext:
        """Return the context of a job that builds the version."""
        self.jobs.enqueue("build", {"name": made.name, "number": made.number})
        claim = self.jobs.claim(ClaimRequest("test", 60.0, ("build",)))
        assert claim is not None
        return JobContext(claim.job, self.jobs)

    def but(self, **changes: Any) -> Scene:
        """Return the same scene with another part of its world."""
        return replace(self, world=replace(self.world, **changes))


def pins(*names: str) -> tuple[str, ...]:
    """Return the exact pins of what is installed here."""
    return tuple(f"{name}=={version(name)}" for name in names)


def worlds_of(root: Path, environments: UvEnvironments) -> BuildWorld:
    """Return a world of real adapters, but for a registry in memory."""
    return BuildWorld(
        registry=Registry(MemoryRegistryStore(), ticking()),
        artifacts=ObjectArtifacts(root / "artifacts", root / "uploads"),
        environments=environments,
        processes=ModelProcess,
        graphs=OnnxFiles(),
        converter=OnnxConverter(),
        log_dir=root,
        clock=hurried,
    )


def hurried() -> float:
    """Return seconds that pass ten times as fast, so that steps with a budget of time end early."""
    return time.perf_counter() * 10


def statuses(version: Version) -> dict[str, str]:
    """Return the status of each check by its name, in order."""
    return {check.name: check.status for check in version.checks}


def ticking() -> Callable[[], int]:
    """Return a clock in microseconds that moves by one second at each look."""
    now = 0

    def clock() -> int:
        nonlocal now
        now += 1_000_000
        return now

    return clock


def _same(model: Any, again: Any, rows: Rows) -> bool:
    few = rows.take(np.arange(min(10, rows.table.n_rows)))
    return bool(np.array_equal(model.predict(few), again.predict(few)))
