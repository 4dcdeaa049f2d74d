"""Alertmanager: alerts are pushed, and repeated while they are open, as Prometheus does."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from boucle.adapters.channels.form import annotations_of, labels_of, link_of, rfc3339
from boucle.adapters.channels.posting import post
from boucle.core.alert import Alert
from boucle.monitoring.alerting import apart, head_of
from boucle.monitoring.ports import Event

SECOND = 1_000_000
REMIND_EVERY_S = 60
LASTS_S = 900  # an alert that is not repeated for so long is over for Alertmanager: the platform is gone


class AlertmanagerChannel:
    """``url`` is that of Alertmanager itself, such as ``http://localhost:9093``."""

    name = "alertmanager"

    def __init__(self, url: str, clock: Callable[[], int] = lambda: time.time_ns() // 1000) -> None:
        self._url, self._clock = url.rstrip("/"), clock
        self._reminded_at: int | None = None

    def tell(self, event: Event, alert: Alert, link: str) -> None:
        """Push the alert and those told with it. Raises Unavailable."""
        told = [one for one in apart(alert) if _is_ours(one)]
        self._push([self._document(one, link_of(one, link, alert), event == "opened") for one in told])

    def remind(self, alerts: Sequence[tuple[Alert, str]]) -> None:
        """Push all that is open again, unless that was tried within the last minute. Raises Unavailable."""
        now, last = self._clock(), self._reminded_at
        if last is not None and 0 <= now - last < REMIND_EVERY_S * SECOND:
            return
        self._reminded_at = now
        self._push([self._document(alert, link, is_open=True) for alert, link in alerts if _is_ours(alert)])

    def _push(self, documents: list[dict[str, Any]]) -> None:
        if documents:
            post("Alertmanager", f"{self._url}/api/v2/alerts", documents)

    def _document(self, alert: Alert, link: str, is_open: bool) -> dict[str, Any]:
        now = self._clock()
        return {
            "labels": labels_of(alert),
            "annotations": annotations_of(alert),
            "startsAt": rfc3339(min(alert.opened_at, now - SECOND)),  # times of rows may be ahead of the clock
            "endsAt": rfc3339(now + LASTS_S * SECOND if is_open else now),
            "generatorURL": link,
        }


def _is_ours(alert: Alert) -> bool:
    """False for what Alertmanager told us: it would go round and round."""
    return head_of(alert.check.name) != "alertmanager"
