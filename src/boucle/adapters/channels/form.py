"""Alerts in Alertmanager's form: labels name an alert and hold no figures, annotations tell what was seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from boucle.core.alert import Alert
from boucle.core.i18n import _
from boucle.monitoring.alerting import head_of
from boucle.monitoring.messages import one_line
from boucle.monitoring.ports import Event

FIRING_END = "0001-01-01T00:00:00Z"
SOURCE = "boucle"  # label ``source`` of alerts that are ours: they are not taken back when Alertmanager repeats them
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FNV_OFFSET, _FNV_PRIME, _SEPARATOR = 0xCBF29CE484222325, 0x100000001B3, 0xFF


def labels_of(alert: Alert) -> dict[str, str]:
    """Return the labels: the same ones as long as an alert is open and equally severe, whatever is measured.

    >>> from boucle.core.check import Check
    >>> labels_of(Alert("a", "churn", 3, Check("drift:price", "fail"), "warning", 0, 0))["alertname"]
    'BoucleDrift'
    """
    words = [word for word in "".join(c if c.isalnum() else " " for c in head_of(alert.check.name)).split() if word]
    told = {
        "alertname": "Boucle" + "".join(word[:1].upper() + word[1:] for word in words),
        "check": one_line(alert.check.name),
        "model": alert.model,
        "severity": alert.severity,
        "source": SOURCE,
        "slice": one_line(alert.slice),
        "owner": one_line(alert.owner),
    }
    return {name: value for name, value in told.items() if value}


def annotations_of(alert: Alert) -> dict[str, str]:
    """Return what was seen, what was expected and what to do."""
    check = alert.check
    parts = [
        _("Expected: {expected}.").format(expected=one_line(check.expected)) if check.expected else "",
        one_line(check.advice),
        _("Version {version}.").format(version=alert.version),
    ]
    return {"summary": one_line(check.observed or check.name), "description": " ".join(filter(None, parts))}


def fingerprint(labels: Mapping[str, str]) -> str:
    """Return Alertmanager's fingerprint of a set of labels: FNV-1a (64 bits) over sorted names and values."""
    value = _FNV_OFFSET
    for name in sorted(labels):
        for text in (name, labels[name]):
            for byte in (*text.encode(), _SEPARATOR):
                value = (value ^ byte) * _FNV_PRIME & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def rfc3339(at: int) -> str:
    """Return UTC microseconds as RFC 3339.

    >>> rfc3339(1_783_864_800_500_000)
    '2026-07-12T14:00:00.500000Z'
    """
    try:
        return f"{_EPOCH + timedelta(microseconds=at):%Y-%m-%dT%H:%M:%S.%fZ}"
    except OverflowError:
        return FIRING_END


def webhook_body(event: Event, alerts: Sequence[Alert], link: str) -> dict[str, Any]:
    """Return the body of an Alertmanager webhook, version 4. ``link`` leads to the first of the alerts."""
    status = "firing" if event == "opened" else "resolved"
    told = [_one(status, alert, link_of(alert, link, alerts[0])) for alert in alerts]
    address = urlsplit(link)
    return {
        "version": "4",
        "groupKey": f'{{}}:{{model="{alerts[0].model}"}}',
        "truncatedAlerts": 0,
        "status": status,
        "receiver": SOURCE,
        "groupLabels": {"model": alerts[0].model},
        "commonLabels": _common([one["labels"] for one in told]),
        "commonAnnotations": _common([one["annotations"] for one in told]),
        "externalURL": f"{address.scheme}://{address.netloc}" if address.netloc else "",
        "alerts": told,
    }


def link_of(alert: Alert, link: str, lead: Alert) -> str:
    """Return the link of an alert that is told together with the one that ``link`` leads to.

    >>> from boucle.core.check import Check
    >>> lead, other = (Alert(name, "churn", 3, Check("drift", "fail"), "warning", 0, 0) for name in ("a1", "a2"))
    >>> link_of(other, "http://localhost:8000/models/churn#alert-a1", lead)
    'http://localhost:8000/models/churn#alert-a2'
    """
    page, mark, _id = link.rpartition("#alert-")
    return f"{page}{mark}{alert.id}" if mark and link.endswith(f"{mark}{lead.id}") else link


def _one(status: str, alert: Alert, link: str) -> dict[str, Any]:
    labels = labels_of(alert)
    return {
        "status": status,
        "labels": labels,
        "annotations": annotations_of(alert),
        "startsAt": rfc3339(alert.opened_at),
        "endsAt": FIRING_END if alert.closed_at is None else rfc3339(alert.closed_at),
        "generatorURL": link,
        "fingerprint": fingerprint(labels),
    }


def _common(all_of: Sequence[Mapping[str, str]]) -> dict[str, str]:
    first, *others = all_of
    return {name: value for name, value in first.items() if all(other.get(name) == value for other in others)}
