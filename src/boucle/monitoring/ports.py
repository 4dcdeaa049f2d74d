"""What watching needs from the outside. Every method of a store is one transaction, unless it opens one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from boucle.core.alert import Alert
from boucle.core.check import Check
from boucle.core.profile import Profile
from boucle.core.reference import Reference
from boucle.core.report import Span
from boucle.core.series import Series
from boucle.core.watching import WatchPolicy

Stream = Literal["traffic", "features", "answers", "quality"]
Event = Literal["opened", "closed"]
STEPS_S = (60, 3_600, 86_400)  # of profiles, as they age


@dataclass(frozen=True)
class Key:
    """Whose profiles: ``slice`` is ``column=value``, "" for all rows."""

    model: str
    version: int
    stream: Stream
    slice: str = ""


@dataclass(frozen=True)
class Mark:
    """How the steps of a key stand: two marks with the same ``n_steps`` and ``revision`` are of the same profiles.

    ``first`` is the time of the first step that changed after the revision that was told; None when none did.
    """

    n_steps: int
    revision: int
    first: int | None = None


class ProfileStore(Protocol):
    """Profiles by minute (UTC microseconds of its begin), rolled up to hours and days as they age."""

    def reference(self, model: str, version: int) -> Reference | None:
        """Return the frozen reference of a version."""

    def keep_reference(self, model: str, version: int, reference: Reference) -> Reference:
        """Keep the reference unless there is one, and return the one that is kept."""

    def series(self, key: Key, window: Span) -> Series:
        """Return the profiles whose time lies in a window, in order. Empty for a version without reference."""

    def keys(self, model: str | None = None) -> tuple[Key, ...]:
        """Return which profiles there are."""

    def newest(self, key: Key) -> int | None:
        """Return the newest minute of a key that holds rows, or None."""

    def mark(self, key: Key, since: int, after: int = 0) -> Mark:
        """Return how the steps of a key from a time on stand, beside the revision ``after`` of an earlier mark."""


class ProfileWriter(Protocol):
    """Part of the collector's transaction."""

    def position(self, stream: str) -> int:
        """Return how far a stream of the inference log is counted, in bytes."""

    def advance(self, stream: str, position: int) -> None:
        """Say that a stream is counted so far. Raises Conflict unless its position was read in this transaction and
        is not beyond."""

    def add(self, profiles: Mapping[tuple[Key, int], Profile]) -> None:
        """Add profiles to those of their minutes, or of the hour or day that a minute was rolled up into.

        Raises Conflict for a version that has no reference.
        """

    def roll_up(self, model: str, before: int, to_s: int) -> None:
        """Add up shorter steps of a model into whole ones of ``to_s`` (3600 or 86400) seconds that end by a time."""

    def forget(self, model: str, before: int) -> None:
        """Forget steps of profiles and verdicts that end by a time, truths joined with predictions before it, and
        those told before it that were joined with none."""


@dataclass(frozen=True)
class Verdict:
    """What was judged of a window: its checks. ``slice`` "" is all rows."""

    model: str
    version: int
    window: Span
    checks: tuple[Check, ...]
    slice: str = ""


@dataclass(frozen=True)
class Notification:
    """One message to one channel about an alert; kept until it is delivered."""

    id: str
    channel: str
    event: Event
    alert: Alert
    attempts: int = 0
    due_at: int = 0
    error: str = ""


@dataclass(frozen=True)
class Judged:
    """All that one look at a model came to, written at once.

    ``state`` is what the next look needs (a JSON document); ``alerts`` are new or changed ones, ``notifications``
    new ones.
    """

    model: str
    state: dict[str, Any]
    verdicts: tuple[Verdict, ...] = ()
    alerts: tuple[Alert, ...] = ()
    notifications: tuple[Notification, ...] = ()


@dataclass(frozen=True)
class AlertQuery:
    """Which alerts are wanted, newest first; None leaves a property free. ``since``: bad then or later."""

    model: str | None = None
    is_open: bool | None = None
    since: int | None = None
    limit: int = 100


class WatchStore(Protocol):
    """Policies, verdicts, alerts and what is still to be told."""

    def policy(self, model: str) -> WatchPolicy:
        """Return the policy of a model; the defaults when it has none."""

    def save_policy(self, model: str, policy: WatchPolicy) -> None:
        """Replace the policy of a model."""

    def state(self, model: str) -> dict[str, Any]:
        """Return what the last look at a model left; {} at first."""

    def judged(self, judged: Judged) -> None:
        """Write down a look. All of it or nothing. Raises Conflict for a second open alert of the same check."""

    def verdicts(self, model: str, window: Span) -> tuple[Verdict, ...]:
        """Return the verdicts whose window ends in a window, oldest first."""

    def alerts(self, query: AlertQuery) -> tuple[Alert, ...]:
        """Return alerts, newest first."""

    def due(self, now: int, limit: int = 100) -> tuple[Notification, ...]:
        """Return the notifications to deliver now, oldest first."""

    def delivered(self, ids: Iterable[str]) -> None:
        """Forget notifications that were delivered (or given up)."""

    def delay(self, notification: Notification) -> None:
        """Keep a notification with its new ``attempts``, ``due_at`` and ``error``."""


class Channel(Protocol):
    """A way out for alerts."""

    @property
    def name(self) -> str:
        """What names it: ``webhook``, ``mail`` ... never an address that holds a secret."""

    def tell(self, event: Event, alert: Alert, link: str) -> None:
        """Deliver. Raises Unavailable when it could not be delivered now."""


class Detector(Protocol):
    """A sequential detector of one signal, whose state is a JSON document between two looks."""

    def update(self, value: float) -> bool:
        """Take the next value; True when it raises an alarm."""

    def state(self) -> dict[str, Any]:
        """Return what to restore it from."""
