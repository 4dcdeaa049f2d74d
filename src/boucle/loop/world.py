"""BuildWorld: all that a build reaches outside itself, handed over by the wiring."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from boucle.loop.ports import Artifacts, Environments, Graphs, StartWorker
from boucle.packaging.ports import Converter
from boucle.registry.registry import Registry


@dataclass(frozen=True)
class BuildWorld:
    """``clock`` counts seconds (never backwards). ``crash_at`` names a step to die in: for crash tests only."""

    registry: Registry
    artifacts: Artifacts
    environments: Environments
    processes: StartWorker
    graphs: Graphs
    converter: Converter
    log_dir: Path
    clock: Callable[[], float] = time.perf_counter
    load_timeout_s: float = 120.0
    predict_timeout_s: float = 60.0
    crash_at: str | None = None
