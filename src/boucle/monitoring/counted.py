"""Counted: a profile read by the names of its parts."""

from __future__ import annotations

from typing import Any

import numpy as np

from boucle.core.grid import Part
from boucle.core.profile import Profile


class Counted:
    """What a profile holds of each part; a part that its grid lacks holds nothing."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self._places = {part.name: place for place, part in enumerate(profile.grid.parts)}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the parts, in order."""
        return tuple(self._places)

    def part(self, name: str) -> Part | None:
        """Return a part, or None."""
        return self.profile.grid.parts[self._places[name]] if name in self._places else None

    def counts(self, name: str) -> Any:
        """Return the counts of a part's bins, int64; of length 0 without it."""
        return self.profile.counts[self._bins(name)]

    def sums(self, name: str) -> Any:
        """Return the sums of a part's bins."""
        return self.profile.sums[self._bins(name)]

    def n(self, name: str) -> int:
        """Return how many values were counted."""
        return int(self.counts(name).sum())

    def total(self, name: str) -> float:
        """Return their sum."""
        return float(self.sums(name).sum())

    def mean(self, name: str) -> float:
        """Return their mean; NaN without any."""
        n = self.n(name)
        return self.total(name) / n if n else float("nan")

    def squares(self, name: str) -> float:
        """Return the sum of their squares."""
        return float(self.profile.squares[self._places[name]]) if name in self._places else 0.0

    def error_of_mean(self, name: str) -> float:
        """Return the standard error of their mean; NaN of fewer than two."""
        n = self.n(name)
        if n < 2:
            return float("nan")
        spread = max(0.0, self.squares(name) - n * self.mean(name) ** 2) / (n - 1)
        return float(np.sqrt(spread / n))

    def of_levels(self, name: str) -> dict[str, int]:
        """Return how often each named level was counted; ``other`` and ``unseen`` are left out."""
        part = self.part(name)
        return {} if part is None else dict(zip(part.levels, self.counts(name).tolist(), strict=False))

    def centres(self, name: str) -> Any:
        """Return the mean value in each bin; where a bin is empty, the middle of its edges."""
        part = self.part(name)
        if part is None or not part.edges:
            return np.full(len(self.counts(name)), self.mean(name))
        edges = np.asarray(part.edges)
        middles = np.concatenate([edges[:1], (edges[1:] + edges[:-1]) / 2, edges[-1:]])
        counts = self.counts(name)
        return np.where(counts > 0, self.sums(name) / np.maximum(counts, 1), middles)

    def _bins(self, name: str) -> slice:
        return self.profile.part(self._places[name]) if name in self._places else slice(0, 0)
