"""A report as pages and files show it: in words, worst first, each picture beside its figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from boucle.core.alert import Alert
from boucle.core.check import Check
from boucle.core.errors import BoucleError
from boucle.core.i18n import N_, _, ngettext
from boucle.core.report import ColumnReport, QualityPoint, Report
from boucle.core.version import Version
from boucle.loop.reports import ReportQuery
from boucle.monitoring.ports import AlertQuery
from boucle.web.pages import words
from boucle.web.pages.histograms import Bars, Lines, bars_of, counts_of, lines_of
from boucle.web.plane import ControlPlane

OPENED, MOST_CLOSED, MOST_POINTS = 2, 10, 60
_RANKS = {"fail": 0, "warn": 1, "pass": 2}
_CHECKS = {
    "drift": N_("Drift"),
    "feed": N_("Feed"),
    "range": N_("Range"),
    "missing": N_("Missing values"),
    "categories": N_("New categories"),
    "constant": N_("Constant column"),
    "freshness": N_("Freshness"),
    "volume": N_("Volume"),
    "refusals": N_("Refused requests"),
    "log": N_("Inference log"),
    "quality": N_("Quality"),
    "estimate": N_("Estimated quality"),
    "estimates": N_("Estimates"),
    "labels": N_("Ground truth"),
    "concept": N_("Concept drift"),
    "expectation": N_("Expectation"),
    "answers": N_("Answers"),
    "outside": N_("From an Alertmanager"),
}
_METRICS = {
    "accuracy": N_("Accuracy"),
    "balanced_accuracy": N_("Balanced accuracy"),
    "precision": N_("Precision"),
    "recall": N_("Recall"),
    "f1": N_("F1"),
    "auc": N_("AUC"),
    "log_loss": N_("Log loss"),
    "brier": N_("Brier score"),
    "calibration_error": N_("Calibration error"),
    "mae": N_("Mean absolute error"),
    "rmse": N_("Root mean squared error"),
    "mape": N_("Mean absolute percentage error"),
    "mase": N_("Error to naive (MASE)"),
    "naive_ratio": N_("Error to naive"),
    "interval_coverage": N_("Outcomes inside their interval"),
    "interval_width": N_("Width of the interval"),
    "label_precision": N_("Precision of labels"),
    "label_recall": N_("Recall of labels"),
    "label_coverage": N_("Coverage of labels"),
    "precision_at_n": N_("Precision at n"),
    "bias": N_("Bias"),
    "r2": N_("R²"),
}
_SEVERITIES = {"info": N_("Information"), "warning": N_("Warning"), "critical": N_("Critical")}


@dataclass(frozen=True)
class Moved:
    """A part of a profile as a row of the list: ``is_open`` when its picture is shown at once."""

    column: ColumnReport
    is_open: bool = False

    @cached_property
    def bars(self) -> Bars | None:
        """The two histograms."""
        return None if self.column.histogram is None else bars_of(self.column.histogram)

    @property
    def how_far(self) -> str:
        """How far it moved, in the measure that suits its kind; empty when it was not measured."""
        column = self.column
        if column.wasserstein is not None:
            return _("{n} SD").format(n=words.number(column.wasserstein, 2))
        if column.jensen_shannon is not None:
            return _("JS {n}").format(n=words.number(column.jensen_shannon, 2))
        return ""

    @property
    def figures(self) -> list[tuple[str, str]]:
        """The measures people know, each with its name."""
        column = self.column
        told = (
            (_("p-value"), column.p_value),
            (_("Wasserstein (in standard deviations)"), column.wasserstein),
            (_("Jensen-Shannon"), column.jensen_shannon),
            (_("PSI"), column.psi),
            (_("Kolmogorov-Smirnov"), column.ks),
        )
        return [(name, words.number(value, 3)) for name, value in told if value is not None]

    @property
    def sentences(self) -> list[Check]:
        """What its checks say, the bad ones."""
        return [check for check in self.column.checks if check.status != "pass"]

    @property
    def rows(self) -> list[tuple[str, float, float]]:
        """Label, share of the reference, share now."""
        told = self.column.histogram
        return [] if told is None else list(zip(told.labels, told.reference, told.current, strict=True))


@dataclass(frozen=True)
class History:
    """One metric over time: realised, and what had been estimated of the same rows."""

    title: str
    points: tuple[QualityPoint, ...]
    lines: Lines | None

    @property
    def has_estimates(self) -> bool:
        """True when anything had been estimated."""
        return any(point.estimated is not None for point in self.points)

    @property
    def newest(self) -> QualityPoint:
        """The last point."""
        return self.points[-1]


@dataclass(frozen=True)
class Monitoring:
    """A report with what pages show of it. ``problem`` is told instead where there is no report."""

    report: Report | None
    problem: str = ""

    @cached_property
    def bad(self) -> list[Moved]:
        """The columns that moved or broke, worst first; the first ones open."""
        found = [column for column in self._told.columns if column.status != "pass"]
        return [Moved(column, place < OPENED) for place, column in enumerate(found)]

    @cached_property
    def good(self) -> list[Moved]:
        """The columns that did not."""
        return [Moved(column) for column in self._told.columns if column.status == "pass"]

    @cached_property
    def answers(self) -> list[Moved]:
        """What the model answered beside its first answers."""
        return [Moved(column) for column in self._told.answers]

    @cached_property
    def open_alerts(self) -> list[Alert]:
        """Alerts that are open, the gravest first."""
        order = ("critical", "warning", "info")
        return sorted(
            (alert for alert in self._told.alerts if alert.is_open),
            key=lambda alert: (order.index(alert.severity), alert.opened_at),
        )

    @cached_property
    def closed_alerts(self) -> list[Alert]:
        """The newest of those that are over."""
        return [alert for alert in self._told.alerts if not alert.is_open][:MOST_CLOSED]

    @cached_property
    def traffic_bars(self) -> Bars | None:
        """Rows step by step, errors before them."""
        steps = self._told.traffic.per_step
        return counts_of([rows for _at, rows, _errors in steps], [errors for _at, _rows, errors in steps])

    @cached_property
    def history(self) -> list[History]:
        """The metrics that were followed, each as a line."""
        by_name: dict[str, list[QualityPoint]] = {}
        for point in self._told.history:
            by_name.setdefault(point.name, []).append(point)
        return [_history(name, points[-MOST_POINTS:]) for name, points in by_name.items()]

    @cached_property
    def checks(self) -> list[Check]:
        """All checks, bad ones first."""
        return sorted(self._told.checks, key=lambda check: _RANKS[check.status])

    @property
    def is_quiet(self) -> bool:
        """True when no row came in the window."""
        return self._told.n_rows == 0 and self._told.traffic.n_requests == 0

    @property
    def status(self) -> str:
        """The worst there is to tell: ``pass``, ``warn`` or ``fail``; "" when nothing was judged."""
        if self.report is None or (self.is_quiet and not self.open_alerts):
            return ""
        found = [check.status for check in self.report.checks]
        found += ["fail" if alert.severity == "critical" else "warn" for alert in self.open_alerts]
        return min(found, key=_RANKS.__getitem__, default="")

    @property
    def _told(self) -> Report:
        if self.report is None:
            raise ValueError("there is no report")
        return self.report

    def watch_title(self, name: str) -> str:
        """Return a check of a window in words: ``Drift: age``."""
        return watch_title(name)

    def metric_title(self, name: str) -> str:
        """Return a metric in words; a name not known here is its own title."""
        return metric_title(name)

    def severity_words(self, severity: str) -> str:
        """Return how grave an alert is."""
        return _(_SEVERITIES[severity])

    def lasting(self, seconds: float) -> str:
        """Return a length of time in its largest unit."""
        return lasting(seconds)


def monitoring_of(plane: ControlPlane, version: Version) -> Monitoring | None:
    """Return what is known of a version's newest window; None where nothing is watched."""
    if plane.reports is None:
        return None
    try:
        return Monitoring(plane.reports(ReportQuery(version.name, version.number)))
    except BoucleError as error:
        return Monitoring(None, str(error))


def watch_title(name: str) -> str:
    """Return a check of a window in words.

    >>> watch_title("missing:age"), watch_title("something:else")
    ('Missing values: age', 'something:else')
    """
    word, _colon, subject = name.partition(":")
    if word not in _CHECKS:
        return name
    title = _(_CHECKS[word])
    if word in ("quality", "estimate"):
        subject = metric_title(subject)
    return _("{title}: {subject}").format(title=title, subject=subject) if subject else title


def metric_title(name: str) -> str:
    """Return a metric in words; a name not known here is its own title."""
    return _(_METRICS[name]) if name in _METRICS else name


def lasting(seconds: float) -> str:
    """Return a length of time in its largest unit.

    >>> lasting(93_600), lasting(45)
    ('1 day', '45 seconds')
    """
    if seconds >= 86_400:
        n = round(seconds / 86_400)
        return ngettext("{n} day", "{n} days", n).format(n=n)
    if seconds >= 3_600:
        n = round(seconds / 3_600)
        return ngettext("{n} hour", "{n} hours", n).format(n=n)
    if seconds >= 60:
        n = round(seconds / 60)
        return ngettext("{n} minute", "{n} minutes", n).format(n=n)
    n = round(seconds)
    return ngettext("{n} second", "{n} seconds", n).format(n=n)


def open_alerts(plane: ControlPlane) -> Counter[str]:
    """Return how many alerts are open of each model."""
    if plane.watching is None:
        return Counter()
    return Counter(alert.model for alert in plane.watching.alerts(AlertQuery(is_open=True, limit=1_000)))


def _history(name: str, points: Sequence[QualityPoint]) -> History:
    times = [point.at for point in points]
    realised = [point.realised for point in points]
    estimated = [point.estimated for point in points]
    return History(metric_title(name), tuple(points), lines_of(times, realised, estimated))
