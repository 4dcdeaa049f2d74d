"""The words for what is watched: checks of a window, metrics, how grave an alert is, lengths of time."""

from __future__ import annotations

from boucle.core.i18n import N_, _, ngettext
from boucle.monitoring.metric_names import metric_title
from boucle.monitoring.outside import HEAD

_CHECKS = {
    "drift": N_("Drift"),
    "feed": N_("Feed"),
    "range": N_("Range"),
    "missing": N_("Missing values"),
    "categories": N_("New categories"),
    "constant": N_("Constant column"),
    "freshness": N_("Freshness"),
    "volume": N_("Volume"),
    "refusals": N_("Refused requests"),
    "failures": N_("Failed requests"),
    "log": N_("Inference log"),
    "quality": N_("Quality"),
    "estimate": N_("Estimated quality"),
    "estimates": N_("Estimates"),
    "labels": N_("Ground truth"),
    "concept": N_("Concept drift"),
    "expectation": N_("Expectation"),
    "answers": N_("Answers"),
    HEAD: N_("From an Alertmanager"),
}
_SEVERITIES = {"info": N_("Information"), "warning": N_("Warning"), "critical": N_("Critical")}


def severity_words(severity: str) -> str:
    """Return how grave an alert is."""
    return _(_SEVERITIES[severity])


def watch_title(name: str) -> str:
    """Return a check of a window in words.

    >>> watch_title("missing:age"), watch_title("concept:input:age"), watch_title("something:else")
    ('Missing values: age', 'Concept drift: age', 'something:else')
    """
    word, _colon, subject = name.partition(":")
    if word not in _CHECKS:
        return name
    title = _(_CHECKS[word])
    if word in ("quality", "estimate"):
        subject = metric_title(subject)
    if word == "concept":
        subject = subject.removeprefix("input:")
    return _("{title}: {subject}").format(title=title, subject=subject) if subject else title


def lasting(seconds: float) -> str:
    """Return a length of time in its largest unit.

    >>> lasting(93_600), lasting(45)
    ('1 day', '45 seconds')
    """
    if seconds >= 86_400:
        n = round(seconds / 86_400)
        return ngettext("{n} day", "{n} days", n).format(n=n)
    if seconds >= 3_600:
        n = round(seconds / 3_600)
        return ngettext("{n} hour", "{n} hours", n).format(n=n)
    if seconds >= 60:
        n = round(seconds / 60)
        return ngettext("{n} minute", "{n} minutes", n).format(n=n)
    n = round(seconds)
    return ngettext("{n} second", "{n} seconds", n).format(n=n)
