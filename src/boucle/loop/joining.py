"""Joining ground truth with what was answered: late, twice, corrected, or for nobody at all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import orjson

from boucle.core.counting import count_by
from boucle.core.profile import Profile
from boucle.core.reference import Reference
from boucle.core.watching import WatchPolicy
from boucle.labels.truth import Truth
from boucle.loop.decoding import MINUTE_US
from boucle.loop.log import InferenceLog, LoggedAnswer, LogRows
from boucle.loop.ports import CollectStore
from boucle.loop.slices import slices_of
from boucle.loop.tallies import Tallies
from boucle.monitoring.outcomes import Outcome, counted_document, from_counted, outcome_table
from boucle.monitoring.ports import Key

MOST_WAITING = 20_000
PATIENCE_US = 15 * 60 * 1_000_000
_ANEW_US = 60 * 1_000_000

Row = tuple[str, str]
"""Model and prediction id."""


@dataclass(frozen=True)
class Joined:
    """How many truths found their prediction, and how many will not any more."""

    n_joined: int = 0
    n_unknown: int = 0


class _Counted(NamedTuple):
    """An outcome and where it is counted."""

    version: int
    minute: int
    outcome: Outcome


@dataclass
class _Joining:
    """What one pass changes: ``added`` and ``taken`` are counted by model."""

    settled: list[Truth]
    added: dict[str, list[_Counted]]
    taken: dict[str, list[_Counted]]


class Join:
    """Settles waiting truths. It remembers which it has looked for, so that the log is searched for each once."""

    def __init__(
        self,
        log: InferenceLog,
        store: CollectStore,
        reference_of: Callable[[str, int], Reference | None],
        policy_of: Callable[[str], WatchPolicy],
    ) -> None:
        self._log, self._store = log, store
        self._reference_of, self._policy_of = reference_of, policy_of
        self._missed: set[Row] = set()
        self._looked_at: int | None = None
        self._has_more = False

    def __call__(self, rows: LogRows, is_told: bool, is_behind: bool, now: int) -> Joined:
        """Join what can be joined: ``rows`` are new in the log, ``is_told`` says that truths are new.

        A truth that waits for over 15 minutes belongs to no prediction, unless the collector ``is_behind``; it waits
        again when its prediction comes after all.
        """
        is_due = self._looked_at is None or not 0 <= now - self._looked_at < _ANEW_US
        if not (is_told or is_due or self._has_more or (self._missed and len(rows))):
            return Joined()
        if is_due:
            self._looked_at = now
        with self._store.collecting() as tx:
            waiting = tx.waiting(MOST_WAITING)
        found = self._found(waiting, rows, is_due)
        is_sure = is_due and not is_behind  # each truth was looked for just now, in a log that misses nothing
        joining = self._joining(waiting, found, now - PATIENCE_US if is_sure else None)
        if joining.settled and not self._settle(waiting, joining):
            return Joined()  # another collector was faster
        settled = {(truth.model, truth.id) for truth in joining.settled}
        self._missed = {(truth.model, truth.id) for truth in waiting} - settled
        self._has_more = bool(settled) and len(waiting) == MOST_WAITING
        n_joined = sum(truth.state == "joined" for truth in joining.settled)
        return Joined(n_joined, len(joining.settled) - n_joined)

    def _found(self, waiting: Sequence[Truth], rows: LogRows, is_due: bool) -> dict[Row, LoggedAnswer]:
        """Look for new truths and, of those missed before, for the ones that have just come; now and then for all."""
        come = set(zip(rows.model, rows.prediction_id, strict=True))
        wanted: dict[str, list[str]] = defaultdict(list)
        for truth in waiting:
            row = (truth.model, truth.id)
            if truth.counted is None and (is_due or row not in self._missed or row in come):
                wanted[truth.model].append(truth.id)
        return {(model, i): row for model, ids in wanted.items() for i, row in self._log.find(model, ids).items()}

    def _joining(self, waiting: Iterable[Truth], found: dict[Row, LoggedAnswer], given_up: int | None) -> _Joining:
        joining = _Joining([], defaultdict(list), defaultdict(list))
        for truth in waiting:
            row = found.get((truth.model, truth.id))
            if truth.counted is not None and truth.minute is not None:
                before = _Counted(truth.counted["version"], truth.minute, from_counted(truth.counted))
                joining.taken[truth.model].append(before)
                self._add(joining, truth, before._replace(outcome=replace(before.outcome, truth=truth.value)))
            elif row is not None:
                minute = row.at // MINUTE_US * MINUTE_US
                self._add(joining, truth, _Counted(row.version, minute, self._outcome(truth, row)))
            elif given_up is not None and truth.logged_at <= given_up:
                joining.settled.append(replace(truth, state="unknown"))
        return joining

    def _add(self, joining: _Joining, truth: Truth, counted: _Counted) -> None:
        joining.added[truth.model].append(counted)
        document = counted_document(counted.outcome) | {"version": counted.version}
        joining.settled.append(replace(truth, state="joined", counted=document, minute=counted.minute))

    def _outcome(self, truth: Truth, row: LoggedAnswer) -> Outcome:
        ends = (row.low, row.high)
        slices = self._policy_of(truth.model).slices
        return Outcome(
            truth=truth.value,
            prediction=orjson.loads(row.prediction),
            probabilities=row.probabilities,
            interval=None if ends[0] is None or ends[1] is None else (ends[0], ends[1]),
            lag_s=max(truth.at - row.at, 0) / 1e6,
            slices=slices_of(orjson.loads(row.inputs), slices) if slices else (),
        )

    def _settle(self, waiting: Sequence[Truth], joining: _Joining) -> bool:
        """Write what came of truths, unless one of them is not as it was when it was read."""
        tallies = Tallies()
        for parts, sign in ((joining.added, 1), (joining.taken, -1)):
            for model, counted in parts.items():
                self._count(tallies, model, counted, sign)
        with self._store.collecting() as tx:
            if tx.waiting(MOST_WAITING)[: len(waiting)] != tuple(waiting):
                return False
            tx.settle(joining.settled)
            if tallies.found:
                tx.add(tallies.found)
        return True

    def _count(self, tallies: Tallies, model: str, counted: Iterable[_Counted], sign: int) -> None:
        by_key: dict[tuple[int, str], list[_Counted]] = defaultdict(list)
        for one in counted:
            for name in ("", *one.outcome.slices):
                by_key[one.version, name].append(one)
        for (version, name), ones in by_key.items():
            reference = self._reference_of(model, version)
            grid = None if reference is None else reference.grids.get("quality")
            if grid is None:
                continue
            minutes: Any = np.array([one.minute for one in ones], dtype=np.int64)
            found = count_by(grid, outcome_table(grid, [one.outcome for one in ones]), minutes)
            for minute, profile in found.items():
                told = profile if sign > 0 else Profile.empty(grid) - profile
                tallies.add(Key(model, version, "quality", name), minute, told)
