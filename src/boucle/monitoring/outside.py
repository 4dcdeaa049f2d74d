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
from boucle.monitoring.alerting import SEVERITIES, Changed, Look, alert_id, head_of, silenced_until
from boucle.monitoring.ports import Event

HEAD, OUR_SOURCE = "alertmanager", "boucle"
MODEL_LABELS = ("boucle_model", "model")
MOST_ALERTS, MOST_FINGERPRINTS, MOST_TEXT = 1_000, 200, 500
MOST_OPEN = 200  # alerts of a model that came from outside and are open at the same time
MOST_LABELS, MOST_LABEL, MOST_LABEL_BYTES = 50, 200, 4_096
_READ = (*MODEL_LABELS, "alertname", "severity", "slice", "source")  # what is read of the labels is never left out
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


@dataclass(frozen=True)
class Taken(Changed):
    """What alerts from outside change; ``n_dropped`` more would have been open than ``MOST_OPEN``."""

    n_dropped: int = 0


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


def take(open_alerts: Iterable[Alert], told: Sequence[Outside], policy: WatchPolicy, look: Look) -> Taken:
    """Return what alerts of one model change. They open and close at once: the other side waited already.

    ``open_alerts`` are all that are open of the model; a new one beyond ``MOST_OPEN`` from outside is dropped.
    """
    known = {(alert.check.name, alert.slice): alert for alert in open_alerts}
    events: dict[tuple[str, str], tuple[Event, Alert]] = {}
    touched: dict[tuple[str, str], Alert] = {}
    n_open, n_dropped = sum(head_of(name) == HEAD for name, _slice in known), 0
    for one in told:
        key = (f"{HEAD}:{one.name}", one.slice)
        before = known.get(key)
        if before is None and one.is_firing and n_open >= MOST_OPEN:
            n_dropped += 1
            continue
        after = _fired(before, one, policy, look) if one.is_firing else _resolved(before, one, look)
        if after is None:
            continue
        touched[key] = after
        if after.is_open:
            known[key] = after
            n_open += before is None
        else:
            del known[key]
            n_open -= 1
        is_news = before is None or not after.is_open or after.severity != before.severity
        if is_news and after.silenced_until is None:
            events[key] = ("opened" if after.is_open else "closed", after)
    return Taken(tuple(touched.values()), tuple(events.values()), {}, n_dropped)


def _read(path: str, alert: Any) -> Outside:
    if not isinstance(alert, dict) or alert.get("status") not in ("firing", "resolved"):
        raise InvalidDocument(f"{path}.status", "firing or resolved", alert)
    labels = _labels(_texts(f"{path}.labels", alert.get("labels")))
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
        summary=_cut(annotations.get("summary", ""), MOST_TEXT),
        description=_cut(annotations.get("description", ""), MOST_TEXT),
        evidence={"labels": labels, "link": _cut(link, MOST_TEXT) if isinstance(link, str) else ""},
    )


def _texts(path: str, found: Any) -> dict[str, str]:
    if not isinstance(found, Mapping) or not all(isinstance(value, str) for value in found.values()):
        raise InvalidDocument(path, "an object of texts", found)
    return {str(name): value for name, value in found.items()}


def _labels(told: Mapping[str, str]) -> dict[str, str]:
    """Return as many labels as are kept, those that are read before all others, in the order they were told."""
    kept: dict[str, str] = {}
    n_bytes = 0
    for name in sorted(told, key=lambda name: name not in _READ):
        pair = _cut(name, MOST_LABEL), _cut(told[name], MOST_LABEL)
        n_bytes += sum(len(text.encode()) for text in pair)
        if len(kept) == MOST_LABELS or n_bytes > MOST_LABEL_BYTES:
            break
        kept[pair[0]] = pair[1]
    return {name: kept[name] for name in (_cut(name, MOST_LABEL) for name in told) if name in kept}


def _cut(text: str, most: int) -> str:
    """Return at most so many characters, fit for any store: no NUL, no half of a surrogate pair."""
    return text[:most].replace("\0", "").encode("utf-8", "replace").decode()


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
