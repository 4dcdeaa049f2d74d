"""A report tells whether the estimates of the past came true."""

from __future__ import annotations

from pathlib import Path

from boucle.adapters.sql import SqlProfileStore, SqlTruthStore, SqlWatchStore
from boucle.core.check import Check
from boucle.core.report import Report, Span
from boucle.core.watching import WatchPolicy
from boucle.loop.collect import Collector
from boucle.loop.reports import ReportQuery, ReportWorld, report
from boucle.monitoring.ports import Judged, Verdict
from loop.collecting import NOON, Platform

HOUR = 3_600_000_000
N_HOURS = 6


def reported(root: Path, estimate: float | None) -> Report:
    """Return the report after hours of ten answers each, half of them right, that were estimated to be so good."""
    platform = Platform(root)
    store = SqlWatchStore(platform.engine)
    store.save_policy("shop", WatchPolicy(window_s=3_600, least_rows=1))
    verdicts = []
    for hour in range(N_HOURS):
        start = NOON + hour * HOUR
        id_ = platform.answer([{"price": 1.0, "city": "Lyon"}] * 10, [1] * 10, at=start)
        platform.tell(*((f"{id_}:{row}", row % 2) for row in range(10)))
        check = Check("estimate:accuracy", "pass", evidence={"estimated": estimate})
        verdicts.append(Verdict("shop", 1, Span(start, start + HOUR), (check,)))
    platform.now = NOON + N_HOURS * HOUR
    Collector(platform.world()).collect()
    if estimate is not None:
        store.judged(Judged("shop", {}, verdicts=tuple(verdicts)))
    profiles = SqlProfileStore(platform.engine)
    world = ReportWorld(
        platform.registry, profiles, SqlTruthStore(platform.engine), store, lambda: platform.now, profiles.series
    )
    return report(world, ReportQuery("shop", 1))


def test_estimates_that_did_not_come_true_are_told(tmp_path: Path) -> None:
    (check,) = [check for check in reported(tmp_path, 0.9).checks if check.name == "estimates"]

    assert check.status == "warn"
    assert check.evidence["accuracy"]["n"] == N_HOURS
    assert abs(check.evidence["accuracy"]["mean_error"] - 0.4) < 1e-9  # 0.9 was estimated, 0.5 came true


def test_estimates_that_came_true_pass_and_without_any_nothing_is_said(tmp_path: Path) -> None:
    for folder, estimate in (("true", 0.5), ("none", None)):
        (tmp_path / folder).mkdir()
        found = reported(tmp_path / folder, estimate)
        told = [check.status for check in found.checks if check.name == "estimates"]
        assert told == (["pass"] if estimate else [])
