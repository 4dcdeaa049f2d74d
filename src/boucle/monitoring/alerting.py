"""From checks to alerts: opened when a check stays bad, closed when it stays good, told once and together.

*Hysteresis.* A check that was bad in ``patience`` looks in a row opens an alert; one that was good in ``calm`` looks in
a row closes it. A check that a look did not judge counts neither way. What is a fact and no statistic (a feed that
stopped, records that were lost) opens at once when it fails: a second look would only cost time.

*Deduplication.* One alert is open for each model, check name and slice; what is bad in all rows opens none for a
slice, and what is said of a column closes when its feed is found broken. An alert is told when it opens, when it gets
more severe, when a silence ends under it, and when it closes. One of severity ``info`` stands on the page, untold.

*Grouping.* What one look opens is one message, and what it closes is another: twenty columns that drift at once are
one mail. The message is about the gravest alert; the others lie in its evidence, under ``MEMBERS``.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from boucle.core.alert import Alert, Severity
from boucle.core.check import Check
from boucle.core.document import from_json, to_json
from boucle.core.watching import WatchPolicy
from boucle.monitoring.ports import Event, Notification

SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")  # least first
UNTOLD: Severity = "info"  # it stands on the page; a message would be the wolf too often
FACTS = frozenset({"feed", "feeds", "freshness", "log", "alertmanager"})  # no chance in them: they open at once
GRAVE = FACTS | {"quality", "failures"}  # critical when they fail
SUPERSEDED = frozenset({"drift", "range", "missing", "categories", "constant"})  # by the feed of the same column
LOUD = GRAVE | {"concept"}  # a warning when they warn: the signals of concept drift never fail
MEMBERS, MOST_MEMBERS, MOST_TEXT = "members", 50, 500
_HEAD = re.compile(r"[:.\s]")


@dataclass(frozen=True)
class Look:
    """One look at a version: ``at`` is the end of the window that was judged, ``now`` the clock, both UTC us.

    ``state`` is what the look before left.
    """

    model: str
    version: int
    at: int
    now: int
    state: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Changed:
    """Alerts to write down, what is to be told of them, and the ``state`` for the next look (a JSON document)."""

    alerts: tuple[Alert, ...]
    events: tuple[tuple[Event, Alert], ...]
    state: dict[str, Any]


def update(
    open_alerts: Iterable[Alert], checks: Mapping[str, Sequence[Check]], policy: WatchPolicy, look: Look
) -> Changed:
    """Return what a look changes. ``checks`` are by slice, those of all rows under ``""``.

    >>> bad, good = Check("drift", "fail", "2 columns moved"), Check("drift", "pass")
    >>> first = update((), {"": [bad]}, WatchPolicy(), Look("churn", 1, 10, 10))
    >>> first.alerts, first.state
    ((), {'': {'drift': 1}})
    >>> second = update((), {"": [bad]}, WatchPolicy(), Look("churn", 1, 20, 20, first.state))
    >>> [(event, alert.severity) for event, alert in second.events]
    [('opened', 'warning')]
    """
    known = {(alert.slice, alert.check.name): alert for alert in open_alerts}
    streaks = {where: dict(of_slice) for where, of_slice in look.state.items()}
    alerts: list[Alert] = []
    events: list[tuple[Event, Alert]] = []
    bad_everywhere = {check.name for check in checks.get("", ()) if check.status != "pass"}
    for where, of_slice in checks.items():
        for check in of_slice:
            before = known.get((where, check.name))
            if where and before is None and check.name in bad_everywhere:
                continue  # the alert of all rows says it
            streak = _streak(streaks.setdefault(where, {}).get(check.name, 0), check)
            after, streak = _next(before, (where, check), streak, policy, look)
            streaks[where][check.name] = streak
            _note(before, after, alerts, events)
    for before in known.values():
        if _is_orphan(before, checks, look) or _is_superseded(before, checks) or not _is_wanted(before, policy):
            _note(before, replace(before, closed_at=look.at), alerts, events)
    state = {where: {name: n for name, n in of_slice.items() if n} for where, of_slice in streaks.items()}
    return Changed(tuple(alerts), tuple(events), {where: of_slice for where, of_slice in state.items() if of_slice})


def head_of(name: str) -> str:
    """Return the first word of the name of a check, which says its kind.

    >>> head_of("drift:price"), head_of("quality")
    ('drift', 'quality')
    """
    return _HEAD.split(name, maxsplit=1)[0]


def severity_of(check: Check, policy: WatchPolicy) -> Severity:
    """Return how grave a bad check is: the policy's word for its name or first word, else by kind and status.

    What fails is critical for feeds, freshness, the log and quality, else a warning; what warns is one step less, but
    for concept drift.
    """
    told = policy.severities.get(check.name, policy.severities.get(head_of(check.name)))
    if told in SEVERITIES:
        return told
    head = head_of(check.name)
    if check.is_failed:
        return "critical" if head in GRAVE else "warning"
    return "warning" if head in LOUD else "info"


def silenced_until(name: str, policy: WatchPolicy, now: int) -> int | None:
    """Return until when nobody is told of a check, None when they are."""
    ends = [silence.until for silence in policy.silences if silence.until > now and name.startswith(silence.check)]
    return max(ends, default=None)


def alert_id(model: str, name: str, where: str, opened_at: int) -> str:
    """Return the identifier of an alert: the same look, done again after a crash, opens the same alert.

    ``where`` is its slice.
    """
    text = json.dumps([model, name, where, opened_at], ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def notifications(events: Iterable[tuple[Event, Alert]], channels: Iterable[str], now: int) -> tuple[Notification, ...]:
    """Return the messages of a look: for each channel one of all that opened and one of all that closed."""
    found: dict[Event, list[Alert]] = {}
    for event, alert in events:
        found.setdefault(event, []).append(alert)
    told = []
    for channel in channels:
        for event, alerts in found.items():
            lead = together(alerts)
            key = hashlib.sha256(f"{lead.id} {event} {lead.severity} {lead.last_at} {now}".encode()).hexdigest()[:32]
            told.append(Notification(f"{key}:{channel}", channel, event, lead, due_at=now))
    return tuple(told)


def together(alerts: Sequence[Alert]) -> Alert:
    """Return the gravest of alerts, with the others in its evidence (50 at most, without their own evidence)."""
    lead, *others = sorted(alerts, key=_gravest_first)
    if not others:
        return lead
    members = [to_json(replace(alert, check=replace(alert.check, evidence={}))) for alert in others[:MOST_MEMBERS]]
    return replace(lead, check=replace(lead.check, evidence={**lead.check.evidence, MEMBERS: members}))


def apart(alert: Alert) -> tuple[Alert, ...]:
    """Return all alerts of a message, the gravest first: what ``together`` joined."""
    evidence = dict(alert.check.evidence)
    members = evidence.pop(MEMBERS, [])
    lead = replace(alert, check=replace(alert.check, evidence=evidence))
    return (lead, *(from_json(Alert, member) for member in members))


def _gravest_first(alert: Alert) -> tuple[int, bool, bool, str, str]:
    name = alert.check.name
    return -SEVERITIES.index(alert.severity), name != head_of(name), bool(alert.slice), name, alert.slice


def _streak(before: int, check: Check) -> int:
    """Count looks in a row: bad ones up from 0, good ones down."""
    return min(before, 0) - 1 if check.status == "pass" else max(before, 0) + 1


def _next(
    before: Alert | None, judged: tuple[str, Check], streak: int, policy: WatchPolicy, look: Look
) -> tuple[Alert | None, int]:
    """Return the alert after a look (None: none is open) and what is left of the streak."""
    where, check = judged
    if before is not None and streak < 0:
        is_over = -streak >= max(policy.calm, 1)
        after = _silenced(before, policy, look)
        return (replace(after, closed_at=look.at), 0) if is_over else (after, streak)
    if streak < 0:
        return None, 0
    severity = severity_of(check, policy)
    if before is not None:
        worse = max(severity, before.severity, key=SEVERITIES.index)
        seen = replace(before, version=look.version, check=check, severity=worse, last_at=look.at, owner=policy.owner)
        return _silenced(seen, policy, look), 0
    is_fact = check.is_failed and severity == "critical" and head_of(check.name) in FACTS
    if streak < policy.patience and not is_fact:
        return None, streak
    name = alert_id(look.model, check.name, where, look.at)
    opened = Alert(name, look.model, look.version, check, severity, look.at, look.at, where, policy.owner)
    return _silenced(opened, policy, look), 0


def _silenced(alert: Alert, policy: WatchPolicy, look: Look) -> Alert:
    return replace(alert, silenced_until=silenced_until(alert.check.name, policy, look.now))


def _note(before: Alert | None, after: Alert | None, alerts: list[Alert], events: list[tuple[Event, Alert]]) -> None:
    if after is None or after == before:
        return
    alerts.append(after)
    if after.silenced_until is not None or after.severity == UNTOLD:
        return
    if not after.is_open:
        events.append(("closed", after))
    elif before is None or before.silenced_until is not None or before.severity != after.severity:
        events.append(("opened", after))


def _is_superseded(alert: Alert, checks: Mapping[str, Sequence[Check]]) -> bool:
    """True when the feed of the column is found broken, so that what was said of its values is not news any more."""
    of_slice = {check.name: check for check in checks.get(alert.slice, ())}
    head, _colon, column = alert.check.name.partition(":")
    feed = of_slice.get(f"feed:{column}")
    return head in SUPERSEDED and feed is not None and feed.is_failed and alert.check.name not in of_slice


def _is_wanted(alert: Alert, policy: WatchPolicy) -> bool:
    """False when the policy does not ask any more for what the alert is about: a slice, a rule, freshness."""
    head, _colon, name = alert.check.name.partition(":")
    if head == "alertmanager":
        return True
    if alert.slice and alert.slice not in policy.slices:
        return False
    if head == "freshness":
        return policy.silent_after_s is not None
    return head != "expectation" or name in {rule.name for rule in policy.expectations}


def _is_orphan(alert: Alert, checks: Mapping[str, Sequence[Check]], look: Look) -> bool:
    """True when a newer version has no such check any more, though others of its kind were judged."""
    judged = [check.name for check in checks.get(alert.slice, ())]
    kind = head_of(alert.check.name)
    return alert.version != look.version and alert.check.name not in judged and kind in map(head_of, judged)
