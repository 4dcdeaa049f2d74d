"""Reports: the profiles, verdicts and alerts of a window, fetched and put together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from boucle.core.alert import Alert
from boucle.core.check import Check
from boucle.core.errors import NotFound
from boucle.core.i18n import _
from boucle.core.profile import Profile
from boucle.core.reference import Reference
from boucle.core.report import Quality, QualityPoint, Report, Span
from boucle.core.series import Series
from boucle.core.version import CHAMPION, Version
from boucle.labels.ports import TruthReader
from boucle.loop.memory import Memory
from boucle.monitoring import reporting
from boucle.monitoring.estimates import calibrated, honesty
from boucle.monitoring.judging import Basis, Seen, late_checks, window_checks
from boucle.monitoring.metrics import realised
from boucle.monitoring.ports import AlertQuery, Key, ProfileStore, Stream, Verdict, WatchStore
from boucle.monitoring.quality import Labelled, quality_of
from boucle.monitoring.steps import MINUTE, SECOND
from boucle.registry.registry import Registry

ALWAYS = Span(-(2**62), 2**62)
STREAMS: tuple[Stream, ...] = ("traffic", "features", "answers", "quality")
MOST_ALERTS, PAST_ALERTS = 200, 50
OF_LOOKS = frozenset({"concept", "expectation", "freshness", "labels"})
HISTORY_STEPS, HISTORY_METRICS = 60, ("accuracy", "f1", "auc", "mae", "rmse")


@dataclass(frozen=True)
class ReportQuery:
    """Which window (None: the newest of the policy) of which version (the champion), against what."""

    model: str
    version: int | None = None
    since: int | None = None
    until: int | None = None
    against: Span | None = None
    slice: str = ""


@dataclass(frozen=True)
class ReportWorld:
    """What reports are made from. ``series`` reads one, perhaps from memory; ``now`` is UTC microseconds."""

    registry: Registry
    profiles: ProfileStore
    truths: TruthReader
    store: WatchStore
    now: Callable[[], int]
    series: Callable[[Key, Span], Series]


def report(world: ReportWorld, query: ReportQuery) -> Report:
    """Return the report of a window. Raises NotFound for a model, version or slice that is not there.

    A version that nobody asked yet, or of which no reference was sent, has a report that says so.
    """
    version = _version(world, query)
    reference = world.profiles.reference(version.name, version.number)
    policy = world.store.policy(version.name)
    if query.slice and query.slice not in policy.slices:
        raise NotFound(_("slice"), query.slice, policy.slices)
    window = _window(world, query, version, policy.window_s)
    alerts = _alerts(world, query, window)
    empty = Report(version.name, version.number, window, world.now(), slice=query.slice, alerts=alerts)
    if reference is None:
        return replace(empty, summary=(_("Nobody has asked this version yet."),))
    return _Making(world, query, version, reference).made(empty)


class _Making:
    """The report of one window of one version."""

    def __init__(self, world: ReportWorld, query: ReportQuery, version: Version, reference: Reference) -> None:
        self.world, self.query, self.version, self.reference = world, query, version, reference
        self.policy = world.store.policy(version.name)
        self.signature = version.signature or version.manifest.signature
        self.memory = Memory.read(world.store.state(version.name), version.number)

    def made(self, empty: Report) -> Report:
        """Return the report."""
        window = empty.window
        series: dict[str, Series] = {name: self._series(name) for name in STREAMS if name in self.reference.grids}
        current = {name: found.within(window) for name, found in series.items()}
        features = current.get("features")
        basis = self._basis(series)
        own = self.query.slice.partition("=")[0]
        begun = series["traffic"].times[0] if len(series["traffic"]) else window.stop
        seen = Seen(
            window,
            features,
            current.get("answers"),
            current.get("traffic"),
            is_whole=self.query.against is not None or begun < window.start + self.policy.step_s * SECOND,
            own=own,
        )
        verdicts = self._verdicts(window)
        history = self._history(series.get("quality"), window)
        labelled = self._labelled(series, current, basis, window)
        checks = self._checks(basis, seen, labelled, verdicts)
        apart = self._apart(history)
        if any(point.estimated is not None for point in apart):
            checks = (*checks, honesty(apart))
        quality = self._quality(labelled, checks)
        slices = {one.slice: reporting.worst_of(one.checks) for one in verdicts if one.slice in self.policy.slices}
        n_rows = features.n_rows if features is not None else current["answers"].n_rows
        n_waiting = self.world.truths.counts(self.version.name).waiting
        found = reporting.Found(checks, empty.alerts, quality, slices, n_rows, self.policy.least_rows, n_waiting)
        columns = reporting.feature_columns(basis, seen, checks, series["features"]) if features is not None else ()
        return replace(
            empty,
            n_reference=basis.features.n_rows if basis.features is not None else 0,
            n_rows=n_rows,
            against="reference" if self.query.against is None else "window",
            summary=reporting.summary(found),
            checks=reporting.worst_first(checks),
            columns=columns,
            answers=reporting.answer_columns(basis, current.get("answers"), checks),
            quality=quality if quality.n_labelled or quality.metrics else None,
            history=history,
            traffic=replace(reporting.traffic_of(series["traffic"], window), n_rows=current["answers"].n_rows),
            slices=tuple(slices.items()),
        )

    def _basis(self, series: Mapping[str, Series]) -> Basis:
        """Return what the window is compared with: the reference (a slice's first rows in service), or a window."""
        features: Profile | None = self.reference.profiles.get("features")
        if self.query.slice and "features" in self.reference.grids:
            features = self.memory.baseline(f"features {self.query.slice}", self.reference.grids["features"])
        answers = self.memory.baseline("answers", self.reference.grids["answers"])
        if self.query.against is not None:
            features = series["features"].within(self.query.against) if "features" in series else None
            answers = series["answers"].within(self.query.against)
        has_rows = features is not None and features.n_rows > 0
        return Basis(self.version.manifest.schema, self.signature, self.policy, features if has_rows else None, answers)

    def _checks(
        self, basis: Basis, seen: Seen, labelled: Labelled | None, verdicts: tuple[Verdict, ...]
    ) -> tuple[Check, ...]:
        """Return the checks of the very window, with those of the last look in it that only a look can make."""
        made = [*window_checks(basis, seen)]
        if labelled is not None and not self.query.slice:
            made += [check for check in late_checks(basis, labelled) if labelled.quality.n_rows or _is_guess(check)]
        broken = [
            check for verdict in verdicts if self._is_of(verdict, seen.window) for check in _broken(verdict.checks)
        ]
        if broken or _broken(made):
            made = [check for check in made if not _is_guess(check)]
        found = {check.name: check for check in (*made, *broken)}
        for verdict in reversed(verdicts):  # the newest word holds
            if verdict.slice == "" and self.query.slice == "":
                of_looks = [check for check in verdict.checks if check.name.partition(":")[0] in OF_LOOKS]
                found |= {check.name: check for check in of_looks if check.name not in found}
        return tuple(found.values())

    def _is_of(self, verdict: Verdict, window: Span) -> bool:
        """True for the look at the newest step of a window: it sees feeds that broke just now."""
        step = self.policy.step_s * SECOND
        return verdict.slice == self.query.slice and window.stop - step < verdict.window.stop < window.stop + step

    def _verdicts(self, window: Span) -> tuple[Verdict, ...]:
        """Return the newest verdicts of each slice that end in the window, so that it says what its looks said."""
        ended = Span(window.start + 1, window.stop + self.policy.step_s * SECOND)
        held = self.world.store.verdicts(self.version.name, ended)
        newest: dict[tuple[str, bool], Verdict] = {}
        for verdict in held:
            if verdict.version == self.version.number:
                is_late = any(check.name == "labels" for check in verdict.checks)
                newest[(verdict.slice, is_late)] = verdict
        return tuple(sorted(newest.values(), key=lambda verdict: verdict.window.stop))

    def _labelled(
        self, series: Mapping[str, Series], current: Mapping[str, Profile], basis: Basis, window: Span
    ) -> Labelled | None:
        """Return what is known of outcomes in the window; None for a version that has no quality."""
        if "quality" not in series:
            return None
        return Labelled(
            current["quality"],
            current.get("answers"),
            baseline=self.memory.baseline("quality", self.reference.grids["quality"]),
            baseline_answers=basis.answers,
            calibration=calibrated(series["quality"].within(Span(ALWAYS.start, window.stop)), self.signature),
            stated=self.version.manifest.metrics,
            n_unknown=self.world.truths.n_unknown(self.version.name, window),
        )

    def _quality(self, labelled: Labelled | None, checks: Iterable[Check]) -> Quality:
        """Return the figures of the window; nothing is estimated of rows whose feed is broken."""
        if labelled is None:
            return Quality()
        found = quality_of(labelled, self.signature)
        if not _broken(checks):
            return found
        real = [replace(metric, estimated=None) for metric in found.metrics if metric.realised is not None]
        return replace(found, metrics=tuple(real))

    def _apart(self, history: Sequence[QualityPoint]) -> tuple[QualityPoint, ...]:
        """Return the points whose windows do not overlap: only those say anything anew."""
        found: list[QualityPoint] = []
        for name in HISTORY_METRICS:
            until = float("inf")
            for point in reversed([point for point in history if point.name == name]):
                if point.at <= until:
                    found.append(point)
                    until = point.at - self.policy.window_s * SECOND
        return tuple(found)

    def _history(self, series: Series | None, window: Span) -> tuple[QualityPoint, ...]:
        """Return figures of the windows of the newest steps, beside what had been estimated of the same rows."""
        if series is None:
            return ()
        step = self.policy.step_s * SECOND
        starts = sorted({time // step * step for time in series.times if time < window.stop})[-HISTORY_STEPS:]
        estimates = self._estimates(Span(starts[0], window.stop + step)) if starts else {}
        points = []
        for start in starts:
            stop = start + step
            profile = series.within(Span(stop - self.policy.window_s * SECOND, stop))
            for metric in realised(profile, self.signature):
                if metric.name in HISTORY_METRICS:
                    guess = estimates.get((stop, metric.name))
                    points.append(QualityPoint(stop, metric.name, metric.realised, guess, profile.n_rows))
        return tuple(points)

    def _estimates(self, span: Span) -> dict[tuple[int, str], float]:
        """Return what was estimated of windows before their outcomes came, by the end of the window and metric."""
        found = {}
        for verdict in self.world.store.verdicts(self.version.name, span):
            is_own = (verdict.version, verdict.slice) == (self.version.number, self.query.slice)
            for check in verdict.checks if is_own else ():
                if _is_guess(check):
                    found[verdict.window.stop, check.name.partition(":")[2]] = check.evidence["estimated"]
        return found

    def _series(self, stream: Stream) -> Series:
        key = Key(self.version.name, self.version.number, stream, self.query.slice)
        if self.query.slice and stream == "traffic":
            key = replace(key, slice="")
        return self.world.series(key, ALWAYS)


def _broken(checks: Iterable[Check]) -> list[Check]:
    return [check for check in checks if check.name.startswith("feed:") and check.is_failed]


def _is_guess(check: Check) -> bool:
    return check.name.startswith("estimate:")


def _version(world: ReportWorld, query: ReportQuery) -> Version:
    model = world.registry.model(query.model)
    number = query.version if query.version is not None else model.aliases.get(CHAMPION)
    if number is None:
        raise NotFound(_("alias"), CHAMPION, list(model.aliases), _("Deploy a model that passes its build."))
    return world.registry.version(query.model, number)


def _alerts(world: ReportWorld, query: ReportQuery, window: Span) -> tuple[Alert, ...]:
    """Return the alerts that were open in a window, those that still are first; the newest has the past ones too."""
    held = [
        world.store.alerts(AlertQuery(query.model, is_open=is_open, limit=MOST_ALERTS)) for is_open in (True, False)
    ]
    if query.until is None:
        return (*held[0], *held[1][:PAST_ALERTS])
    found = [alert for alert in (*held[0], *held[1]) if alert.opened_at <= window.stop]
    return tuple(one for one in found if one.closed_at is None or one.closed_at > window.start)[:MOST_ALERTS]


def _window(world: ReportWorld, query: ReportQuery, version: Version, length_s: int) -> Span:
    newest = world.profiles.newest(Key(version.name, version.number, "traffic"))
    until = query.until if query.until is not None else (world.now() if newest is None else newest + MINUTE)
    since = query.since if query.since is not None else until - length_s * SECOND
    return Span(since, until)
