"""What ground truth needs from a database."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from boucle.core.report import Span
from boucle.labels.truth import Truth


@dataclass(frozen=True)
class TruthCounts:
    """How many truths of a model were joined with a prediction, wait for theirs, or name none of the log.

    ``unknown_ids`` are the ids of the first of those, 20 at most.
    """

    joined: int = 0
    waiting: int = 0
    unknown: int = 0
    unknown_ids: tuple[str, ...] = ()


class TruthReader(Protocol):
    """A view of what is known."""

    def joined(self, model: str, window: Span) -> tuple[Truth, ...]:
        """Return the joined truths of the predictions whose minute begins in a window, by id."""

    def n_unknown(self, model: str, window: Span) -> int:
        """Return how many truths told in a window name no prediction of the log."""

    def counts(self, model: str) -> TruthCounts:
        """Return how many truths of a model are in each state."""


class TruthWriter(Protocol):
    """Part of the collector's transaction."""

    def keep(self, truths: Iterable[Truth]) -> None:
        """Keep each id once. The same value again changes nothing; another value replaces it and waits again, with
        what is counted for it so far. One that was unknown waits again when it is told again, for its prediction may
        have come since. Of one id told twice at once the last one holds."""

    def awaken(self, rows: Iterable[tuple[str, str]]) -> int:
        """Let unknown truths of these rows (model and id) wait again: their predictions have come at last. Return how
        many there were."""

    def waiting(self, limit: int) -> tuple[Truth, ...]:
        """Return truths not joined yet, those told first first."""

    def settle(self, truths: Iterable[Truth]) -> None:
        """Replace the state, ``counted`` and ``minute`` of these."""
