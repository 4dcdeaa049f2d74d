"""Alerts of an Alertmanager (or of Grafana) about our models, taken as alerts of our own.

An alert of theirs is known by its fingerprint; ours by model, name and slice. So several of theirs (one for each
instance, say) may be one of ours, which lists their fingerprints in its evidence and closes with the last of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from boucle.core.alert import Alert, Severity
from boucle.core.check import Check
from boucle.core.errors import InvalidDocument
from boucle.core.watching import WatchPolicy
from boucle.monitoring.alerting import SEVERITIES, Changed, Look, alert_id, silenced_until
from boucle.monitoring.ports import Event

HEAD, OUR_SOURCE = "alertmanager", "boucle"
MODEL_LABELS = ("boucle_model", "model")
MOST_ALERTS, MOST_FINGERPRINTS, MOST_TEXT = 1_000, 200, 500
_SEVERITIES: dict[str, Severity] = {"info": "info", "warning": "warning", "critical": "critical", "page": "critical"}


@dataclass(frozen=True)
class Outside:
    """One alert of a webhook."""

    model: str
    name: str
    fingerprint: str
    is_firing: bool
    severity: Severity = "warning"
    slice: str = ""
    summary: str = ""
    description: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)


def outside_alerts(document: Any) -> tuple[Outside, ...]:
    """Read the body of an Alertmanager webhook, version 4; unknown members are left out, for Grafana adds some.

    What boucle itself told Alertmanager (label ``source="boucle"``) is left out too: it would go round. An alert
    without a label that names a model has the model ``""``. Raises InvalidDocument.
    """
    alerts = document.get("alerts") if isinstance(document, dict) else None
    if not isinstance(alerts, list) or len(alerts) > MOST_ALERTS:
        raise InvalidDocument("webhook.alerts", f"a list of at most {MOST_ALERTS} alerts", alerts)
    read = [_read(f"webhook.alerts[{place}]", alert) for place, alert in enumerate(alerts)]
    return tuple(one for one in read if one.evidence["labels"].get("source") != OUR_SOURCE)


def take(open_alerts: Iterable[Alert], told: Sequence[Outside], policy: WatchPolicy, look: Look) -> Changed:
    """Return what alerts of one model change. They open and close at once: the other side waited already."""
    known = {(alert.check.name, alert.slice): alert for alert in open_alerts}
    events: dict[tuple[str, str], tuple[Event, Alert]] = {}
    touched: dict[tuple[str, str], Alert] = {}
    for one in told:
        key = (f"{HEAD}:{one.name}", one.slice)
        before = known.get(key)
        after = _fired(before, one, policy, look) if one.is_firing else _resolved(before, one, look)
        if after is None:
            continue
        touched[key] = after
        if after.is_open:
            known[key] = after
        else:
            del known[key]
        is_news = before is None or not after.is_open or after.severity != before.severity
        if is_news and after.silenced_until is None:
            events[key] = ("opened" if after.is_open else "closed", after)
    return Changed(tuple(touched.values()), tuple(events.values()), {})


def _read(path: str, alert: Any) -> Outside:
    if not isinstance(alert, dict) or alert.get("status") not in ("firing", "resolved"):
        raise InvalidDocument(f"{path}.status", "firing or resolved", alert)
    labels = _texts(f"{path}.labels", alert.get("labels"))
    annotations = _texts(f"{path}.annotations", alert.get("annotations") or {})
    fingerprint = alert.get("fingerprint")
    if not isinstance(fingerprint, str) or not 0 < len(fingerprint) <= 64:
        raise InvalidDocument(f"{path}.fingerprint", "a text of 1 to 64 characters", fingerprint)
    link = alert.get("generatorURL")
    return Outside(
        model=next((labels[name] for name in MODEL_LABELS if labels.get(name)), ""),
        name=labels.get("alertname", "unnamed"),
        fingerprint=fingerprint,
        is_firing=alert["status"] == "firing",
        severity=_SEVERITIES.get(labels.get("severity", ""), "warning"),
        slice=labels.get("slice", ""),
        summary=annotations.get("summary", ""),
        description=annotations.get("description", ""),
        evidence={"labels": labels, "link": link[:MOST_TEXT] if isinstance(link, str) else ""},
    )


def _texts(path: str, found: Any) -> dict[str, str]:
    if not isinstance(found, Mapping) or not all(isinstance(value, str) for value in found.values()):
        raise InvalidDocument(path, "an object of texts", found)
    return {str(name): value[:MOST_TEXT] for name, value in found.items()}


def _fired(before: Alert | None, one: Outside, policy: WatchPolicy, look: Look) -> Alert | None:
    known = _fingerprints(before)
    severity = _severity(one, policy)
    if before is not None and one.fingerprint in known and severity == before.severity:
        return None  # Alertmanager repeats itself
    evidence = {**one.evidence, "fingerprints": sorted({*known, one.fingerprint})[:MOST_FINGERPRINTS]}
    check = Check(f"{HEAD}:{one.name}", "fail", one.summary or one.name, "", one.description, evidence)
    silent = silenced_until(check.name, policy, look.now)
    if before is not None:
        worse = max(severity, before.severity, key=SEVERITIES.index)
        return replace(before, check=check, severity=worse, last_at=look.at, silenced_until=silent)
    opened = Alert(
        alert_id(look.model, check.name, one.slice, look.at),
        look.model,
        look.version,
        check,
        severity,
        look.at,
        look.at,
    )
    return replace(opened, slice=one.slice, owner=policy.owner, silenced_until=silent)


def _resolved(before: Alert | None, one: Outside, look: Look) -> Alert | None:
    known = _fingerprints(before)
    if before is None or one.fingerprint not in known:
        return None
    left = [fingerprint for fingerprint in known if fingerprint != one.fingerprint]
    evidence = {**before.check.evidence, "fingerprints": left}
    after = replace(before, check=replace(before.check, evidence=evidence))
    return after if left else replace(before, closed_at=look.at)


def _fingerprints(alert: Alert | None) -> list[str]:
    return [] if alert is None else list(alert.check.evidence.get("fingerprints", []))


def _severity(one: Outside, policy: WatchPolicy) -> Severity:
    name = f"{HEAD}:{one.name}"
    told = policy.severities.get(name, policy.severities.get(HEAD))
    return told if told in SEVERITIES else one.severity
