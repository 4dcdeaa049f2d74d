"""Alerts of others become ours, and close with the last of theirs."""

from __future__ import annotations

from typing import Any

from boucle.core.watching import WatchPolicy
from boucle.monitoring.alerting import Look
from boucle.monitoring.outside import (
    MODEL_LABELS,
    MOST_LABEL,
    MOST_LABEL_BYTES,
    MOST_LABELS,
    MOST_TEXT,
    Outside,
    outside_alerts,
    take,
)

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


def read(labels: dict[str, str], **members: Any) -> Outside:
    alert = {"status": "firing", "labels": labels, "fingerprint": "f1", **members}
    (one,) = outside_alerts({"alerts": [alert]})
    return one


def kept(labels: dict[str, str]) -> dict[str, str]:
    return dict(read(labels).evidence["labels"])


def test_labels_beyond_what_is_kept_are_left_out_and_never_those_that_are_read() -> None:
    few = kept({**{f"l{n}": "x" for n in range(80)}, "severity": "critical", MODEL_LABELS[0]: "churn"})
    short = kept({"n" * 500: "v" * 500, "alertname": "Slow"})
    light = kept({**{f"l{n}": "é" * 200 for n in range(40)}, "alertname": "Slow"})

    assert (len(few), few["severity"], few[MODEL_LABELS[0]]) == (MOST_LABELS, "critical", "churn")
    assert short == {"n" * MOST_LABEL: "v" * MOST_LABEL, "alertname": "Slow"}
    assert list(light)[-1] == "alertname"
    assert sum(len((name + value).encode()) for name, value in light.items()) > MOST_LABEL_BYTES - 500
    assert sum(len((name + value).encode()) for name, value in light.items()) <= MOST_LABEL_BYTES


def test_annotations_are_cut() -> None:
    one = read({"model": "churn"}, annotations={"summary": "s" * 9_000, "description": "d" * 9_000, "x" * 9_000: "y"})

    assert (len(one.summary), len(one.description)) == (MOST_TEXT, MOST_TEXT)


def test_texts_that_no_store_could_keep_are_mended() -> None:
    assert kept({"alertname": "A\ud800\0"}) == {"alertname": "A?"}
