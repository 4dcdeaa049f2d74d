"""The worker's standing jobs: collecting the inference log, and tending what it became.

They are jobs like others, made by schedules of the platform's own each minute and each hour. Their names begin with
a character that no schedule of a user may begin with.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable

from sqlalchemy import Engine

from boucle.adapters.delta_log import DeltaLog
from boucle.adapters.segment_reader import SegmentReader
from boucle.adapters.sql import SqlCollectStore, SqlProfileStore, SqlWatchStore
from boucle.bootstrap import wiring
from boucle.bootstrap.data_plane import artifacts, home_of
from boucle.bootstrap.home import Home
from boucle.core.errors import Conflict
from boucle.jobs.context import JobContext
from boucle.jobs.job import STANDING, Job, JobOptions, JobQuery, Schedule, schedule_key
from boucle.jobs.ports import JobStore, ScheduleStore
from boucle.jobs.schedules import Schedules
from boucle.loop.collect import Collected, Collector, CollectWorld
from boucle.loop.tending import tend
from boucle.settings import Settings

COLLECT, TEND = "collect", "tend"
QUEUE = "collect"  # one job of it at a time: both write the log
LOOP_S, PAUSE_S = 54.0, 2.0
KEPT_US = 3_600 * 1_000_000  # ended jobs of the platform's own are kept for an hour
SCHEDULES = (
    Schedule("_collect", COLLECT, "* * * * *", "UTC", options=JobOptions(QUEUE, 50, timeout_s=600.0)),
    Schedule("_tend", TEND, "17 * * * *", "UTC", options=JobOptions(QUEUE, 40, timeout_s=3_600.0)),
)
log = logging.getLogger(__name__)


def world(settings: Settings, engine: Engine) -> CollectWorld:
    """Wire what collecting reaches outside itself."""
    home = home_of(settings)
    return CollectWorld(
        registry=wiring.registry(engine),
        artifacts=artifacts(home),
        streams=SegmentReader(home.segments),
        log=DeltaLog(home.inference_log),
        store=SqlCollectStore(engine),
        profiles=SqlProfileStore(engine),
        policy=SqlWatchStore(engine).policy,
        refused=home.inference_log.with_name("inference_log_refused"),
        now=wiring.now_us,
    )


def collect_job(context: JobContext, reached: CollectWorld, loop_s: float = LOOP_S) -> dict[str, int]:
    """Make one pass after the other for about a minute. The handler of the job kind ``collect``."""
    collector, total = Collector(reached), Collected()
    until = time.monotonic() + loop_s
    while True:
        context.ensure_held()
        try:
            done = collector.collect()
        except Conflict as error:
            log.warning("%s", error)  # another collector was faster
            done = Collected()
        total += done
        if time.monotonic() >= until:
            return {name: value for name, value in vars(total).items() if name != "is_behind"}
        if not done.is_behind:
            time.sleep(min(PAUSE_S, max(0.0, until - time.monotonic())))


def tend_job(context: JobContext, reached: CollectWorld, jobs: JobStore, home: Home) -> None:
    """Tend the log, the profiles and the platform's own jobs. The handler of the job kind ``tend``."""
    context.ensure_held()
    tend(reached)
    forget_jobs(jobs, home, STANDING, reached.now() - KEPT_US)


def forget_jobs(jobs: JobStore, home: Home, kinds: Iterable[str], before: int) -> None:
    """Forget the jobs of some kinds that ended before a time, with their output."""
    for kind in kinds:
        ended = jobs.list(JobQuery(kind, ("done", "failed", "cancelled"), limit=10_000))
        old = [job for job in ended if _ended_at(job) < before]
        for job in old:
            (home.logs / "jobs" / f"{job.id}.log").unlink(missing_ok=True)
        jobs.forget([job.id for job in old])


def begin(jobs: JobStore, store: ScheduleStore, schedules: Iterable[Schedule] = SCHEDULES) -> None:
    """Make sure that the platform's own schedules are there, and that each has a job now: nobody waits a minute."""
    for schedule in schedules:
        Schedules(store).add(schedule)
        jobs.enqueue(schedule.kind, schedule.args, schedule_key(schedule.name), schedule.options)


def _ended_at(job: Job) -> int:
    return job.created_at if job.ended_at is None else job.ended_at
