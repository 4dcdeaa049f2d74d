"""Policies, verdicts, alerts and what is still to be told, in memory."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from boucle.adapters.memory.watched import WatchedMemory
from boucle.core.alert import Alert
from boucle.core.report import Span
from boucle.core.watching import WatchPolicy
from boucle.monitoring.keeping import two_open
from boucle.monitoring.ports import AlertQuery, Judged, Notification, Verdict


class MemoryWatchStore:
    """What was judged is written at once, one look after the other."""

    def __init__(self, memory: WatchedMemory) -> None:
        self._memory = memory

    def policy(self, model: str) -> WatchPolicy:
        """Return the policy of a model; the defaults when it has none."""
        return self._memory.reading().policies.get(model, WatchPolicy())

    def save_policy(self, model: str, policy: WatchPolicy) -> None:
        """Replace the policy of a model."""
        with self._memory.writing() as state:
            state.policies[model] = policy

    def state(self, model: str) -> dict[str, Any]:
        """Return what the last look at a model left; {} at first."""
        found: dict[str, Any] = copy.deepcopy(self._memory.reading().states.get(model, {}))
        return found

    def judged(self, judged: Judged) -> None:
        """Write down a look. All of it or nothing."""
        with self._memory.writing() as state:
            state.states[judged.model] = copy.deepcopy(judged.state)
            state.verdicts.update({_order(verdict): verdict for verdict in judged.verdicts})
            for alert in sorted(judged.alerts, key=lambda alert: alert.is_open):  # one closes before another opens
                _write_alert(state.alerts, alert)
            for notification in judged.notifications:
                state.notifications.setdefault(notification.id, notification)

    def verdicts(self, model: str, window: Span) -> tuple[Verdict, ...]:
        """Return the verdicts whose window ends in a window, oldest first."""
        known = [verdict for verdict in self._memory.reading().verdicts.values() if verdict.model == model]
        ended = [verdict for verdict in known if window.start <= verdict.window.stop < window.stop]
        return tuple(sorted(ended, key=_order))

    def alerts(self, query: AlertQuery) -> tuple[Alert, ...]:
        """Return alerts, newest first."""
        found = [alert for alert in self._memory.reading().alerts.values() if _is_wanted(alert, query)]
        newest = sorted(found, key=lambda alert: (alert.opened_at, alert.id), reverse=True)
        return tuple(newest[: query.limit])

    def due(self, now: int, limit: int = 100) -> tuple[Notification, ...]:
        """Return the notifications to deliver now, oldest first."""
        found = [each for each in self._memory.reading().notifications.values() if each.due_at <= now]
        return tuple(sorted(found, key=lambda each: (each.due_at, each.id))[:limit])

    def delivered(self, ids: Iterable[str]) -> None:
        """Forget notifications that were delivered (or given up)."""
        with self._memory.writing() as state:
            for id_ in ids:
                state.notifications.pop(id_, None)

    def delay(self, notification: Notification) -> None:
        """Keep a notification with its new ``attempts``, ``due_at`` and ``error``."""
        new = notification
        with self._memory.writing() as state:
            known = state.notifications.get(new.id)
            if known is not None:
                delayed = replace(known, attempts=new.attempts, due_at=new.due_at, error=new.error)
                state.notifications[new.id] = delayed


def _order(verdict: Verdict) -> tuple[Any, ...]:
    return (verdict.window.stop, verdict.version, verdict.slice, verdict.window.start, verdict.model)


def _write_alert(alerts: dict[str, Alert], alert: Alert) -> None:
    if alert.is_open and any(_is_same(other, alert) for other in alerts.values() if other.id != alert.id):
        raise two_open(alert)
    alerts[alert.id] = alert


def _is_same(other: Alert, alert: Alert) -> bool:
    named = (alert.model, alert.check.name, alert.slice)
    return other.is_open and (other.model, other.check.name, other.slice) == named


def _is_wanted(alert: Alert, query: AlertQuery) -> bool:
    return (
        query.model in {None, alert.model}
        and query.is_open in {None, alert.is_open}
        and (query.since is None or alert.last_at >= query.since)
    )
