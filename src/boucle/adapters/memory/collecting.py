"""What the collector writes at once, in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from boucle.adapters.memory.profiles import Profiles
from boucle.adapters.memory.truths import Truths
from boucle.adapters.memory.watched import WatchedMemory, WatchedState
from boucle.core.profile import Profile
from boucle.labels.truth import Truth
from boucle.monitoring.ports import Key


class MemoryCollectStore:
    """One collector is in its transaction at a time."""

    def __init__(self, memory: WatchedMemory) -> None:
        self._memory = memory

    @contextmanager
    def collecting(self) -> Iterator[_Transaction]:
        """Open a transaction; an exception inside undoes it."""
        with self._memory.writing() as state:
            yield _Transaction(state)


class _Transaction:
    def __init__(self, state: WatchedState) -> None:
        self._state = state
        self._profiles = Profiles(state)
        self._truths = Truths(state)

    def position(self, stream: str) -> int:
        return self._profiles.position(stream)

    def advance(self, stream: str, position: int) -> None:
        self._profiles.advance(stream, position)

    def add(self, profiles: Mapping[tuple[Key, int], Profile]) -> None:
        self._profiles.add(profiles)

    def roll_up(self, model: str, before: int, to_s: int) -> None:
        self._profiles.roll_up(model, before, to_s)

    def forget(self, model: str, before: int) -> None:
        self._profiles.forget(model, before)
        self._truths.forget(model, before)
        for key, verdict in list(self._state.verdicts.items()):
            if verdict.model == model and verdict.window.stop <= before:
                del self._state.verdicts[key]

    def keep(self, truths: Iterable[Truth]) -> None:
        self._truths.keep(truths)

    def awaken(self, rows: Iterable[tuple[str, str]]) -> int:
        return self._truths.awaken(rows)

    def waiting(self, limit: int) -> tuple[Truth, ...]:
        return self._truths.waiting(limit)

    def settle(self, truths: Iterable[Truth]) -> None:
        self._truths.settle(truths)
