"""Reference: the frozen grids of a version, and the profiles of its reference rows on them."""

from __future__ import annotations

from dataclasses import dataclass, field

from boucle.core.grid import Grid
from boucle.core.profile import Profile


@dataclass(frozen=True, eq=False)
class Reference:
    """By stream (``traffic``, ``features``, ``answers``, ``quality``): the grid, and the reference profile.

    A stream without reference rows has a grid and an empty profile: its first rows in service become its baseline.
    """

    grids: dict[str, Grid] = field(default_factory=dict)
    profiles: dict[str, Profile] = field(default_factory=dict)
