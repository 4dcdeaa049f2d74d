"""The worker's process: runs jobs and schedules. Its main thread forks; nothing here may start a thread before."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

from boucle.adapters.converter import OnnxConverter
from boucle.adapters.model_process import ModelProcess
from boucle.adapters.onnx_checks import OnnxFiles
from boucle.adapters.sql import SqlJobStore, SqlScheduleStore
from boucle.bootstrap import collecting, reporting, watching, wiring
from boucle.bootstrap.data_plane import artifacts, environments, home_of
from boucle.bootstrap.logs import write_logs
from boucle.bootstrap.projects import run_job
from boucle.core.i18n import use_language
from boucle.core.ids import uuid7
from boucle.jobs.context import JobContext
from boucle.jobs.job import STANDING
from boucle.jobs.runner import Runner, RunnerOptions
from boucle.jobs.schedules import Schedules
from boucle.loop.build import build, end_failed_build
from boucle.loop.world import BuildWorld
from boucle.registry.registry import Registry
from boucle.settings import Settings, load
from boucle.training.run import KIND, QUEUE


def build_world(settings: Settings, registry: Registry) -> BuildWorld:
    """Wire what a build reaches outside itself."""
    home = home_of(settings)

    def start(python: Path, log: Path) -> ModelProcess:
        return ModelProcess(python, log)

    return BuildWorld(
        registry=registry,
        artifacts=artifacts(home),
        environments=environments(settings),
        processes=start,
        graphs=OnnxFiles(),
        converter=OnnxConverter(),
        log_dir=home.logs,
        clock=time.perf_counter,
    )


def main() -> None:
    """Run jobs until SIGTERM."""
    settings = load()
    use_language(settings.language)  # checks are written by builds
    home = home_of(settings)
    write_logs(home.logs, "worker", settings.log_level)
    engine = wiring.database(home)
    registry = wiring.registry(engine)
    world = build_world(settings, registry)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())

    def build_job(context: JobContext) -> None:
        build(context, world)

    jobs, schedules = SqlJobStore(engine), SqlScheduleStore(engine)
    collecting.begin(jobs, schedules, (*collecting.SCHEDULES, watching.SCHEDULE))
    runner = Runner(
        jobs,
        {
            "build": build_job,
            KIND: lambda context: run_job(context, settings),
            collecting.COLLECT: lambda context: collecting.collect_job(context, collecting.world(settings, engine)),
            collecting.TEND: lambda context: collecting.tend_job(
                context, collecting.world(settings, engine), jobs, home
            ),
            watching.WATCH: lambda context: watching.watch_job(context, settings, engine),
            reporting.KIND: lambda context: reporting.report_job(context, settings, engine),
        },
        RunnerOptions(
            owner=f"{os.getpid()}-{uuid7()}",
            log_dir=home.logs / "jobs",
            lease_s=settings.lease_s,
            slots=settings.job_slots,
            limits={
                QUEUE: settings.job_slots - 1,  # a run that deploys waits for a build: it needs a slot
                collecting.QUEUE: 1,
                watching.QUEUE: 1,
                reporting.QUEUE: 1,
            },
            standing=frozenset(STANDING),
        ),
        schedules=Schedules(schedules),
        on_failed=lambda job, error: end_failed_build(job, error, registry),
    )
    runner.run(stop.is_set)


if __name__ == "__main__":
    main()
