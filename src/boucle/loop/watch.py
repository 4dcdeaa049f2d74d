"""Watching: each model is looked at in turn, its new windows are judged, and what changed is told once.

A look writes down what it came to in one transaction, window by window: killed at any moment, the next look judges
that window again from the same profiles and comes to the same.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from boucle.core.check import Check
from boucle.core.grid import Grid
from boucle.core.profile import Profile
from boucle.core.reference import Reference
from boucle.core.report import Span
from boucle.core.series import Series
from boucle.core.signature import Signature
from boucle.core.version import CHAMPION, Version
from boucle.core.watching import DAY_S, WatchPolicy
from boucle.labels.ports import TruthReader
from boucle.loop.memory import Memory
from boucle.monitoring.alerting import Look, notifications, update
from boucle.monitoring.data_tests import freshness
from boucle.monitoring.estimates import Calibration, calibrated
from boucle.monitoring.feeding import ConceptWatch, DetectorMaker
from boucle.monitoring.judging import Basis, Seen, late_checks, window_checks
from boucle.monitoring.ports import AlertQuery, Judged, Key, ProfileStore, Stream, Verdict, WatchStore
from boucle.monitoring.quality import Labelled, labels_come
from boucle.monitoring.steps import MINUTE, SECOND, whole_until, windows_due
from boucle.registry.registry import Registry

log = logging.getLogger(__name__)
STREAMS: tuple[Stream, ...] = ("traffic", "features", "answers", "quality")
ALL_TIME = Span(-(2**62), 2**62)
MOST_WINDOWS = 100  # of one look: the next look goes on
USUAL_WINDOWS = 7
DAYS = (1, 2, 3)  # before, whose same hours say what is usual
ESTIMATE, FEED, INPUT = "estimate:", "feed:", "concept:input:"
MOST_OPEN = 1_000_000  # all of them: one that is not seen would be opened twice

Judge = Callable[[Version, WatchPolicy, Span], tuple[Check, ...]]
"""Judges the expectations of a policy on the rows of a window."""


def _no_expectations(version: Version, policy: WatchPolicy, window: Span) -> tuple[Check, ...]:
    del version, policy, window
    return ()


@dataclass(frozen=True)
class WatchWorld:
    """All that watching reaches outside itself. ``channels`` names those that alerts are told to; ``now`` is UTC us."""

    registry: Registry
    profiles: ProfileStore
    truths: TruthReader
    store: WatchStore
    now: Callable[[], int]
    channels: tuple[str, ...] = ()
    expectations: Judge = _no_expectations
    detectors: Mapping[str, DetectorMaker] = field(default_factory=dict)
    ensure_held: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Watched:
    """What a round did: windows judged, alerts opened and closed, models whose look failed."""

    n_windows: int = 0
    n_opened: int = 0
    n_closed: int = 0
    failed: tuple[str, ...] = ()


def watch(world: WatchWorld) -> Watched:
    """Look at the champion of each model. A model that cannot be judged is logged and holds no other."""
    n_windows = n_opened = n_closed = 0
    failed = []
    for model in world.registry.models():
        number = model.aliases.get(CHAMPION)
        if number is None:
            continue
        world.ensure_held()
        try:
            looked = Looking(world, world.registry.version(model.name, number)).look()
        except Exception:  # one model must not hold the others
            world.ensure_held()
            log.exception("model %s could not be watched", model.name)
            failed.append(model.name)
            continue
        n_windows, n_opened, n_closed = n_windows + looked[0], n_opened + looked[1], n_closed + looked[2]
    return Watched(n_windows, n_opened, n_closed, tuple(failed))


class Looking:
    """One look at one version."""

    def __init__(self, world: WatchWorld, version: Version) -> None:
        self.world, self.version = world, version
        self.policy = world.store.policy(version.name)
        self.memory = Memory.read(world.store.state(version.name), version.number)
        self._counts = [0, 0, 0]
        self._is_behind = False

    def look(self) -> tuple[int, int, int]:
        """Judge what is due; return how many windows were judged, alerts opened and closed."""
        reference = self.world.profiles.reference(self.version.name, self.version.number)
        newest = self.world.profiles.newest(self._key("traffic"))
        now, before = self.world.now(), self.memory.document()
        self.memory.quiet_s("champion", 0, now)  # remembers the first look at this champion
        if reference is not None and newest is not None:
            self._look(reference, newest, now)
        self._freshness(max(newest + MINUTE if newest is not None else 0, self.memory.seen["champion"][1]), now)
        if self.memory.document() != before and not self._counts[0]:
            self.world.store.judged(Judged(self.version.name, self.memory.document()))
        return self._counts[0], self._counts[1], self._counts[2]

    def _look(self, reference: Reference, newest: int, now: int) -> None:
        until = whole_until(newest, now, self.memory.quiet_s("traffic", newest, now))
        labelled = self.world.profiles.newest(self._key("quality"))
        late = 0 if labelled is None else whole_until(labelled, until, self.memory.quiet_s("quality", labelled, now))
        self.memory.forget_slices(self.policy.slices)
        if labelled is not None:
            self.memory.wait(newest, labelled)
        step = self.policy.step_s * SECOND
        reached = [max(until, self.memory.judged_until) // step, max(late, self.memory.late_until) // step]
        if reached != self.memory.looked:
            self._judge(reference, (until, late), now)
            self.memory.looked = self.memory.looked if self._is_behind else reached

    def _judge(self, reference: Reference, until: tuple[int, int], now: int) -> None:
        """Judge the windows that are whole, oldest first: until when for rows, and until when for outcomes."""
        series: dict[str, Series] = {name: self._series(name) for name in STREAMS if name in reference.grids}
        concept = ConceptWatch(reference, self.policy, self.world.detectors)
        concept.restore(self.memory.concept)
        due = windows_due(series["traffic"].times, self.memory.judged_until, until[0], self.policy)
        late = windows_due(series["quality"].times, self.memory.late_until, until[1], self.policy)
        self._is_behind = max(len(due), len(late)) > MOST_WINDOWS
        for window in due[:MOST_WINDOWS]:
            self.world.ensure_held()
            concept.advance(series, window.stop)
            seen = self._seen(series, window)
            found = [*self._checks(reference, series, seen)]
            broken = {
                check.name.partition(":")[2] for check in found if check.name.startswith(FEED) and check.is_failed
            }
            found += [check for check in concept.checks(window) if check.name.removeprefix(INPUT) not in broken]
            found += self.world.expectations(self.version, self.policy, window)
            checks = {"": [*found, *self._outcomes(window)], **self._sliced(reference, seen)}
            self.memory.concept = concept.state()
            self.memory.judged_until = window.stop
            self._write(window, checks, now)
        for window in late[:MOST_WINDOWS]:
            self.world.ensure_held()
            self.memory.late_until = window.stop
            self._write(window, self._late(reference, series, window), now)

    def _checks(self, reference: Reference, series: dict[str, Series], seen: Seen) -> Sequence[Check]:
        """Return the checks of a window that need no ground truth, what is estimated before it comes among them.

        Nothing is estimated of rows whose feed is broken: a model is often surest where it knows least.
        """
        if seen.is_whole:
            self.memory.learn("answers", series["answers"], seen.window.stop)
        basis = self._basis(reference)
        checks = window_checks(basis, seen)
        if any(check.name.startswith(FEED) and check.is_failed for check in checks):
            return checks
        unknown = Labelled(
            Profile.empty(reference.grids["quality"]),
            seen.answers,
            baseline_answers=basis.answers,
            calibration=self._learnt(series, seen.window, basis.signature),
        )
        estimates = [check for check in late_checks(basis, unknown) if check.name.startswith(ESTIMATE)]
        return [*checks, *estimates]

    def _learnt(self, series: Mapping[str, Series], window: Span, signature: Signature) -> Calibration:
        return calibrated(series["quality"].within(Span(ALL_TIME.start, window.stop)), signature)

    def _basis(self, reference: Reference) -> Basis:
        features = reference.profiles.get("features")
        return Basis(
            self.version.manifest.schema,
            self.version.signature or self.version.manifest.signature,
            self.policy,
            features if features is not None and features.n_rows else None,
            self.memory.baseline("answers", reference.grids["answers"]),
        )

    def _outcomes(self, window: Span) -> list[Check]:
        """Return whether outcomes still come; nothing before it is known how long they take."""
        longest_us = self.memory.patience()
        if longest_us is None:
            return []
        return [labels_come(window.stop, self.memory.labels["newest"], longest_us, self.policy.window_s * SECOND)]

    def _seen(self, series: Mapping[str, Series], window: Span) -> Seen:
        found = {name: series[name].within(window) for name in ("traffic", "features", "answers") if name in series}
        step = Span(window.stop - self.policy.step_s * SECOND, window.stop)
        is_part = "features" in series and self.policy.step_s < self.policy.window_s
        return Seen(
            window,
            found.get("features"),
            found.get("answers"),
            found.get("traffic"),
            _usual(series["answers"], window),
            is_whole=series["traffic"].times[0] < window.start + self.policy.step_s * SECOND,
            step=series["features"].within(step) if is_part else None,
            usual_steps=partial(self._same_hours, step),
        )

    def _same_hours(self, step: Span) -> tuple[Profile, ...]:
        """Return the features of a step in the days before: read only when a step looks broken."""
        spans = [Span(step.start - days * DAY_S * SECOND, step.stop - days * DAY_S * SECOND) for days in DAYS]
        return tuple(self.world.profiles.series(self._key("features"), span).within(span) for span in spans)

    def _sliced(self, reference: Reference, seen: Seen) -> dict[str, list[Check]]:
        """Return the checks of each slice of the policy that holds enough rows, against its own first ones."""
        found: dict[str, list[Check]] = {}
        for where in self.policy.slices:
            name = f"features {where}"
            since = seen.window.start if name in self.memory.baselines else ALL_TIME.start
            rows = self.world.profiles.series(self._key("features", where), Span(since, seen.window.stop))
            if seen.is_whole:
                self.memory.learn(name, rows, seen.window.stop)
            profile = rows.within(seen.window)
            if profile.grid.parts and profile.n_rows >= self.policy.least_rows:
                basis = replace(self._basis(reference), features=self.memory.baseline(name, profile.grid))
                own = Seen(seen.window, profile, is_whole=seen.is_whole, own=where.partition("=")[0])
                found[where] = list(window_checks(basis, own))
        return found

    def _late(self, reference: Reference, series: Mapping[str, Series], window: Span) -> dict[str, list[Check]]:
        """Return the checks that need ground truth, of all rows and of each slice."""
        basis, grid = self._basis(reference), reference.grids["quality"]
        self.memory.learn("quality", series["quality"], window.stop)
        labelled = Labelled(
            series["quality"].within(window),
            series["answers"].within(window),
            baseline=self.memory.baseline("quality", grid),
            baseline_answers=basis.answers,
            calibration=self._learnt(series, window, basis.signature),
            stated=self.version.manifest.metrics,
            n_unknown=self.world.truths.n_unknown(self.version.name, window),
        )
        found = {"": [check for check in late_checks(basis, labelled) if not check.name.startswith(ESTIMATE)]}
        if not any(check.is_failed for check in found[""]):
            self.memory.grow("quality", series["quality"], window.stop)
        for where in self.policy.slices:
            found[where] = self._late_of_slice(basis, where, window, grid)
        return found

    def _late_of_slice(self, basis: Basis, where: str, window: Span, grid: Grid) -> list[Check]:
        """Return the quality of a slice against its own first labelled rows: what was always harder is no news."""
        name = f"quality {where}"
        own = self.world.profiles.series(self._key("quality", where), Span(ALL_TIME.start, window.stop))
        self.memory.learn(name, own, window.stop)
        baseline = self.memory.baseline(name, grid)
        if baseline is None:
            return []
        checks = late_checks(basis, Labelled(own.within(window), baseline=baseline))
        return [check for check in checks if check.name != "labels"]

    def _freshness(self, newest: int, now: int) -> None:
        """Look for silence since the newest row, or since this version is the champion: what is as it was stays."""
        if self.policy.silent_after_s is None:
            return
        check = freshness(now, newest, self.policy.silent_after_s)
        held = self.world.store.alerts(AlertQuery(self.version.name, is_open=True, limit=MOST_OPEN))
        if check.is_failed != any(alert.check.name == check.name for alert in held):
            self._write(Span(newest, now), {"": [check]}, now, is_window=False)

    def _write(self, window: Span, checks: Mapping[str, Sequence[Check]], now: int, *, is_window: bool = True) -> None:
        """Write down what a window came to: verdicts, alerts, what is to be told, and the memory of the next look."""
        store, name = self.world.store, self.version.name
        known = store.alerts(AlertQuery(name, is_open=True, limit=MOST_OPEN))
        look = Look(name, self.version.number, window.stop, now, self.memory.streaks)
        changed = update(known, checks, self.policy, look)
        self.memory.streaks = changed.state
        verdicts = self._verdicts(window, checks) if is_window else ()
        told = notifications(changed.events, self.world.channels, now)
        store.judged(Judged(name, self.memory.document(), verdicts, changed.alerts, told))
        opened = sum(event == "opened" for event, _alert in changed.events)
        self._counts[0] += is_window
        self._counts[1] += opened
        self._counts[2] += len(changed.events) - opened

    def _verdicts(self, window: Span, checks: Mapping[str, Sequence[Check]]) -> tuple[Verdict, ...]:
        """Return what is known of a window now: what its rows said stays when its outcomes come."""
        name, number = self.version.name, self.version.number
        held = self.world.store.verdicts(name, Span(window.stop, window.stop + 1))
        before = {one.slice: one.checks for one in held if (one.version, one.window) == (number, window)}
        found = []
        for where, of_slice in checks.items():
            new = {check.name for check in of_slice}
            kept = [check for check in before.get(where, ()) if check.name not in new]
            if of_slice:
                found.append(Verdict(name, number, window, (*of_slice, *kept), where))
        return tuple(found)

    def _series(self, stream: Stream) -> Series:
        """Return what windows may need: from the first window that is due; all of the quality, which teaches."""
        if stream == "quality" or self.memory.judged_until == 0:
            return self.world.profiles.series(self._key(stream), ALL_TIME)
        first = min(self.memory.judged_until, self.memory.late_until or self.memory.judged_until)
        if stream == "answers" and not self.memory.late_until:
            return self.world.profiles.series(self._key(stream), ALL_TIME)  # labels may be about any of them
        n_windows = USUAL_WINDOWS + 1
        if stream == "features":  # by far the widest: only what is judged, outcomes apart
            first, n_windows = self.memory.judged_until, 1
        start = first - n_windows * self.policy.window_s * SECOND
        return self.world.profiles.series(self._key(stream), Span(start, ALL_TIME.stop))

    def _key(self, stream: Stream, where: str = "") -> Key:
        return Key(self.version.name, self.version.number, stream, where)


def _usual(answers: Series, window: Span) -> float | None:
    """Return the median number of rows of the windows of the same length before; None before there are three."""
    length = window.stop - window.start
    starts = [window.start - (place + 1) * length for place in range(USUAL_WINDOWS)]
    counts = sorted(answers.within(Span(start, start + length)).n_rows for start in starts)
    seen = [count for count in counts if count]
    return float(seen[len(seen) // 2]) if len(seen) >= 3 else None
