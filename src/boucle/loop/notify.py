"""Telling: what is due goes to its channels, at least once, and again later when a channel is broken."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from boucle.core.alert import Alert
from boucle.core.errors import BoucleError
from boucle.monitoring.alerting import UNTOLD
from boucle.monitoring.ports import AlertQuery, Channel, Notification, WatchStore

log = logging.getLogger("boucle.alerts")
SECOND = 1_000_000
FIRST_DELAY_S, MAX_DELAY_S, GIVE_UP_AFTER_S = 60, 3_600, 86_400
AT_ONCE = 100  # notifications of one delivery
MOST_OPEN = 10_000  # what is left out here is over for who is reminded


@runtime_checkable
class Reminded(Protocol):
    """A channel that must hear of open alerts again and again, else it takes them for closed (Alertmanager)."""

    def remind(self, alerts: Sequence[tuple[Alert, str]]) -> None:
        """Say which alerts are open, each with its link. Raises Unavailable.

        It is called at each delivery, every few seconds: how often it says so is for the channel to know.
        """


@dataclass(frozen=True)
class Told:
    """How many notifications were delivered, kept for later, and given up."""

    delivered: int = 0
    delayed: int = 0
    given_up: int = 0


def deliver(
    store: WatchStore, channels: Iterable[Channel], now: int, link: Callable[[Alert], str] = lambda _alert: ""
) -> Told:
    """Deliver what is due at ``now`` (UTC us), and remind the channels that need it. Never raises for a channel.

    A channel that fails is not asked again in this delivery: its other notifications wait with the first one. After
    each failure the wait doubles, from a minute to an hour; after a day of tries a notification is given up, with an
    error in the log. A crash between the delivery and its note delivers twice.
    """
    by_name = {channel.name: channel for channel in channels}
    told, broken = Told(), dict[str, str]()
    for notification in _pending(store, now):
        error = broken.get(notification.channel)
        if error is not None and notification.due_at > now:
            continue
        if error is None:
            error = _tried(by_name, notification, link)
        if error is None:
            store.delivered([notification.id])
            told = replace(told, delivered=told.delivered + 1)
        else:
            broken[notification.channel] = error
            told = _kept(store, replace(notification, error=error), now, told)
    _remind(store, [channel for channel in by_name.values() if channel.name not in broken], now, link)
    return told


def _pending(store: WatchStore, now: int) -> list[Notification]:
    """Return what to try: all that waits for the channels to which anything is due, in the order it happened.

    So that nobody hears that an alert closed before they hear that it opened.
    """
    waiting = store.due(now + MAX_DELAY_S * SECOND, AT_ONCE)
    channels = {notification.channel for notification in waiting if notification.due_at <= now}
    found = [notification for notification in waiting if notification.channel in channels]
    return sorted(found, key=lambda each: each.alert.closed_at or each.alert.last_at)


def _tried(by_name: Mapping[str, Channel], notification: Notification, link: Callable[[Alert], str]) -> str | None:
    """Return why it could not be delivered, None when it was."""
    channel = by_name.get(notification.channel)
    if channel is None:
        return "this channel is not set up any more"
    try:
        channel.tell(notification.event, notification.alert, link(notification.alert))
    except Exception as error:  # noqa: BLE001  # one broken channel must not hold the others
        return _reason(error)
    return None


def _reason(error: Exception) -> str:
    """Return what may be told of an error: the words of others may hold secrets."""
    return str(error) if isinstance(error, BoucleError) else type(error).__name__


def _kept(store: WatchStore, notification: Notification, now: int, told: Told) -> Told:
    """Keep a notification for later, or give it up."""
    attempts = notification.attempts + 1
    extra = {"channel": notification.channel, "model": notification.alert.model, "attempts": attempts}
    if waited_s(attempts) > GIVE_UP_AFTER_S:
        store.delivered([notification.id])
        log.error("an alert could not be delivered, given up", extra={**extra, "reason": notification.error})
        return replace(told, given_up=told.given_up + 1)
    due_at = now + delay_s(attempts) * SECOND
    store.delay(replace(notification, attempts=attempts, due_at=due_at))
    log.warning("an alert could not be delivered, tried again later", extra={**extra, "reason": notification.error})
    return replace(told, delayed=told.delayed + 1)


def delay_s(attempts: int) -> int:
    """Return the seconds to wait after so many failed attempts.

    >>> [delay_s(n) for n in (1, 2, 3, 10)]
    [60, 120, 240, 3600]
    """
    return int(min(FIRST_DELAY_S * 2 ** (min(attempts, 20) - 1), MAX_DELAY_S))


def waited_s(attempts: int) -> int:
    """Return how long a notification waits in all when so many attempts fail.

    >>> waited_s(2)
    180
    """
    return sum(delay_s(n) for n in range(1, attempts + 1))


def _remind(store: WatchStore, channels: Sequence[Channel], now: int, link: Callable[[Alert], str]) -> None:
    reminded = [channel for channel in channels if isinstance(channel, Reminded)]
    if not reminded:
        return
    is_loud = [
        (alert, link(alert))
        for alert in store.alerts(AlertQuery(is_open=True, limit=MOST_OPEN))
        if alert.severity != UNTOLD and (alert.silenced_until is None or alert.silenced_until <= now)
    ]
    for channel in reminded:
        try:
            channel.remind(is_loud)
        except Exception as error:  # noqa: BLE001  # as in _tried
            log.warning("open alerts could not be repeated", extra={"channel": channel.name, "reason": _reason(error)})
