"""Ground truth in memory."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from boucle.adapters.memory.watched import WatchedMemory, WatchedState
from boucle.core.report import Span
from boucle.labels.ports import TruthCounts
from boucle.labels.told_ids import told_id
from boucle.labels.truth import Truth


class MemoryTruthStore:
    """A view of the ground truth that the collector keeps."""

    def __init__(self, memory: WatchedMemory) -> None:
        self._memory = memory

    def joined(self, model: str, window: Span) -> tuple[Truth, ...]:
        """Return the joined truths of the predictions whose minute begins in a window, by id."""
        known = [truth for truth in self._memory.reading().truths.values() if truth.model == model]
        joined = [truth for truth in known if truth.state == "joined" and _in(window, truth.minute)]
        return tuple(sorted(joined, key=lambda truth: truth.id))

    def n_unknown(self, model: str, window: Span) -> int:
        """Return how many truths told in a window name no prediction of the log."""
        known = [truth for truth in self._memory.reading().truths.values() if truth.model == model]
        return sum(truth.state == "unknown" and _in(window, truth.at) for truth in known)

    def counts(self, model: str) -> TruthCounts:
        """Return how many truths of a model are in each state."""
        known = [truth for truth in self._memory.reading().truths.values() if truth.model == model]
        found = Counter(truth.state for truth in known)
        unknown = sorted((truth.at, truth.id) for truth in known if truth.state == "unknown")
        ids = tuple(id_ for _at, id_ in unknown[:20])
        return TruthCounts(found["joined"], found["waiting"], found["unknown"], ids)


class Truths:
    """Ground truth as the collector writes it, in its transaction."""

    def __init__(self, state: WatchedState) -> None:
        self._held = state.truths

    def keep(self, truths: Iterable[Truth]) -> None:
        """Keep each id once; another value replaces it and waits again, and so does one told again that was unknown."""
        told = [replace(truth, id=told_id(truth.id)) for truth in truths]
        for key, truth in {(truth.model, truth.id): truth for truth in told}.items():
            known = self._held.get(key)
            if known is None:
                self._held[key] = truth
            elif known.state == "unknown" or _text(known.value) != _text(truth.value):
                self._held[key] = replace(truth, counted=known.counted, minute=known.minute)

    def awaken(self, rows: Iterable[tuple[str, str]]) -> int:
        """Let unknown truths of these rows wait again; return how many there were."""
        found = [key for key in set(rows) if key in self._held and self._held[key].state == "unknown"]
        self._held.update({key: replace(self._held[key], state="waiting") for key in found})
        return len(found)

    def waiting(self, limit: int) -> tuple[Truth, ...]:
        """Return truths not joined yet, those told first first."""
        found = [truth for truth in self._held.values() if truth.state == "waiting"]
        return tuple(sorted(found, key=lambda truth: (truth.at, truth.model, truth.id))[:limit])

    def settle(self, truths: Iterable[Truth]) -> None:
        """Replace the state, ``counted`` and ``minute`` of these."""
        for truth in truths:
            known = self._held.get((truth.model, truth.id))
            if known is not None:
                settled = replace(known, state=truth.state, counted=truth.counted, minute=truth.minute)
                self._held[truth.model, truth.id] = settled

    def forget(self, model: str, before: int) -> None:
        """Forget truths of predictions before a time, and those told before it that belong to none."""
        for key, truth in list(self._held.items()):
            at = truth.at if truth.minute is None else truth.minute
            if truth.model == model and at < before:
                del self._held[key]


def _in(window: Span, at: int | None) -> bool:
    return at is not None and window.start <= at < window.stop


def _text(value: Any) -> str:
    """As it is told: true, 1 and 1.0 are three values."""
    return json.dumps(value, sort_keys=True)
