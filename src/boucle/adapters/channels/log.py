"""The log of the worker: always there, so that an alert leaves a line even when nothing else is set up."""

from __future__ import annotations

import logging

from boucle.core.alert import Alert
from boucle.monitoring.alerting import apart
from boucle.monitoring.ports import Event

log = logging.getLogger("boucle.alerts")


class LogChannel:
    """One line for each alert: an error for a critical one that opens, a warning for others, info when it closes."""

    name = "log"

    def tell(self, event: Event, alert: Alert, link: str) -> None:
        """Write the lines. Never raises."""
        for one in apart(alert):
            level = logging.ERROR if one.severity == "critical" else logging.WARNING
            extra = {
                "model": one.model,
                "version": one.version,
                "check": one.check.name,
                "slice": one.slice,
                "severity": one.severity,
                "observed": one.check.observed,
                "link": link,
            }
            log.log(level if event == "opened" else logging.INFO, "alert %s", event, extra=extra)
