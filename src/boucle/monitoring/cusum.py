"""Cusum: a sum that stays near zero while nothing happens, and climbs as soon as scores lean one way."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any


@dataclass
class Cusum:
    """One-sided cumulative sum of scores (mean 0, variance 1 while nothing changes): S = max(0, S + z - k).

    It raises an alarm while ``S > h``. ``k`` is half the lean that is to be found soonest, in standard deviations;
    ``h`` comes from :mod:`boucle.monitoring.thresholds`. ``since`` is where S left zero for the last time: the usual
    estimate of when the change began; None while S is zero. A score that is NaN (nothing to compare) changes nothing.

    Page, Continuous inspection schemes, Biometrika 41 (1954).

    >>> found = Cusum(k=0.5, h=4.0)
    >>> [found.update(z, at) for at, z in enumerate([0.2, 2.0, 2.5, 1.5])], found.since
    ([False, False, False, True], 1)
    """

    k: float
    h: float
    level: float = 0.0
    since: int | None = None

    def update(self, value: float, at: int = 0) -> bool:
        """Take the score of the block that begins at ``at``; True while the sum lies above ``h``."""
        if not math.isnan(value):
            level = self.level + value - self.k
            if level <= 0.0:
                self.level, self.since = 0.0, None
            else:
                self.since = at if self.since is None else self.since
                self.level = level
        return self.is_raised

    @property
    def is_raised(self) -> bool:
        """True while the sum lies above the threshold."""
        return self.level > self.h

    def restart(self) -> None:
        """Begin again at zero: what was found is told, and a new baseline is taken."""
        self.level, self.since = 0.0, None

    def state(self) -> dict[str, Any]:
        """Return the sum as JSON; ``k`` and ``h`` belong to the settings, and may change between two looks."""
        return {"level": self.level, "since": self.since}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.level = float(state.get("level", 0.0))
        self.since = state.get("since")
