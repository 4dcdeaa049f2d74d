"""What ground truth needs from a database."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from boucle.core.report import Span
from boucle.labels.truth import Truth


class TruthReader(Protocol):
    """A view of what is known."""

    def joined(self, model: str, window: Span) -> tuple[Truth, ...]:
        """Return the joined truths of the predictions whose minute begins in a window, by id."""

    def n_unknown(self, model: str, window: Span) -> int:
        """Return how many truths told in a window name no prediction of the log."""


class TruthWriter(Protocol):
    """Part of the collector's transaction."""

    def keep(self, truths: Iterable[Truth]) -> None:
        """Keep each id once. The same value again changes nothing; another value replaces it and waits again, with
        what is counted for it so far. Of one id told twice at once the last one holds."""

    def waiting(self, limit: int) -> tuple[Truth, ...]:
        """Return truths not joined yet, those told first first."""

    def settle(self, truths: Iterable[Truth]) -> None:
        """Replace the state, ``counted`` and ``minute`` of these."""
