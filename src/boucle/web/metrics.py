"""What is known of the models and of the platform in Prometheus' format, read from the stores when it is asked for.

Of each model the newest window that was judged is told, all rows of it (no slices), and at most ``MOST_PARTS``
features: those that moved most; and as many signals of sequential detectors: those nearest to an alarm. Labels are
names of models, columns, checks and metrics, never values of rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from fastapi import APIRouter
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector, CollectorRegistry
from starlette.responses import Response

from boucle.core.check import Check
from boucle.core.i18n import N_
from boucle.core.report import Span
from boucle.jobs.job import Job, JobQuery
from boucle.monitoring.alerting import SEVERITIES, head_of
from boucle.monitoring.ports import AlertQuery, Key, Verdict, WatchStore
from boucle.web.plane import ControlPlane, Plane
from boucle.web.security import PageRoute

router = APIRouter(route_class=PageRoute, tags=["platform"])
MOST_PARTS, MOST_JOBS, MOST_ALERTS = 50, 1_000, 1_000
SECOND, HOUR, MONTH = 1_000_000, 3_600_000_000, 30 * 86_400_000_000
METHODS = ("wasserstein", "jensen_shannon", "psi", "ks")
STATISTICS = frozenset(
    {"drift", "answers", "concept", "quality", "estimate", "labels", "alertmanager"}
)  # the rest are data tests
LATE = frozenset({"quality", "labels"})  # what only outcomes can tell
SOURCES = {"quality": ("realised", "realised"), "estimate": ("estimated", "estimated")}
GAUGES: dict[str, tuple[str, tuple[str, ...]]] = {
    "boucle_info": ("1, with the version of the platform.", ("version",)),
    "boucle_champion_info": ("1, with the version that answers.", ("model", "version")),
    "boucle_alerts_open": ("Open alerts.", ("model", "severity")),
    "boucle_window_end_timestamp_seconds": ("End of the newest window that was judged.", ("model",)),
    "boucle_profile_newest_timestamp_seconds": ("Newest minute with rows in the profiles.", ("model", "version")),
    "boucle_feature_drift_score": ("Distance of a feature from its reference.", ("model", "feature", "method")),
    "boucle_feature_drift_pvalue": ("p-value of the calibrated test of a feature.", ("model", "feature")),
    "boucle_constraint_violations": ("Data tests of a kind that do not hold.", ("model", "constraint")),
    "boucle_cusum": ("Level of a sequential detector.", ("model", "signal")),
    "boucle_cusum_threshold": ("Level at which a sequential detector raises an alarm.", ("model", "signal")),
    "boucle_model_score": ("Quality of the answers.", ("model", "version", "metric", "source")),
    "boucle_label_coverage_ratio": ("Share of the rows whose outcome is known.", ("model",)),
    "boucle_label_lag_seconds": ("Median time from an answer to its outcome.", ("model",)),
    "boucle_jobs": ("Jobs that wait or run.", ("kind", "state")),
    "boucle_job_oldest_wait_seconds": ("How long the oldest job has been due.", ("kind",)),
}


@router.get("/metrics", summary=N_("Read the metrics of models and platform"), response_class=Response)
def metrics(plane: Plane) -> Response:
    """Prometheus text. Like the pages: open on loopback, with the token (Bearer or Basic) beyond it."""
    return Response(exposition(plane), media_type=CONTENT_TYPE_LATEST)


def exposition(plane: ControlPlane) -> bytes:
    """Return the exposition text of this moment."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Read(plane))
    return generate_latest(registry)


class _Read(Collector):
    """One reading of the stores."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane
        self._families = {name: GaugeMetricFamily(name, text, labels=of) for name, (text, of) in GAUGES.items()}

    def collect(self) -> Iterator[Metric]:
        """Yield each family; those without a sample too, so that their names are known."""
        plane = self._plane
        self._add("boucle_info", (plane.version,), 1)
        for model in plane.registry.models():
            if model.champion is not None:
                self._add("boucle_champion_info", (model.name, str(model.champion)), 1)
            if plane.watching is not None:
                self._watched(plane.watching, model.name)
        self._profiles()
        self._jobs(plane.jobs.list(JobQuery(states=("ready", "running"), limit=MOST_JOBS)), plane.now_us())
        yield from self._families.values()

    def _watched(self, store: WatchStore, model: str) -> None:
        alerts = store.alerts(AlertQuery(model, is_open=True, limit=MOST_ALERTS))
        for severity in SEVERITIES:
            self._add("boucle_alerts_open", (model, severity), sum(alert.severity == severity for alert in alerts))
        verdict = newest_verdict(store, model, self._plane.now_us())
        if verdict is not None:
            self._add("boucle_window_end_timestamp_seconds", (model,), verdict.window.stop / SECOND)
            self._judged(verdict, labelled_verdict(store, model))

    def _judged(self, verdict: Verdict, labelled: Verdict | None) -> None:
        """Tell a verdict: what needs outcomes comes from the newest window that has them, often one of days ago."""
        model = verdict.model
        parts = [check for check in verdict.checks if check.name.startswith("drift:")]
        for check in sorted(parts, key=_most_moved_first)[:MOST_PARTS]:
            feature = check.name.partition(":")[2]
            self._add("boucle_feature_drift_pvalue", (model, feature), check.evidence.get("p_value"))
            for method in METHODS:
                self._add("boucle_feature_drift_score", (model, feature, method), check.evidence.get(method))
        for constraint, n_broken in sorted(_broken(verdict.checks).items()):
            self._add("boucle_constraint_violations", (model, constraint), n_broken)
        signals = [
            check for check in verdict.checks if check.name.startswith("concept:") and _alarm_ratio(check) is not None
        ]
        for check in sorted(signals, key=lambda check: (-(_alarm_ratio(check) or 0.0), check.name))[:MOST_PARTS]:
            signal = check.name.partition(":")[2]
            self._add("boucle_cusum", (model, signal), check.evidence.get("level"))
            self._add("boucle_cusum_threshold", (model, signal), check.evidence.get("h"))
        for check in verdict.checks:
            if head_of(check.name) not in LATE:
                self._figure(verdict, check)
        for check in (labelled or verdict).checks:
            if head_of(check.name) == "quality" or (check.name == "labels" and not _has_stopped(verdict)):
                self._figure(verdict, check)
        if _has_stopped(verdict):
            self._add("boucle_label_coverage_ratio", (model,), 0)

    def _figure(self, verdict: Verdict, check: Check) -> None:
        """Tell what a check of quality or labels says."""
        kind, _colon, name = check.name.partition(":")
        model, evidence = verdict.model, check.evidence
        if kind in SOURCES:
            key, source = SOURCES[kind]
            self._add("boucle_model_score", (model, str(verdict.version), name, source), evidence.get(key))
        elif kind == "labels":
            self._add("boucle_label_coverage_ratio", (model,), evidence.get("coverage"))
            self._add("boucle_label_lag_seconds", (model,), evidence.get("lag_s"))

    def _profiles(self) -> None:
        profiles = self._plane.profiles
        if profiles is None:
            return
        for model in self._plane.registry.models():
            if model.champion is None:
                continue
            newest = profiles.newest(Key(model.name, model.champion, "features"))
            labels = (model.name, str(model.champion))
            self._add("boucle_profile_newest_timestamp_seconds", labels, None if newest is None else newest / SECOND)

    def _jobs(self, jobs: Iterable[Job], now: int) -> None:
        counts: dict[tuple[str, str], int] = {}
        waits: dict[str, float] = {}
        for job in jobs:
            counts[job.kind, job.state] = counts.get((job.kind, job.state), 0) + 1
            if job.state == "ready":
                waits[job.kind] = max(waits.get(job.kind, 0.0), (now - job.run_at) / SECOND)
        for labels, n in sorted(counts.items()):
            self._add("boucle_jobs", labels, n)
        for kind, wait in sorted(waits.items()):
            self._add("boucle_job_oldest_wait_seconds", (kind,), wait)

    def _add(self, name: str, labels: Iterable[str], value: Any) -> None:
        """Add a sample; what is not known has none."""
        if isinstance(value, (int, float)):
            self._families[name].add_metric(list(labels), float(value))


def newest_verdict(store: WatchStore, model: str, now: int) -> Verdict | None:
    """Return the newest verdict on all rows; looked for near ``now`` first, for most models have one there."""
    ahead = now + HOUR
    for begin in (now - 3 * HOUR, now - MONTH, 0):
        found = [verdict for verdict in store.verdicts(model, Span(begin, ahead)) if not verdict.slice]
        if found:
            return found[-1]
    return None


def labelled_verdict(store: WatchStore, model: str) -> Verdict | None:
    """Return the verdict on all rows of the newest window whose outcomes were judged."""
    at = store.state(model).get("late_until", 0)
    found = [verdict for verdict in store.verdicts(model, Span(at, at + 1)) if not verdict.slice] if at else []
    return found[-1] if found else None


def _has_stopped(verdict: Verdict) -> bool:
    """True when no outcomes come any more."""
    return any(check.name == "labels:freshness" and check.is_failed for check in verdict.checks)


def _most_moved_first(check: Check) -> tuple[float, str]:
    moved = check.evidence.get("jensen_shannon")
    return -float(moved) if isinstance(moved, (int, float)) else 0.0, check.name


def _alarm_ratio(check: Check) -> float | None:
    """Return how near a sequential detector is to its alarm (1: it raises it); None when it tells no level."""
    level, h = check.evidence.get("level"), check.evidence.get("h")
    if not isinstance(level, (int, float)):
        return None
    return level / h if isinstance(h, (int, float)) and h > 0 else 0.0


def _broken(checks: Iterable[Check]) -> dict[str, int]:
    found: dict[str, int] = {}
    for check in checks:
        kind = head_of(check.name)
        if kind not in STATISTICS:
            found[kind] = found.get(kind, 0) + (check.status != "pass")
    return found
