"""Alerts and policies over HTTP, and what an Alertmanager tells us."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest

from boucle.adapters.memory.watched import WatchedMemory
from boucle.adapters.memory.watching import MemoryWatchStore
from boucle.core.alert import Alert
from boucle.core.check import Check
from boucle.core.watching import WatchPolicy
from boucle.monitoring.outside import MOST_OPEN
from boucle.monitoring.policies import CHECKS
from boucle.monitoring.ports import AlertQuery, Judged
from boucle.web.app import create_app
from boucle.web.pages.watch_names import _CHECKS
from web.in_process import client
from web.made_up import NOW_US, TOKEN, World

HOUR_US = 3_600_000_000
DRIFT = Alert("a1", "churn", 2, Check("drift", "fail", "2 columns moved"), "warning", NOW_US - HOUR_US, NOW_US)


@pytest.fixture
def store() -> MemoryWatchStore:
    return MemoryWatchStore(WatchedMemory())


@pytest.fixture
def api(world: World, store: MemoryWatchStore) -> httpx.Client:
    plane = world.plane(watching=store, channels=("log", "alertmanager"))
    return client(create_app(plane), Authorization=f"Bearer {TOKEN}")


def webhook(*alerts: dict[str, Any]) -> dict[str, Any]:
    return {"version": "4", "status": "firing", "orgId": 1, "alerts": list(alerts)}


def firing(fingerprint: str = "f1", status: str = "firing", **labels: str) -> dict[str, Any]:
    told = {"alertname": "HighLatency", "boucle_model": "churn", "severity": "critical", **labels}
    return {
        "status": status,
        "labels": told,
        "annotations": {"summary": "p99 above 1 s", "description": "Look at the model."},
        "startsAt": "2026-07-12T14:00:00.123456789Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": fingerprint,
        "generatorURL": "http://prometheus.example/graph",
    }


def test_alerts_are_listed_for_all_models_and_for_one(api: httpx.Client, store: MemoryWatchStore) -> None:
    other = Alert("b1", "house-price", 1, Check("feed:rooms", "fail"), "critical", NOW_US, NOW_US, closed_at=NOW_US)
    store.judged(Judged("churn", {}, alerts=(DRIFT, other)))

    everything = api.get("/api/v1/alerts").json()["alerts"]
    of_churn = api.get("/api/v1/models/churn/alerts").json()["alerts"]
    closed = api.get("/api/v1/alerts?open=false").json()["alerts"]

    assert [alert["id"] for alert in everything] == ["b1", "a1"]
    assert [(alert["id"], alert["check"]["observed"]) for alert in of_churn] == [("a1", "2 columns moved")]
    assert [alert["id"] for alert in closed] == ["b1"]


@pytest.mark.parametrize("path", ["alerts", "watch"])
def test_a_model_that_is_not_there_is_404(api: httpx.Client, path: str) -> None:
    assert api.get(f"/api/v1/models/nobody/{path}").status_code == 404


def test_a_platform_that_watches_nothing_says_so(world: World) -> None:
    bare = client(create_app(world.plane()), Authorization=f"Bearer {TOKEN}")

    assert bare.get("/api/v1/alerts").status_code == 503


def test_an_alert_is_closed_by_hand_and_the_state_of_the_looks_stays(
    api: httpx.Client, store: MemoryWatchStore
) -> None:
    store.judged(Judged("churn", {"judged_until": 7}, alerts=(DRIFT,)))

    answer = api.post("/api/v1/alerts/a1/close")

    assert (answer.status_code, answer.json()["closed_at"]) == (200, NOW_US)
    assert store.state("churn") == {"judged_until": 7}
    assert api.post("/api/v1/alerts/a1/close").status_code == 404
    assert api.get("/api/v1/models/churn/history").json()["history"][-1]["action"] == "close-alert"


def test_a_policy_is_replaced_and_the_change_is_in_the_history(api: httpx.Client, store: MemoryWatchStore) -> None:
    assert api.get("/api/v1/models/churn/watch").json()["patience"] == 2

    answer = api.put("/api/v1/models/churn/watch", json={"patience": 3, "owner": "ada", "slices": ["job=services"]})

    assert answer.status_code == 200
    assert store.policy("churn") == WatchPolicy(patience=3, owner="ada", slices=("job=services",))
    last = api.get("/api/v1/models/churn/history").json()["history"][-1]
    assert (last["actor"], last["action"], last["detail"]) == ("api", "watch", "slices, patience, owner")
    n = len(api.get("/api/v1/models/churn/history").json()["history"])
    api.put("/api/v1/models/churn/watch", json={"patience": 3, "owner": "ada", "slices": ["job=services"]})
    assert len(api.get("/api/v1/models/churn/history").json()["history"]) == n


@pytest.mark.parametrize(
    ("member", "value", "path"),
    [
        ("pacience", 3, "pacience"),
        ("patience", 0, "patience"),
        ("patience", "3", "patience"),
        ("window_s", 90, "window_s"),
        ("step_s", 172_800, "step_s"),
        ("false_alarms", 0.9, "false_alarms"),
        ("detectors", ["cusum", "oracle"], "detectors/1"),
        ("slices", ["city"], "slices/0"),
        ("slices", [f"city={n}" for n in range(21)], "slices"),
        ("masked", ["iban", "iban"], "masked/1"),
        ("severities", {"drift": "loud"}, "severities/drift"),
        ("silences", [{"until": 5, "for": "ever"}], "silences/0/for"),
        ("expectations", [{"name": "r"}], "expectations/0"),
        ("expectations", [{"name": "r", "sql": "a > 0", "least": 2}], "expectations/0/least"),
        ("expectations", [{"name": "r", "function": "os.system"}], "expectations/0/function"),
        ("owner", "x" * 201, "owner"),
        ("slices", ["job=services", "city=Lyon"], "slices/1"),
        ("severities", {"d" * 201: "info"}, "severities"),
        ("silences", [{"until": 5, "check": "price"}], "silences/0/check"),
    ],
)
def test_a_wrong_policy_is_refused_with_its_path(
    api: httpx.Client, store: MemoryWatchStore, member: str, value: Any, path: str
) -> None:
    answer = api.put("/api/v1/models/churn/watch", json={member: value})

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, f"#/{path}")
    assert store.policy("churn") == WatchPolicy()


def test_what_is_wrong_is_told_with_the_value_that_was_sent_and_with_what_there_is(api: httpx.Client) -> None:
    def detail(**members: Any) -> str:
        return str(api.put("/api/v1/models/churn/watch", json=members).json()["detail"])

    assert detail(window_s=86_401).endswith("found 86401")
    assert "a column of the model: age, job, marital" in detail(slices=["city=Lyon"])
    silence = api.post("/api/v1/models/churn/silences", json={"check": "price"}).json()["detail"]
    assert "which begins with one of: drift, answers" in silence


def test_a_model_without_champion_takes_any_slice(api: httpx.Client, world: World) -> None:
    world.building("fresh", world.manifest(seed=7), 3)

    assert world.registry.model("fresh").champion is None
    assert api.put("/api/v1/models/fresh/watch", json={"slices": ["city=Lyon"]}).status_code == 200


@pytest.mark.parametrize("check", ["", "dri", "drift:price", "drift.price", "concept:input:age", "alertmanager:Slow"])
def test_a_silence_is_of_what_names_of_checks_begin_with(api: httpx.Client, check: str) -> None:
    assert api.post("/api/v1/models/churn/silences", json={"check": check}).status_code == 201


def test_every_check_that_has_a_title_can_be_silenced() -> None:
    assert set(_CHECKS) <= set(CHECKS)


def test_a_report_at_no_time_is_refused(api: httpx.Client) -> None:
    answer = api.put("/api/v1/models/churn/watch", json={"report_cron": "every day"})

    assert answer.json()["type"] == "urn:boucle:problem:invalid-cron"


def test_a_silence_is_added_and_those_that_ended_go(api: httpx.Client, store: MemoryWatchStore) -> None:
    api.put("/api/v1/models/churn/watch", json={"silences": [{"until": NOW_US - 1, "check": "range:old"}]})

    first = api.post("/api/v1/models/churn/silences", json={"check": "drift", "for_s": 60, "reason": "campaign"})
    second = api.post("/api/v1/models/churn/silences")

    assert (first.status_code, second.status_code) == (201, 201)
    assert [(silence.check, silence.until - NOW_US) for silence in store.policy("churn").silences] == [
        ("drift", 60_000_000),
        ("", HOUR_US),
    ]


@pytest.mark.parametrize("body", [{"for_s": 0}, {"until": NOW_US}, {"for_s": 5, "until": NOW_US + 9}, {"for": 1}, []])
def test_a_silence_of_no_time_is_refused(api: httpx.Client, body: Any) -> None:
    assert api.post("/api/v1/models/churn/silences", json=body).status_code == 422


def test_an_alertmanager_opens_and_closes_the_same_alert(api: httpx.Client, store: MemoryWatchStore) -> None:
    store.judged(Judged("churn", {"judged_until": 7}))

    opened = api.post("/api/v1/alertmanager", json=webhook(firing()))
    again = api.post("/api/v1/alertmanager", json=webhook(firing()))

    (alert,) = store.alerts(AlertQuery("churn", is_open=True))
    assert (opened.json(), again.json()) == ({"taken": 1, "dropped": 0}, {"taken": 1, "dropped": 0})
    assert (alert.check.name, alert.severity, alert.version) == ("alertmanager:HighLatency", "critical", 2)
    assert (alert.check.observed, alert.check.evidence["fingerprints"]) == ("p99 above 1 s", ["f1"])
    assert [(each.channel, each.event) for each in store.due(NOW_US)] == [("log", "opened")]

    api.post("/api/v1/alertmanager", json=webhook(firing(status="resolved")))

    assert store.alerts(AlertQuery("churn", is_open=True)) == ()
    assert sorted(each.event for each in store.due(NOW_US)) == ["closed", "opened"]
    assert store.state("churn") == {"judged_until": 7}


def test_beyond_as_many_as_may_be_open_new_ones_are_dropped_and_repeats_are_taken(
    api: httpx.Client, store: MemoryWatchStore, caplog: pytest.LogCaptureFixture
) -> None:
    many = [firing(f"f{n}", alertname=f"A{n}") for n in range(MOST_OPEN + 5)]
    first = api.post("/api/v1/alertmanager", json=webhook(*many))
    repeat = api.post("/api/v1/alertmanager", json=webhook(many[0], firing("new", alertname="New")))

    assert (first.status_code, first.json()) == (200, {"taken": MOST_OPEN, "dropped": 5})
    assert (repeat.status_code, repeat.json()) == (200, {"taken": 1, "dropped": 1})
    assert [(record.model, record.dropped) for record in caplog.records] == [("churn", 5), ("churn", 1)]  # type: ignore[attr-defined]  # fields of ours
    closed = {**many[0], "status": "resolved"}
    assert api.post("/api/v1/alertmanager", json=webhook(closed, firing("new", alertname="New"))).json()["dropped"] == 0
    assert len(store.alerts(AlertQuery("churn", is_open=True, limit=1_000))) == MOST_OPEN


def test_an_old_alert_behind_a_thousand_newer_ones_is_known_and_can_be_closed(
    api: httpx.Client, store: MemoryWatchStore
) -> None:
    old = replace(DRIFT, id="old", check=Check("alertmanager:Old", "fail", evidence={"fingerprints": ["f0"]}))
    newer = [replace(DRIFT, id=f"n{n}", check=Check(f"drift:c{n}", "fail"), opened_at=NOW_US + n) for n in range(1_200)]
    store.judged(Judged("churn", {}, alerts=(old, *newer)))

    told = webhook(firing("f1", alertname="Old"), firing("f2", alertname="New"))
    assert api.post("/api/v1/alertmanager", json=told).json() == {"taken": 2, "dropped": 0}
    assert api.post("/api/v1/alerts/old/close").status_code == 200


def test_two_instances_are_one_alert_until_both_are_good(api: httpx.Client, store: MemoryWatchStore) -> None:
    api.post("/api/v1/alertmanager", json=webhook(firing("f1", instance="a"), firing("f2", instance="b")))
    api.post("/api/v1/alertmanager", json=webhook(firing("f1", "resolved", instance="a")))
    assert len(store.alerts(AlertQuery("churn", is_open=True))) == 1

    api.post("/api/v1/alertmanager", json=webhook(firing("f2", "resolved", instance="b")))
    assert store.alerts(AlertQuery("churn", is_open=True)) == ()


def test_what_boucle_told_alertmanager_does_not_come_back(api: httpx.Client, store: MemoryWatchStore) -> None:
    answer = api.post("/api/v1/alertmanager", json=webhook(firing(source="boucle")))

    assert answer.json() == {"taken": 0, "dropped": 0}
    assert store.alerts(AlertQuery()) == ()


def test_an_unknown_model_is_refused_with_those_there_are_and_the_others_are_taken(
    api: httpx.Client, store: MemoryWatchStore
) -> None:
    answer = api.post("/api/v1/alertmanager", json=webhook(firing(boucle_model="nobody"), firing("f2")))

    assert answer.status_code == 422
    assert "models: churn, claims-triage" in answer.json()["detail"]
    assert len(store.alerts(AlertQuery("churn", is_open=True))) == 1


@pytest.mark.parametrize(
    "body",
    [[], {"alerts": {}}, {"alerts": [1]}, webhook({**firing(), "status": "odd"}), webhook({**firing(), "labels": 1})],
)
def test_a_body_that_is_no_webhook_is_refused(api: httpx.Client, body: Any) -> None:
    assert api.post("/api/v1/alertmanager", json=body).status_code == 422


def test_silenced_alerts_from_outside_are_kept_but_not_told(api: httpx.Client, store: MemoryWatchStore) -> None:
    api.post("/api/v1/models/churn/silences", json={})
    api.post("/api/v1/alertmanager", json=webhook(firing()))

    (alert,) = store.alerts(AlertQuery("churn", is_open=True))
    assert (alert.silenced_until, store.due(NOW_US)) == (NOW_US + HOUR_US, ())
