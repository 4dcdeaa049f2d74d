"""Feeding: new rows of the profiles, put together into blocks and given to the monitors, each row once.

The wanted rarity of false alarms holds for rows that are independent of each other. Where rows that follow each other
are alike (a daily cycle, one busy caller), a block is unlike the reference without any change: its signals raise
alarms, and the baseline taken after them is that of the hour. The tests of whole windows are those to trust there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from boucle.core.check import Check
from boucle.core.i18n import _
from boucle.core.profile import Profile
from boucle.core.reference import Reference
from boucle.core.report import Span
from boucle.core.series import Series
from boucle.core.watching import WatchPolicy
from boucle.monitoring.concept import Block, ConceptMonitor, Moved, tuned
from boucle.monitoring.ports import Detector
from boucle.monitoring.signals import CORRECT, Counts, Family, Grouping, groupings, tallies

BLOCK_ROWS = 50
HOUR = 3_600_000_000
LATE_HOURS = 14 * 24
STREAMS = ("features", "answers", "quality")
ABSOLUTE_ERROR = "absolute_error"

DetectorMaker = Callable[[dict[str, Any]], Detector]


class Feed(Protocol):
    """Gives blocks of the rows that it has not given yet; its state is a JSON document."""

    def take(self, series: Series, until: int) -> Iterator[Block]:
        """Return the blocks of new rows before a time."""

    def state(self) -> dict[str, Any]:
        """Return what to restore it from."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""


class _Pending:
    """Counts of rows that are too few yet for a block."""

    def __init__(self, parts: tuple[Grouping, ...]) -> None:
        self.parts = parts
        self.clear()

    def clear(self) -> None:
        self.n, self.start = 0, None
        self.counts: dict[str, Counts] = {part.name: [0.0] * part.n_groups for part in self.parts}

    n: int
    start: int | None

    def add(self, at: int, n: int, counts: Mapping[str, Counts]) -> None:
        self.n += n
        self.start = at if self.start is None else self.start
        for name, found in counts.items():
            self.counts[name] = [a + b for a, b in zip(self.counts[name], found, strict=True)]

    def blocks(self, stop: int) -> Iterator[Block]:
        if self.n >= BLOCK_ROWS:
            yield Block(stop if self.start is None else self.start, stop, self.n, self.counts)
            self.clear()

    def state(self) -> dict[str, Any]:
        return {"n": self.n, "start": self.start, "counts": self.counts}

    def restore(self, state: Mapping[str, Any]) -> None:
        kept = state.get("counts", {})
        if all(len(kept.get(part.name, ())) == part.n_groups for part in self.parts):
            self.n, self.start, self.counts = state["n"], state["start"], {name: list(kept[name]) for name in kept}


class StepFeed:
    """Steps in order of time, each once: what comes later for a step already given (a late batch) is not given."""

    def __init__(self, parts: tuple[Grouping, ...]) -> None:
        self.parts, self.position = parts, 0
        self._pending = _Pending(parts)

    def take(self, series: Series, until: int) -> Iterator[Block]:
        """Return the blocks of the steps from the position until ``until``; a step is never cut."""
        times = [time for time in series.times if self.position <= time < until]
        for place, time in enumerate(times):
            following = times[place + 1] if place + 1 < len(times) else until
            profile = series.within(Span(time, time + 1))
            self.position = time + 1
            if profile.n_rows > 0:
                self._pending.add(time, profile.n_rows, tallies(profile, self.parts))
                yield from self._pending.blocks(following)

    def state(self) -> dict[str, Any]:
        """Return the position and the rows that wait for a block."""
        return {"position": self.position, "pending": self._pending.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        self.position = int(state.get("position", 0))
        self._pending.restore(state.get("pending", {}))


class LateFeed:
    """Ground truth comes late and out of order: by hour, what was counted since the last look, of the last 14 days.

    What comes later still is in the quality of its time, but not in a block. A corrected outcome counts once more. An
    hour that comes as a whole (outcomes sent in bulk) is taken step by step: one block of thousands of rows would be
    too large for a baseline of some hundreds.
    """

    def __init__(self, parts: tuple[Grouping, ...]) -> None:
        self.parts = parts
        self._seen: dict[int, dict[str, Counts]] = {}
        self._pending = _Pending(parts)

    def take(self, series: Series, until: int) -> Iterator[Block]:
        """Return the blocks of rows that were labelled since the last look, oldest hours first."""
        hours = sorted({time // HOUR * HOUR for time in series.times if time < until})
        hours = [hour for hour in hours if hour > until - LATE_HOURS * HOUR]
        for hour in hours:
            within = Span(hour, min(hour + HOUR, until))
            is_whole = not self._seen.get(hour)
            n, counts = self._new(hour, series.within(within))
            if is_whole and n > BLOCK_ROWS:
                yield from self._stepwise(series, within)
            elif n > 0:
                self._pending.add(hour, n, counts)
                yield from self._pending.blocks(within.stop)
        self._seen = {hour: self._seen[hour] for hour in hours if hour in self._seen}

    def _stepwise(self, series: Series, within: Span) -> Iterator[Block]:
        times = [time for time in series.times if within.start <= time < within.stop]
        for time, following in zip(times, [*times[1:], within.stop], strict=True):
            profile = series.within(Span(time, time + 1))
            counts = tallies(profile, self.parts)
            n = int(max((sum(found) for found in counts.values()), default=0.0))
            if n > 0:
                self._pending.add(time, n, counts)
                yield from self._pending.blocks(following)

    def _new(self, hour: int, profile: Profile) -> tuple[int, dict[str, Counts]]:
        counts = tallies(profile, self.parts)
        seen = self._seen.get(hour, {})
        self._seen[hour] = counts
        new = {
            name: [max(0.0, a - b) for a, b in zip(found, seen.get(name, [0.0] * len(found)), strict=True)]
            for name, found in counts.items()
        }
        return int(max((sum(found) for found in new.values()), default=0.0)), new

    def state(self) -> dict[str, Any]:
        """Return what was seen, by hour, and the rows that wait for a block."""
        return {"seen": {str(hour): counts for hour, counts in self._seen.items()}, "pending": self._pending.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        lengths = {part.name: part.n_groups for part in self.parts}
        self._seen = {
            int(hour): counts
            for hour, counts in state.get("seen", {}).items()
            if {name: len(found) for name, found in counts.items()} == lengths
        }
        self._pending.restore(state.get("pending", {}))


class ConceptWatch:
    """The monitors of one version: of its rows, its answers and its outcomes, each fed when its rows are there.

    ``detectors`` make those of ``policy.detectors`` that are not ``cusum`` (from their state, {} at first); they look
    at the errors of each block, as a share or as their mean number of bins.
    """

    def __init__(self, reference: Reference, policy: WatchPolicy, detectors: Mapping[str, DetectorMaker]) -> None:
        self.policy = policy
        self._makers = {name: detectors[name] for name in policy.detectors if name != "cusum"}
        self._detectors = {name: make({}) for name, make in self._makers.items()}
        self._alarms: dict[str, list[int]] = {name: [] for name in self._makers}
        found = {stream: _parts(reference, stream) for stream in STREAMS if stream in reference.grids}
        n_signals = sum(len(parts) for parts in found.values())
        tuning = tuned(policy.false_alarm_rows, BLOCK_ROWS, n_signals)
        self.monitors: dict[str, ConceptMonitor] = {}
        self.feeds: dict[str, Feed] = {}
        for stream, parts in found.items():
            profile = reference.profiles.get(stream)
            bases = tallies(profile, parts) if profile is not None and profile.n_rows else {}
            self.monitors[stream] = ConceptMonitor(parts, bases, tuning)
            self.feeds[stream] = LateFeed(parts) if stream == "quality" else StepFeed(parts)

    def advance(self, series: Mapping[str, Series], until: int) -> tuple[Moved, ...]:
        """Give the monitors all new rows before ``until`` (UTC us); return which signals raised alarms, in order."""
        found: list[Moved] = []
        for stream, monitor in self.monitors.items():
            if stream not in series:
                continue
            for block in self.feeds[stream].take(series[stream], until):
                found += monitor.update(block, until)
                if stream == "quality":
                    self._detect(monitor, block)
        return tuple(found)

    def _detect(self, monitor: ConceptMonitor, block: Block) -> None:
        for part in monitor.groupings:
            counts = block.counts[part.name]
            if part.family != "error" or sum(counts) <= 0:
                continue
            value = sum(place * count for place, count in enumerate(counts)) / sum(counts)
            value /= max(part.n_groups - 1, 1)
            for name, detector in self._detectors.items():
                if detector.update(value):
                    self._alarms[name] = [*self._alarms[name], block.stop][-20:]

    def checks(self, window: Span) -> tuple[Check, ...]:
        """Return a check for each signal, and one for each other detector."""
        found = [check for monitor in self.monitors.values() for check in monitor.checks(window)]
        if "cusum" not in self.policy.detectors:
            found = []
        for name, alarms in self._alarms.items():
            inside = [at for at in alarms if window.start < at <= window.stop]
            evidence = {"at": inside[-1] if inside else None, "detector": name}
            observed = _("{detector} says that errors changed.").format(detector=name) if inside else ""
            advice = _("Compare the errors before and after; retrain if they grew.") if inside else ""
            found.append(Check(f"concept:{name}", "warn" if inside else "pass", observed, "", advice, evidence))
        return tuple(found)

    def state(self) -> dict[str, Any]:
        """Return all that the next look needs, as JSON."""
        return {
            "streams": {s: {"monitor": m.state(), "feed": self.feeds[s].state()} for s, m in self.monitors.items()},
            "detectors": {
                name: {"state": detector.state(), "alarms": self._alarms[name]}
                for name, detector in self._detectors.items()
            },
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state; {} begins anew."""
        for stream, kept in state.get("streams", {}).items():
            if stream in self.monitors:
                self.monitors[stream].restore(kept["monitor"])
                self.feeds[stream].restore(kept["feed"])
        for name, kept in state.get("detectors", {}).items():
            if name in self._makers:
                self._detectors[name], self._alarms[name] = self._makers[name](kept["state"]), list(kept["alarms"])


def _parts(reference: Reference, stream: str) -> tuple[Grouping, ...]:
    """Return how the signals of a stream are grouped: all inputs; the prediction; the outcome and its error.

    Dates are no signal: time moves on, and within a block its rows lie close together.
    """
    grid = reference.grids[stream]
    profile = reference.profiles.get(stream) or Profile.empty(grid)
    names = [part.name for part in grid.parts]
    families: dict[str, Family] = {"prediction": "prediction"}
    if stream == "features":
        dates = {part.column for part in grid.parts if part.aspect in ("hour", "weekday")}
        families = {part.column: "input" for part in grid.parts if part.column not in dates}
    elif stream == "quality":
        families = {"truth": "label", ABSOLUTE_ERROR if ABSOLUTE_ERROR in names else CORRECT: "error"}
    return groupings(grid, profile, families, BLOCK_ROWS)
