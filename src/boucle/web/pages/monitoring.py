"""A report as pages and files show it: in words, worst first, each picture beside its figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from boucle.core.alert import Alert
from boucle.core.check import Check
from boucle.core.errors import BoucleError
from boucle.core.i18n import _
from boucle.core.report import ColumnReport, Metric, QualityPoint, Report
from boucle.core.version import Version
from boucle.loop.periodic import PastReport
from boucle.loop.reports import ReportQuery
from boucle.monitoring import metric_names
from boucle.monitoring.ports import AlertQuery
from boucle.web.pages import watch_names, words
from boucle.web.pages.alert_groups import Group, commands, evidence_of, groups_of
from boucle.web.pages.histograms import Bars, Lines, bars_of, counts_of, lines_of, share_bars, strip_of
from boucle.web.plane import ControlPlane

OPENED, MOST_CLOSED, MOST_POINTS = 1, 10, 60
LEAST_P = "< 1e-300"  # a p-value too small for a double is not nothing
_RANKS = {"fail": 0, "warn": 1, "pass": 2}


@dataclass(frozen=True)
class Moved:
    """A part of a profile as a row of the list: ``is_open`` when its picture is shown at once.

    ``opened_at`` is when the first alert about it opened that is still open: it moved no later than that.
    """

    column: ColumnReport
    is_open: bool = False
    opened_at: int | None = None

    @property
    def since(self) -> int | None:
        """Since when it moved, as far as is known."""
        known = [at for at in (self.column.since, self.opened_at) if at is not None]
        return min(known, default=None)

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
        if column.ks is not None:  # a reference that is constant has no standard deviation
            return _("KS {n}").format(n=words.number(column.ks, 2))
        if column.jensen_shannon is not None:
            return _("JS {n}").format(n=words.number(column.jensen_shannon, 2))
        return ""

    @property
    def figures(self) -> list[tuple[str, str]]:
        """The measures people know, each with its name."""
        column = self.column
        is_constant = column.ks is not None and column.wasserstein is None
        told = (
            (_("p-value"), column.p_value),
            (_("Wasserstein (in standard deviations)"), column.wasserstein),
            (_("Jensen-Shannon"), None if is_constant else column.jensen_shannon),
            (_("PSI"), None if is_constant else column.psi),
            (_("Kolmogorov-Smirnov"), column.ks),
        )
        found = [(name, words.number(value, 3)) for name, value in told if value is not None]
        return [(found[0][0], LEAST_P), *found[1:]] if column.p_value == 0 else found

    @property
    def is_levels(self) -> bool:
        """True when its bins are levels in no order, so that each has bars of its own."""
        return self.column.histogram is not None and not self.column.histogram.edges

    @property
    def sentences(self) -> list[Check]:
        """What its checks say, the bad ones."""
        return [check for check in self.column.checks if check.status != "pass"]

    @property
    def rows(self) -> list[tuple[str, float, float, tuple[str, str]]]:
        """Label, share of the reference, share now, and both as bars that lie."""
        told = self.column.histogram
        if told is None:
            return []
        top = max((*told.reference, *told.current), default=0.0) or 1.0
        shares = zip(told.labels, told.reference, told.current, strict=True)
        return [(label, before, now, share_bars(before / top, now / top)) for label, before, now in shares]


@dataclass(frozen=True)
class History:
    """One metric over time: realised, what had been estimated of the same rows, and how many outcomes are known."""

    title: str
    points: tuple[QualityPoint, ...]
    lines: Lines | None
    known: str = ""

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
    """A report with what pages show of it. ``problem`` is told instead where there is no report.

    ``past`` are the periodic reports that were kept, the newest first.
    """

    report: Report | None
    problem: str = ""
    past: tuple[PastReport, ...] = ()

    @cached_property
    def bad(self) -> list[Moved]:
        """The columns that moved or broke, worst first; the first ones open."""
        found = [column for column in self._told.columns if column.status != "pass"]
        opened = {group.subject: group.opened_at for group in self.groups if group.subject}
        return [Moved(column, place < OPENED, opened.get(column.name)) for place, column in enumerate(found)]

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
        """Alerts that are open."""
        return [alert for alert in self._told.alerts if alert.is_open]

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """They, those about one column together, the gravest first."""
        return groups_of(self.open_alerts)

    @property
    def n_critical(self) -> int:
        """How many of them are critical."""
        return sum(alert.severity == "critical" for alert in self.open_alerts)

    def part(self, name: str) -> Moved | None:
        """Return the column, or the part of the answers, that an alert is about."""
        found = (column for column in (*self._told.columns, *self._told.answers) if column.name == name)
        return next((Moved(column) for column in found), None)

    def commands(self, alert: Alert) -> str:
        """Return what one types about an alert. Its window is as long as the one of the report."""
        return commands(alert, self._told.window.stop - self._told.window.start)

    def evidence(self, check: Check) -> list[tuple[str, str]]:
        """Return what a check saw, for people."""
        return evidence_of(check)

    @property
    def metric(self) -> Metric | None:
        """The first figure of quality that is known, else the first that is estimated."""
        metrics = () if self._told.quality is None else self._told.quality.metrics
        known = [one for one in metrics if one.realised is not None]
        return next(iter([*known, *(one for one in metrics if one.estimated is not None)]), None)

    def status_of(self, name: str) -> str:
        """Return the status of a check of the window; "pass" when there is none."""
        return next((check.status for check in self._told.checks if check.name == name), "pass")

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
        return watch_names.watch_title(name)

    def metric_title(self, name: str) -> str:
        """Return a metric in words; a name not known here is its own title."""
        return metric_names.metric_title(name)

    def severity_words(self, severity: str) -> str:
        """Return how grave an alert is."""
        return watch_names.severity_words(severity)

    def lasting(self, seconds: float) -> str:
        """Return a length of time in its largest unit."""
        return watch_names.lasting(seconds)


def monitoring_of(plane: ControlPlane, version: Version) -> Monitoring | None:
    """Return what is known of a version's newest window; None where nothing is watched."""
    if plane.reports is None:
        return None
    try:
        past = () if plane.shelf is None else plane.shelf.list(version.name)
        return Monitoring(plane.reports(ReportQuery(version.name, version.number)), past=past)
    except BoucleError as error:
        return Monitoring(None, str(error))


@dataclass(frozen=True)
class OpenAlerts:
    """How many alerts of a model are open, and how many of them are critical."""

    n: int = 0
    n_critical: int = 0


def open_alerts(plane: ControlPlane) -> dict[str, OpenAlerts]:
    """Return what is open of each model that has open alerts."""
    if plane.watching is None:
        return {}
    found = plane.watching.alerts(AlertQuery(is_open=True, limit=1_000))
    counted = Counter(alert.model for alert in found)
    grave = Counter(alert.model for alert in found if alert.severity == "critical")
    return {model: OpenAlerts(n, grave[model]) for model, n in counted.items()}


def _history(name: str, points: Sequence[QualityPoint]) -> History:
    times = [point.at for point in points]
    realised = [point.realised for point in points]
    estimated = [point.estimated for point in points]
    lines, known = lines_of(times, realised, estimated), strip_of(times, [point.n_labelled for point in points])
    return History(metric_names.metric_title(name), tuple(points), lines, known)
