"""Reference: the frozen grids of a version, and the profiles of its reference rows on them."""

from __future__ import annotations

from dataclasses import dataclass, field

from boucle.core.grid import Grid
from boucle.core.packed import PackedReader, PackedWriter
from boucle.core.profile import Profile

_WHAT = "reference"


@dataclass(frozen=True, eq=False)
class Reference:
    """By stream (``traffic``, ``features``, ``answers``, ``quality``): the grid, and the reference profile.

    A stream without reference rows has a grid and an empty profile: its first rows in service become its baseline.
    """

    grids: dict[str, Grid] = field(default_factory=dict)
    profiles: dict[str, Profile] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """Return the reference packed: its grids and profiles by stream."""
        packed = PackedWriter(_WHAT)
        packed.document([list(self.grids), list(self.profiles)])
        for grid in self.grids.values():
            packed.field(grid.to_bytes())
        for profile in self.profiles.values():
            packed.field(profile.to_bytes())
        return packed.done()

    @classmethod
    def from_bytes(cls, data: bytes) -> Reference:
        """Read a packed reference. Raises InvalidDocument for bytes that are not one."""
        packed = PackedReader(_WHAT, data)
        with packed.refusing():
            with_grid, with_profile = packed.document()
            grids = {stream: Grid.from_bytes(packed.field()) for stream in with_grid}
            profiles = {stream: Profile.from_bytes(grids[stream], packed.field()) for stream in with_profile}
        packed.end()
        return cls(grids, profiles)
