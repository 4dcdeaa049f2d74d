"""Profiles in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple

from boucle.adapters.memory.watched import WatchedMemory, WatchedState
from boucle.core.grid import Grid
from boucle.core.profile import Profile
from boucle.core.reference import Reference
from boucle.core.report import Span
from boucle.core.series import Series
from boucle.monitoring.keeping import check_advance, check_reference
from boucle.monitoring.ports import STEPS_S, Key, Mark

SECOND = 1_000_000


class MemoryProfileStore:
    """A view of the profiles that the collector writes."""

    def __init__(self, memory: WatchedMemory) -> None:
        self._memory = memory

    def reference(self, model: str, version: int) -> Reference | None:
        """Return the frozen reference of a version."""
        return self._memory.reading().references.get((model, version))

    def keep_reference(self, model: str, version: int, reference: Reference) -> Reference:
        """Keep the reference unless there is one, and return the one that is kept."""
        with self._memory.writing() as state:
            return state.references.setdefault((model, version), reference)

    def series(self, key: Key, window: Span) -> Series:
        """Return the profiles whose time lies in a window, in order."""
        state = self._memory.reading()
        reference = state.references.get((key.model, key.version))
        grid = Grid(()) if reference is None else reference.grids.get(key.stream, Grid(()))
        held = ((at, profile) for (of, at, _step_s), profile in state.profiles.items() if of == key)
        return Series(grid, ((at, profile) for at, profile in held if window.start <= at < window.stop))

    def keys(self, model: str | None = None) -> tuple[Key, ...]:
        """Return which profiles there are."""
        found = {key for key, _at, _step_s in self._memory.reading().profiles if model in {None, key.model}}
        return tuple(sorted(found, key=astuple))

    def newest(self, key: Key) -> int | None:
        """Return the newest minute of a key that holds rows, or None."""
        held = self._memory.reading().profiles.items()
        return max((at for (of, at, _step_s), profile in held if of == key and profile.n_rows > 0), default=None)

    def mark(self, key: Key, since: int, after: int = 0) -> Mark:
        """Return how the steps of a key from a time on stand, beside an earlier revision."""
        state = self._memory.reading()
        held = [(at, state.revisions[of, at, step_s]) for of, at, step_s in state.profiles if of == key and at >= since]
        newest = max((revision for place, revision in state.revisions.items() if place[0] == key), default=0)
        return Mark(len(held), newest, min((at for at, revision in held if revision > after), default=None))


class Profiles:
    """Profiles as the collector writes them, in its transaction."""

    def __init__(self, state: WatchedState) -> None:
        self._state = state
        self._read: dict[str, int] = {}

    def position(self, stream: str) -> int:
        """Return how far a stream is counted."""
        self._read[stream] = self._state.positions.get(stream, 0)
        return self._read[stream]

    def advance(self, stream: str, position: int) -> None:
        """Say that a stream is counted so far."""
        check_advance(stream, self._read.get(stream), position)
        self._state.positions[stream] = self._read[stream] = position

    def add(self, profiles: Mapping[tuple[Key, int], Profile]) -> None:
        """Add profiles to those of their minutes, or of the longer steps that cover these."""
        for (key, minute), profile in profiles.items():
            check_reference(self._state.references.get((key.model, key.version)), key)
            places = [(key, _begin(minute, step_s), step_s) for step_s in reversed(STEPS_S)]
            place = next((place for place in places if place in self._state.profiles), places[-1])
            self._add(place, profile)

    def roll_up(self, model: str, before: int, to_s: int) -> None:
        """Add up shorter steps of a model into whole ones that end by a time."""
        limit = _begin(before, to_s)
        of_model = [place for place in self._state.profiles if place[0].model == model]
        for place in [place for place in of_model if place[2] < to_s and place[1] < limit]:
            key, at, _step_s = place
            self._add((key, _begin(at, to_s), to_s), self._state.profiles.pop(place))

    def forget(self, model: str, before: int) -> None:
        """Forget the steps of a model that end by a time."""
        for place in list(self._state.profiles):
            key, at, step_s = place
            if key.model == model and at + step_s * SECOND <= before:
                del self._state.profiles[place]

    def _add(self, place: tuple[Key, int, int], profile: Profile) -> None:
        held = self._state.profiles.get(place, Profile.empty(profile.grid))
        self._state.profiles[place] = held + profile
        self._state.revisions[place] = max(self._state.revisions.values(), default=0) + 1


def _begin(at: int, step_s: int) -> int:
    return at // (step_s * SECOND) * step_s * SECOND
