"""Alerts of others become ours, and close with the last of theirs."""

from __future__ import annotations

from boucle.core.watching import WatchPolicy
from boucle.monitoring.alerting import Look
from boucle.monitoring.outside import Outside, take

LOOK = Look("churn", 1, 10, 10)


def test_one_that_fires_and_resolves_in_one_message_leaves_nothing_open() -> None:
    told = [Outside("churn", "Slow", "f1", is_firing=True), Outside("churn", "Slow", "f1", is_firing=False)]

    changed = take((), told, WatchPolicy(), LOOK)

    assert [alert.closed_at for alert in changed.alerts] == [10]


def test_the_policy_decides_how_grave_it_is() -> None:
    policy = WatchPolicy(severities={"alertmanager": "info"}, owner="ada")

    (alert,) = take((), [Outside("churn", "Slow", "f1", is_firing=True, severity="critical")], policy, LOOK).alerts

    assert (alert.severity, alert.owner) == ("info", "ada")


def test_what_was_never_open_cannot_close() -> None:
    assert take((), [Outside("churn", "Slow", "f1", is_firing=False)], WatchPolicy(), LOOK).alerts == ()
