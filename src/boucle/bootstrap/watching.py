"""The worker's standing job that watches: judges what was collected, and tells who wants to know."""

from __future__ import annotations

import logging
import time

from sqlalchemy import Engine

from boucle.adapters.delta_log import DeltaLog
from boucle.adapters.river_detectors import makers
from boucle.adapters.sql import SqlProfileStore, SqlScheduleStore, SqlTruthStore, SqlWatchStore
from boucle.bootstrap import wiring
from boucle.bootstrap.channels import channels, link
from boucle.bootstrap.data_plane import artifacts, home_of
from boucle.core.i18n import use_language
from boucle.jobs.context import JobContext
from boucle.jobs.job import JobOptions, Schedule
from boucle.loop.expecting import Expecting
from boucle.loop.exploring import ExploreWorld
from boucle.loop.notify import deliver
from boucle.loop.periodic import keep_in_step
from boucle.loop.watch import WatchWorld, watch
from boucle.monitoring.expectations import RowJudge
from boucle.settings import Settings

WATCH = "watch"
QUEUE = "watch"
LOOP_S, PAUSE_S = 54.0, 5.0
SCHEDULE = Schedule("_watch", WATCH, "* * * * *", "UTC", options=JobOptions(QUEUE, 60, timeout_s=600.0))
log = logging.getLogger(__name__)


def watch_job(context: JobContext, settings: Settings, engine: Engine, loop_s: float = LOOP_S) -> dict[str, int]:
    """Look at all models again and again for about a minute, and deliver what is due. The handler of ``watch``."""
    use_language(settings.language)
    store, ways, schedules = SqlWatchStore(engine), channels(settings), SqlScheduleStore(engine)
    registry = wiring.registry(engine)
    world = WatchWorld(
        registry=registry,
        profiles=SqlProfileStore(engine),
        truths=SqlTruthStore(engine),
        store=store,
        now=wiring.now_us,
        channels=tuple(way.name for way in ways),
        expectations=expecting(settings, engine),
        detectors=makers(),
        ensure_held=context.ensure_held,
    )
    total = {"windows": 0, "opened": 0, "closed": 0, "delivered": 0}
    until = time.monotonic() + loop_s
    while True:
        context.ensure_held()
        keep_in_step(registry, store.policy, schedules)
        found = watch(world)
        told = deliver(store, ways, wiring.now_us(), link(settings))
        done = (found.n_windows, found.n_opened, found.n_closed, told.delivered)
        total = {name: total[name] + n for name, n in zip(total, done, strict=True)}
        if time.monotonic() >= until:
            return total
        time.sleep(min(PAUSE_S, max(0.0, until - time.monotonic())))


def expecting(settings: Settings, engine: Engine) -> Expecting:
    """Wire what judges the expectations of a policy."""
    home = home_of(settings)
    reached = ExploreWorld(wiring.registry(engine), DeltaLog(home.inference_log), SqlTruthStore(engine))
    return Expecting(reached, artifacts(home), _row_judge)


def _row_judge(timeout_s: float) -> RowJudge:
    from boucle.adapters.expectations import ExpectationProcesses  # it brings polars, whose threads do not fork

    return ExpectationProcesses(timeout_s)
