"""Concept drift: has the relation between rows and outcomes changed, or only the rows, or only the outcomes?

Two CUSUMs for each signal, over blocks of rows and over ten of them together: a large change is found within a few
blocks, and one that is small beside the chance of a single block (a rare class that vanishes) within some tens. The
first that raises an alarm begins a *change*; those that follow during the cool-down belong to the same change, so
that one change is told once. Then all baselines are taken anew from fresh rows: what comes next is compared with the
world as it is now.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from boucle.core.check import Check
from boucle.core.i18n import _
from boucle.core.report import Span
from boucle.monitoring.cusum import Cusum
from boucle.monitoring.signals import Counts, Family, Grouping, score
from boucle.monitoring.thresholds import threshold_for

MOST_CHANGES = 20
POOLED_BLOCKS = 10


@dataclass(frozen=True)
class Block:
    """Rows that are judged together: from ``start`` until ``stop``, ``n`` rows, and the counts of each signal."""

    start: int
    stop: int
    n: int
    counts: Mapping[str, Counts]


@dataclass(frozen=True)
class Tuning:
    """How a monitor is tuned; ``h`` (blocks) and ``slow_h`` (pools of blocks) come from :func:`tuned`.

    A baseline is good for comparing once it holds ``burn_in_blocks`` blocks; it grows until it holds
    ``growing_blocks``, by then its own error no longer matters. After an alarm nothing is told for
    ``cool_down_rows`` rows (and at least as many blocks as a burn-in).
    """

    h: float
    slow_h: float
    k: float = 0.5
    pooled_blocks: int = POOLED_BLOCKS
    burn_in_blocks: int = 10
    growing_blocks: int = 2_000
    cool_down_rows: int = 2_500


def tuned(false_alarm_rows: int, block_rows: int, n_signals: int, cool_down_rows: int = 2_500) -> Tuning:
    """Return the tuning with which all signals together run so many rows between false alarms, on average.

    >>> found = tuned(1_000_000, 50, 9)
    >>> round(found.h, 1), round(found.slow_h, 1)
    (10.9, 8.6)
    """
    h, slow_h = (
        threshold_for(0.5, false_alarm_rows, rows, 2 * n_signals) for rows in (block_rows, POOLED_BLOCKS * block_rows)
    )
    return Tuning(h, slow_h, cool_down_rows=cool_down_rows)


@dataclass(frozen=True)
class Moved:
    """A signal that raised an alarm at ``at``, having left its usual course at ``since``; ``level`` exceeded ``h``.

    ``heard`` is the end of the window that was judged when it was found: later than ``at`` where outcomes come late.
    """

    name: str
    family: Family
    at: int
    since: int
    level: float
    h: float
    is_first: bool = True
    heard: int = 0


@dataclass
class _Pool:
    """Blocks that are judged together, against the baseline as it was when the first of them came."""

    base: Counts = field(default_factory=list)
    counts: Counts = field(default_factory=list)
    blocks: int = 0
    start: int = 0

    def add(self, counts: Counts, base: Counts, start: int) -> None:
        """Take one block."""
        if not self.blocks:
            self.base, self.counts, self.start = list(base), [0.0] * len(counts), start
        self.blocks += 1
        self.counts = _sum(self.counts, counts)


class _Watched:
    """One signal: its baseline's counts, its sums over blocks and over pools, and the last block with its score."""

    def __init__(self, grouping: Grouping, base: Counts, tuning: Tuning) -> None:
        self.grouping, self.base, self.tuning = grouping, base, tuning
        self.fast, self.slow, self.pool = Cusum(tuning.k, tuning.h), Cusum(tuning.k, tuning.slow_h), _Pool()
        self.score: float | None = None
        self.block: Counts = []

    @property
    def raised(self) -> Cusum | None:
        """The sum that lies above its threshold, if any does."""
        return self.fast if self.fast.is_raised else self.slow if self.slow.is_raised else None

    @property
    def nearest(self) -> Cusum:
        """The sum that is nearest to its threshold."""
        return max(self.fast, self.slow, key=lambda cusum: cusum.level / cusum.h)

    def look(self, block: Block) -> bool:
        """Take a block; True when a sum crosses its threshold now."""
        counts = block.counts.get(self.grouping.name)
        n = sum(counts) if counts else 0.0
        if counts is None or n <= 0:
            return False
        was_raised, held = self.raised is not None, sum(self.base)
        if held >= self.tuning.burn_in_blocks * n:
            self._judge(counts, block.start)
        if held < self.tuning.growing_blocks * n and not was_raised:
            self.base = _sum(self.base, counts)
        return self.raised is not None and not was_raised

    def _judge(self, counts: Counts, start: int) -> None:
        found = score(counts, self.base, self.grouping.rises)
        self.block, self.score = counts, None if math.isnan(found) else found
        self.fast.update(found, start)
        self.pool.add(counts, self.base, start)
        if self.pool.blocks >= self.tuning.pooled_blocks:
            self.slow.update(score(self.pool.counts, self.pool.base, self.grouping.rises), self.pool.start)
            self.pool = _Pool()

    def restart(self) -> None:
        """Forget the baseline."""
        self.base, self.pool = [0.0] * self.grouping.n_groups, _Pool()
        self.fast.restart()
        self.slow.restart()

    def state(self) -> dict[str, Any]:
        """Return all of it as JSON."""
        return {
            "base": self.base,
            "score": self.score,
            "block": self.block,
            "fast": self.fast.state(),
            "slow": self.slow.state(),
            "pool": asdict(self.pool),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state, unless it was grouped in another way."""
        if len(state["base"]) != self.grouping.n_groups:
            return
        self.base, self.block, self.score = list(state["base"]), list(state["block"]), state["score"]
        self.fast.restore(state["fast"])
        self.slow.restore(state["slow"])
        self.pool = _Pool(**state["pool"])


def _sum(some: Counts, others: Counts) -> Counts:
    return [a + b for a, b in zip(some, others, strict=True)]


class ConceptMonitor:
    """All signals of one stream of one version. Memory is bounded: eight numbers a signal, and the last 20 changes.

    ``bases`` are the reference's counts by signal; a signal without them takes its first rows for its baseline.

    >>> part = Grouping("label", "label", (0, 1, 1))
    >>> monitor = ConceptMonitor([part], {"label": [500.0, 500.0]}, tuned(1_000_000, 50, 1))
    >>> blocks = [Block(at, at + 1, 50, {"label": [25.0, 25.0] if at < 10 else [40.0, 10.0]}) for at in range(20)]
    >>> [(moved.name, moved.at, moved.since) for block in blocks for moved in monitor.update(block)]
    [('label', 13, 10)]
    """

    def __init__(self, groupings: Iterable[Grouping], bases: Mapping[str, Counts], tuning: Tuning) -> None:
        self.tuning = tuning
        self.changes: list[list[Moved]] = []
        self._cooling: tuple[int, int] | None = None
        self._watched = {
            part.name: _Watched(part, list(bases.get(part.name, [0.0] * part.n_groups)), tuning) for part in groupings
        }

    @property
    def groupings(self) -> tuple[Grouping, ...]:
        """How each signal is counted."""
        return tuple(watched.grouping for watched in self._watched.values())

    def update(self, block: Block, heard: int = 0) -> tuple[Moved, ...]:
        """Take the next block; return the signals that raise an alarm with it, the first of a change marked.

        ``heard`` is the end of the window that is judged.
        """
        raised = [watched for watched in self._watched.values() if watched.look(block)]
        is_new = self._cooling is None
        moved = tuple(
            replace(_moved(watched, block), is_first=is_new and place == 0, heard=heard)
            for place, watched in enumerate(raised)
        )
        if moved and is_new:
            self.changes = [*self.changes, list(moved)][-MOST_CHANGES:]
            self._cooling = (0, 0)
        elif moved:
            self.changes[-1].extend(moved)
        self._cool(block.n)
        return moved

    def _cool(self, n: int) -> None:
        """Count the rows since an alarm; at the end of the cool-down take all baselines anew."""
        if self._cooling is None:
            return
        rows, blocks = self._cooling[0] + n, self._cooling[1] + 1
        self._cooling = (rows, blocks)
        if rows > self.tuning.cool_down_rows and blocks >= self.tuning.burn_in_blocks:
            self._cooling = None
            for watched in self._watched.values():
                watched.restart()

    def state(self) -> dict[str, Any]:
        """Return all that it needs to go on, as JSON."""
        return {
            "cooling": list(self._cooling) if self._cooling else None,
            "signals": {name: watched.state() for name, watched in self._watched.items()},
            "changes": [[asdict(moved) for moved in change] for change in self.changes],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state; signals that are new or grouped in another way begin from their reference."""
        self._cooling = tuple(state["cooling"]) if state.get("cooling") else None
        self.changes = [[Moved(**moved) for moved in change] for change in state.get("changes", [])]
        for name, kept in state.get("signals", {}).items():
            if name in self._watched:
                self._watched[name].restore(kept)

    def checks(self, window: Span) -> tuple[Check, ...]:
        """Return a check for each signal: bad when it moved within the window, or cools down from having moved."""
        return tuple(self._check(watched, window) for watched in self._watched.values())

    def _check(self, watched: _Watched, window: Span) -> Check:
        newest = self._newest(watched.grouping.name, window)
        cusum = watched.nearest
        evidence = {
            "level": round(cusum.level, 3),
            "h": round(cusum.h, 3),
            "k": self.tuning.k,
            "score": None if watched.score is None else round(watched.score, 3),
            "block": watched.block,
            "baseline": watched.base,
            "since": cusum.since,
        }
        name = check_name(watched.grouping)
        if newest is None:
            return Check(name, "pass", expected=_expected(cusum.h), evidence=evidence)
        evidence.update(level=newest.level, h=newest.h, since=newest.since, at=newest.at)
        observed, advice = told(newest)
        return Check(name, "warn", observed, _expected(newest.h), advice, evidence)

    def _newest(self, name: str, window: Span) -> Moved | None:
        """Return the alarm of a signal that still counts in a window."""
        for place, change in enumerate(reversed(self.changes)):
            for moved in change:
                is_cooling = place == 0 and self._cooling is not None
                at = max(moved.at, moved.heard)
                if moved.name == name and at <= window.stop and (at > window.start or is_cooling):
                    return moved
        return None


def check_name(part: Grouping) -> str:
    """Return the name of a signal's check: ``concept:input:price``, ``concept:label``, ``concept:error`` ..."""
    return f"concept:input:{part.name}" if part.family == "input" else f"concept:{part.family}"


def _expected(h: float) -> str:
    return _("a cumulated score of at most {h}").format(h=round(h, 2))


def _moved(watched: _Watched, block: Block) -> Moved:
    """Return the alarm of a signal whose sum crossed its threshold with a block."""
    cusum = watched.raised or watched.nearest
    since = block.start if cusum.since is None else cusum.since
    part = watched.grouping
    return Moved(part.name, part.family, block.stop, since, round(cusum.level, 3), round(cusum.h, 3))


def told(moved: Moved) -> tuple[str, str]:
    """Return what happened and what to do, in words, by the family of a signal.

    >>> told(Moved("error", "error", 2, 1, 12.0, 10.0))[0]
    'Errors grew.'
    """
    texts = {
        "input": (
            _("Input '{name}' moved.").format(name=moved.name),
            _("Look at the column and its feed first; if the world changed, retrain on rows from since then."),
        ),
        "prediction": (
            _("Predictions '{name}' moved.").format(name=moved.name),
            _("The model answers differently than it did: look at which inputs moved, and compare with the outcomes."),
        ),
        "label": (
            _("Outcomes '{name}' moved.").format(name=moved.name),
            _("What is predicted became more or less frequent: check how outcomes are recorded, then recalibrate."),
        ),
        "error": (
            _("Errors grew."),
            _("What the model learned no longer holds: retrain on rows labelled since then, or roll back."),
        ),
    }
    return texts[moved.family]
