"""What people read about alerts: a subject, sentences, and the same as HTML."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import escape

from boucle.core.alert import Alert
from boucle.core.i18n import N_, _, ngettext
from boucle.monitoring.alerting import MOST_TEXT, apart
from boucle.monitoring.ports import Event

MOST_NAMED, MOST_LISTED = 3, 20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SEVERITIES = {"info": N_("info"), "warning": N_("warning"), "critical": N_("critical")}


@dataclass(frozen=True)
class Message:
    """``subject`` is one line; ``text`` and ``html`` say the same, most important first."""

    subject: str
    text: str
    html: str


def message_of(event: Event, alert: Alert, link: str) -> Message:
    """Return the words of a message, in the language of the context.

    >>> from boucle.core.check import Check
    >>> alert = Alert("a", "churn", 3, Check("drift", "fail", "2 of 20 columns moved"), "warning", 0, 0)
    >>> message_of("opened", alert, "").subject
    'churn: drift (warning)'
    """
    alerts = apart(alert)
    lines = [_headline(event, alerts), *(_item(item) for item in alerts[:MOST_LISTED])]
    if len(alerts) > MOST_LISTED:
        lines.append(_("… and {n} more").format(n=len(alerts) - MOST_LISTED))
    ends = [_("The window ended at {at}.").format(at=readable(alert.last_at))]
    if alert.owner:
        ends.append(_("Owner: {owner}").format(owner=one_line(alert.owner)))
    return Message(_subject(event, alerts), _text([*lines, *ends], link), _html(lines, ends, link))


def readable(at: int) -> str:
    """Return UTC microseconds as people read them; any integer, for times come from callers.

    >>> readable(1_783_864_800_000_000)
    '2026-07-12 14:00:00 UTC'
    """
    try:
        return f"{_EPOCH + timedelta(microseconds=at):%Y-%m-%d %H:%M:%S} UTC"
    except OverflowError:
        return str(at)


def one_line(text: str) -> str:
    """Return a text as one line of at most 500 characters, fit for a header."""
    joined = " ".join(text.split())
    return joined if len(joined) <= MOST_TEXT else joined[: MOST_TEXT - 1] + "…"


def _subject(event: Event, alerts: tuple[Alert, ...]) -> str:
    lead = alerts[0]
    names = ", ".join(one_line(_name(alert)) for alert in alerts[:MOST_NAMED])
    if len(alerts) > MOST_NAMED:
        names = _("{names} and {n} more").format(names=names, n=len(alerts) - MOST_NAMED)
    template = _("{model}: {names} ({severity})") if event == "opened" else _("{model}: {names} (good again)")
    return one_line(template.format(model=lead.model, names=names, severity=_(_SEVERITIES[lead.severity])))


def _headline(event: Event, alerts: tuple[Alert, ...]) -> str:
    n, lead = len(alerts), alerts[0]
    if event == "opened":
        told = ngettext(
            "Model {model}, version {version}: an alert was opened.",
            "Model {model}, version {version}: {n} alerts were opened.",
            n,
        )
    else:
        told = ngettext(
            "Model {model}, version {version}: an alert was closed, the check is good again.",
            "Model {model}, version {version}: {n} alerts were closed, their checks are good again.",
            n,
        )
    return told.format(model=lead.model, version=lead.version, n=n)


def _name(alert: Alert) -> str:
    return f"{alert.check.name} [{alert.slice}]" if alert.slice else alert.check.name


def _item(alert: Alert) -> str:
    check = alert.check
    seen = one_line(check.observed or _("no details"))
    if check.expected:
        seen = _("{observed} (expected: {expected})").format(observed=seen, expected=one_line(check.expected))
    told = _("{name} ({severity}): {observed}").format(
        name=one_line(_name(alert)), severity=_(_SEVERITIES[alert.severity]), observed=seen
    )
    return f"{told}. {one_line(check.advice)}" if check.advice and alert.is_open else told


def _text(lines: list[str], link: str) -> str:
    return "\n".join([lines[0], "", *lines[1:], *(["", link] if link else [])]) + "\n"


def _html(lines: list[str], ends: list[str], link: str) -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in lines[1:])
    rest = "".join(f"<p>{escape(line)}</p>" for line in ends)
    more = f'<p><a href="{escape(link)}">{escape(link)}</a></p>' if link else ""
    return f"<!doctype html><html><body><p><b>{escape(lines[0])}</b></p><ul>{items}</ul>{rest}{more}</body></html>"
