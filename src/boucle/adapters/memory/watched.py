"""What is watched, in memory: the one place that the stores of profiles, ground truth and alerts share."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import Any

from boucle.core.alert import Alert
from boucle.core.profile import Profile
from boucle.core.reference import Reference
from boucle.core.watching import WatchPolicy
from boucle.labels.truth import Truth
from boucle.monitoring.ports import Key, Notification, Verdict


@dataclass
class WatchedState:
    """All that is known; values are never changed, only replaced."""

    references: dict[tuple[str, int], Reference] = field(default_factory=dict)
    profiles: dict[tuple[Key, int, int], Profile] = field(default_factory=dict)  # by key, time and step
    revisions: dict[tuple[Key, int, int], int] = field(default_factory=dict)  # of the newest change of each
    positions: dict[str, int] = field(default_factory=dict)
    truths: dict[tuple[str, str], Truth] = field(default_factory=dict)
    policies: dict[str, WatchPolicy] = field(default_factory=dict)
    states: dict[str, Any] = field(default_factory=dict)
    verdicts: dict[tuple[Any, ...], Verdict] = field(default_factory=dict)
    alerts: dict[str, Alert] = field(default_factory=dict)
    notifications: dict[str, Notification] = field(default_factory=dict)

    def copied(self) -> WatchedState:
        """Return a state that can be changed without changing this one."""
        return WatchedState(**{each.name: dict(getattr(self, each.name)) for each in fields(self)})


class WatchedMemory:
    """A writer works on a copy, which takes the place of what was when it ends well."""

    def __init__(self) -> None:
        self._state = WatchedState()
        self._lock = threading.Lock()

    def reading(self) -> WatchedState:
        """Return what is known now; not to be changed."""
        return self._state

    @contextmanager
    def writing(self) -> Iterator[WatchedState]:
        """Open a transaction; an exception inside undoes it."""
        with self._lock:
            state = self._state.copied()
            yield state
            self._state = state
