"""Open alerts as people read them: those about the same column together, each with its evidence and its ways out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from boucle.core.alert import Alert
from boucle.core.check import Check
from boucle.core.i18n import N_, _
from boucle.core.report import Span
from boucle.monitoring.outside import HEAD
from boucle.web.pages import words
from boucle.web.pages.templates import cell
from boucle.web.pages.watch_names import watch_title

_ORDER = ("critical", "warning", "info")
_QUALITY = frozenset({"quality", "estimate", "estimates", "labels"})
_TOGETHER = frozenset({"quality", "answers"})
_ALONE = frozenset({HEAD, "expectation"})  # what follows their colon is no column
_TIMES = frozenset({"since", "at", "until", "last_at"})
_EVIDENCE = {
    "p_value": N_("p-value"),
    "wasserstein": N_("Wasserstein (in standard deviations)"),
    "jensen_shannon": N_("Jensen-Shannon"),
    "psi": N_("PSI"),
    "ks": N_("Kolmogorov-Smirnov"),
    "realised": N_("Realised"),
    "estimated": N_("Estimated"),
    "missing_rate": N_("Missing"),
}


@dataclass(frozen=True)
class Group:
    """Open alerts about one column (``subject`` is its name, else ""), or of one ``word``; the gravest first."""

    word: str
    subject: str
    alerts: tuple[Alert, ...]

    @property
    def worst(self) -> Alert:
        """The gravest of them, the oldest of those that are equally grave."""
        return self.alerts[0]

    @property
    def opened_at(self) -> int:
        """When the first of them opened."""
        return min(alert.opened_at for alert in self.alerts)

    @property
    def title(self) -> str:
        """The column, or the check in words."""
        is_several = self.word in _TOGETHER and len(self.alerts) > 1
        return self.subject or watch_title(self.word if is_several else self.worst.check.name)

    @property
    def kinds(self) -> str:
        """What is wrong with the column: ``Drift, Range``; empty when the title says it."""
        if not self.subject:
            return ""
        return ", ".join(dict.fromkeys(watch_title(alert.check.name.partition(":")[0]) for alert in self.alerts))

    def silenced_until(self, now: int) -> int | None:
        """Until when nobody is told of any of them; None when somebody is."""
        ends = [alert.silenced_until or 0 for alert in self.alerts]
        return min(ends) if min(ends) > now else None


def groups_of(alerts: Iterable[Alert]) -> tuple[Group, ...]:
    """Return the open ones in groups, the gravest first, then the oldest."""
    found: dict[tuple[str, str], list[Alert]] = {}
    for alert in sorted((one for one in alerts if one.is_open), key=_gravity):
        found.setdefault(_about(alert), []).append(alert)
    return tuple(Group(word, subject, tuple(told)) for (word, subject), told in found.items())


def evidence_of(check: Check) -> list[tuple[str, str]]:
    """Return what a check saw, for people: without what it did not measure, times as times, known names in words.

    >>> evidence_of(Check("drift:age", "fail", evidence={"ks": 0.25, "psi": None, "since": 0, "kind": "unit"}))
    [('Kolmogorov-Smirnov', '0.25'), ('since', '1970-01-01 00:00 UTC'), ('kind', 'unit')]
    """
    return [
        (_(_EVIDENCE[name]) if name in _EVIDENCE else name, _shown(name, value))
        for name, value in check.evidence.items()
        if value is not None
    ]


def commands(alert: Alert, length_us: int) -> str:
    """Return what one types to be left in peace, and to read the rows of the last bad window.

    >>> check = Check("drift:age", "fail")
    >>> print(commands(Alert("1", "churn", 2, check, "warning", 0, 7_200_000_000), 3_600_000_000))
    boucle watch churn --silence 2h --check drift:age
    boucle log churn --since 1970-01-01T01:00 --until 1970-01-01T02:00 --out rows.parquet
    """
    window = Span(alert.last_at - length_us, alert.last_at)
    since, until = (words.iso(at)[:16] for at in (window.start, window.stop))
    name, check = alert.model, alert.check.name
    quoted = check if check.replace(":", "").replace("_", "").replace("-", "").isalnum() else f"'{_inside(check)}'"
    return (
        f"boucle watch {name} --silence 2h --check {quoted}\n"
        f"boucle log {name} --since {since} --until {until} --out rows.parquet"
    )


def _gravity(alert: Alert) -> tuple[int, int]:
    return _ORDER.index(alert.severity), alert.opened_at


def _about(alert: Alert) -> tuple[str, str]:
    """Return the group of an alert: the word it goes under when it is about no column, and the column."""
    word, _colon, subject = alert.check.name.partition(":")
    if alert.slice or word in _ALONE or (not subject and word != "answers"):
        return alert.id, ""
    if word == "concept":
        kind, _colon, column = subject.partition(":")
        return ("", column) if kind == "input" else ("answers" if kind == "prediction" else "quality", "")
    if word in _QUALITY or word == "answers":
        return "quality" if word in _QUALITY else "answers", ""
    return "", subject


def _shown(name: str, value: Any) -> str:
    if name in _TIMES and isinstance(value, int) and value >= 0:
        return words.minute(value)
    if name == "window" and isinstance(value, (list, tuple)) and len(value) == 2:
        return " – ".join(words.minute(at) for at in value)
    return cell(value)


def _inside(text: str) -> str:
    """Return a text as it stands between the single quotes of a shell."""
    return text.replace("'", "'\\''")
