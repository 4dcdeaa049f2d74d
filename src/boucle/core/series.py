"""Series: the profiles of one key in order of time, as matrices, so that any window is a subtraction."""

from __future__ import annotations

from collections.abc import Iterable

from boucle.core.grid import Grid
from boucle.core.profile import Profile
from boucle.core.report import Span


class Series:
    """``times`` (n,) are the begins of the steps, UTC microseconds, ascending; steps may differ in length."""

    def __init__(self, grid: Grid, steps: Iterable[tuple[int, Profile]]) -> None:
        self.grid = grid
        self.steps = tuple(steps)

    @property
    def times(self) -> tuple[int, ...]:
        """The begins of the steps."""
        return tuple(time for time, _profile in self.steps)

    def within(self, window: Span) -> Profile:
        """Return the profile of the steps that begin in a window."""
        found = Profile.empty(self.grid)
        for time, profile in self.steps:
            if window.start <= time < window.stop:
                found = found + profile
        return found
