"""Reports, alerts and policies through the client, against the real routes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from boucle.client.client import Client
from boucle.core.errors import BoucleError, InvalidRequest, NotFound
from boucle.core.watching import WatchPolicy
from client.watched import ALERT, HOUR, NOON, REPORT, Watched, watching
from web.made_up import TOKEN


@pytest.fixture
def watched() -> Iterator[Watched]:
    with watching() as running:
        yield running


@pytest.fixture
def client(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setenv("BOUCLE_LANGUAGE", "en")
    return Client(watched.url, TOKEN)


def test_a_report_arrives_as_it_was_made(client: Client, watched: Watched) -> None:
    found = client.report("churn")

    assert found.report == REPORT
    assert found.has_drifted
    (query,) = watched.reports
    assert (query.version, query.since, query.until, query.against, query.slice) == (None, None, None, None, "")


def test_a_report_is_asked_by_window_version_and_another_window(client: Client, watched: Watched) -> None:
    client.report("churn", since=NOON - HOUR, until=NOON, against=(NOON - 3 * HOUR, NOON - 2 * HOUR), version=1)

    (query,) = watched.reports
    assert query.against is not None
    assert (query.version, query.since, query.until) == (1, NOON - HOUR, NOON)
    assert (query.against.start, query.against.stop) == (NOON - 3 * HOUR, NOON - 2 * HOUR)


def test_a_deployment_reports_on_its_own_version(client: Client, watched: Watched) -> None:
    assert client.deployment("churn").drift(since="24h")["price"].psi == 0.61
    assert watched.reports[0].version == 1


def test_a_slice_that_the_policy_lacks_is_refused_naming_those_it_has(client: Client) -> None:
    client.watch("churn", slices=["job=services"])

    assert client.report("churn", slice="job=services").report.slice == "job=services"
    with pytest.raises(NotFound, match="job=services"):
        client.report("churn", slice="job=king")


def test_open_alerts_come_with_their_evidence(client: Client) -> None:
    assert client.alerts() == client.alerts("churn") == client.alerts("churn", is_open=None) == [ALERT]
    assert client.alerts(is_open=False) == []


def test_a_policy_is_changed_member_by_member(client: Client, watched: Watched) -> None:
    kept = client.watch("churn", window_s=7_200, severities={"drift": "critical"})

    assert kept == WatchPolicy(window_s=7_200, severities={"drift": "critical"})
    assert client.watch("churn", patience=3) == WatchPolicy(
        window_s=7_200, severities={"drift": "critical"}, patience=3
    )
    assert watched.store.policy("churn") == client.policy("churn")


def test_a_whole_policy_replaces_the_one_before(client: Client) -> None:
    client.watch("churn", patience=3)
    assert client.watch("churn", WatchPolicy(calm=4)) == WatchPolicy(calm=4)


def test_an_unknown_member_is_refused_before_it_is_sent(client: Client) -> None:
    with pytest.raises(InvalidRequest, match=r"no windows_s.*window_s"):
        client.watch("churn", windows_s=60)


def test_a_member_out_of_range_is_refused_by_the_platform_with_its_path(client: Client) -> None:
    with pytest.raises(BoucleError, match="patience"):
        client.watch("churn", patience=0)


def test_alerts_are_silenced_for_a_while(client: Client) -> None:
    (silence,) = client.silence("churn", "2h", check="drift:price", reason="known").silences
    assert (silence.until, silence.check, silence.reason) == (NOON + 2 * HOUR, "drift:price", "known")
    with pytest.raises(InvalidRequest, match="2h"):
        client.silence("churn", "a while")


def test_outcomes_are_counted(client: Client) -> None:
    assert client.truths("churn") == {"joined": 0, "waiting": 0, "unknown": 0, "unknown_ids": []}
