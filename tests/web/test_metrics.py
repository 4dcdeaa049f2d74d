"""What Prometheus reads of the control plane."""

from __future__ import annotations

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from boucle.adapters.memory.watched import WatchedMemory
from boucle.adapters.memory.watching import MemoryWatchStore
from boucle.core.alert import Alert
from boucle.core.check import Check
from boucle.core.report import Span
from boucle.monitoring.ports import Judged, Verdict
from boucle.web.app import create_app
from boucle.web.metrics import GAUGES, MOST_PARTS
from web.in_process import client
from web.made_up import NOW_US, TOKEN, World

HOUR_US = 3_600_000_000
YESTERDAY = NOW_US - 24 * HOUR_US
DRIFT = Check("drift:age", "fail", evidence={"p_value": 1e-6, "wasserstein": 0.4, "jensen_shannon": 0.2, "psi": None})
CHECKS = (
    DRIFT,
    Check("drift", "fail"),
    Check("range:age", "pass"),
    Check("range:balance", "fail"),
    Check("concept:errors", "warn", evidence={"level": 13.5, "h": 12.0}),
    Check("quality:accuracy", "pass", evidence={"realised": 0.91}),
    Check("estimate:accuracy", "pass", evidence={"estimated": 0.9}),
    Check("labels", "pass", evidence={"coverage": 0.25, "lag_s": 86_400.0}),
)


@pytest.fixture
def store() -> MemoryWatchStore:
    return MemoryWatchStore(WatchedMemory())


def samples(world: World, store: MemoryWatchStore | None) -> dict[tuple[str, ...], float]:
    answer = client(create_app(world.plane(watching=store))).get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain")
    families = text_string_to_metric_families(answer.text)
    return {(s.name, *sorted(s.labels.values())): s.value for family in families for s in family.samples}


def told(found: dict[tuple[str, ...], float], name: str) -> list[tuple[str, ...]]:
    return [key for key in found if key[0] == name]


def judged(
    store: MemoryWatchStore, checks: tuple[Check, ...], stop: int = NOW_US, where: str = "", late_until: int = 0
) -> None:
    state = {"late_until": late_until}
    store.judged(Judged("churn", state, (Verdict("churn", 2, Span(stop - 24 * HOUR_US, stop), checks, where),)))


def test_the_newest_window_of_each_model_is_told(world: World, store: MemoryWatchStore) -> None:
    judged(store, (Check("drift:age", "pass", evidence={"p_value": 0.5}),), NOW_US - HOUR_US)
    judged(store, CHECKS)
    judged(store, (Check("drift:age", "pass", evidence={"p_value": 0.7}),), where="job=services")

    found = samples(world, store)

    assert found["boucle_feature_drift_pvalue", "age", "churn"] == 1e-6
    assert found["boucle_feature_drift_score", "age", "churn", "wasserstein"] == 0.4
    assert ("boucle_feature_drift_score", "age", "churn", "psi") not in found
    assert found["boucle_constraint_violations", "churn", "range"] == 1
    assert found["boucle_cusum", "churn", "errors"] == 13.5
    assert found["boucle_cusum_threshold", "churn", "errors"] == 12
    assert found["boucle_model_score", "2", "accuracy", "churn", "realised"] == 0.91
    assert found["boucle_model_score", "2", "accuracy", "churn", "estimated"] == 0.9
    assert found["boucle_label_coverage_ratio", "churn"] == 0.25
    assert found["boucle_label_lag_seconds", "churn"] == 86_400
    assert found["boucle_window_end_timestamp_seconds", "churn"] == NOW_US / 1e6
    assert found["boucle_champion_info", "2", "churn"] == 1


def test_what_outcomes_tell_is_that_of_the_newest_window_that_has_them(world: World, store: MemoryWatchStore) -> None:
    judged(store, CHECKS, YESTERDAY, late_until=YESTERDAY)
    judged(store, (DRIFT, Check("estimate:accuracy", "pass", evidence={"estimated": 0.8})), late_until=YESTERDAY)

    found = samples(world, store)

    assert found["boucle_model_score", "2", "accuracy", "churn", "estimated"] == 0.8
    assert found["boucle_model_score", "2", "accuracy", "churn", "realised"] == 0.91
    assert found["boucle_label_coverage_ratio", "churn"] == 0.25


def test_outcomes_that_do_not_come_any_more_cover_nothing(world: World, store: MemoryWatchStore) -> None:
    stopped = Check("labels:freshness", "fail", evidence={"coverage": 0.0})
    judged(store, CHECKS, YESTERDAY, late_until=YESTERDAY)
    judged(store, (DRIFT, stopped), late_until=YESTERDAY)

    assert samples(world, store)["boucle_label_coverage_ratio", "churn"] == 0


def test_answers_that_drift_are_no_broken_data_test(world: World, store: MemoryWatchStore) -> None:
    judged(store, (Check("answers:prediction", "fail"),))

    assert not [labels for labels in samples(world, store) if labels[0] == "boucle_constraint_violations"]


def test_a_window_of_last_year_is_found_too(world: World, store: MemoryWatchStore) -> None:
    judged(store, CHECKS, NOW_US - 400 * 24 * HOUR_US)

    assert samples(world, store)["boucle_cusum", "churn", "errors"] == 13.5


def test_open_alerts_are_counted_by_severity_zeros_too(world: World, store: MemoryWatchStore) -> None:
    alert = Alert("a", "churn", 2, DRIFT, "warning", NOW_US, NOW_US)
    store.judged(Judged("churn", {}, alerts=(alert,)))

    found = samples(world, store)

    assert found["boucle_alerts_open", "churn", "warning"] == 1
    assert found["boucle_alerts_open", "churn", "critical"] == 0
    assert found["boucle_alerts_open", "house-price", "info"] == 0


def test_features_are_bounded_to_those_that_moved_most(world: World, store: MemoryWatchStore) -> None:
    judged(store, tuple(Check(f"drift:c{n}", "pass", evidence={"jensen_shannon": n / 100}) for n in range(80)))

    names = {key[1] for key in samples(world, store) if key[0] == "boucle_feature_drift_score"}

    assert names == {f"c{n}" for n in range(80 - MOST_PARTS, 80)}


def test_detectors_are_bounded_to_those_nearest_to_an_alarm(world: World, store: MemoryWatchStore) -> None:
    levels = [Check(f"concept:input:c{n}", "pass", evidence={"level": n / 10, "h": 8.0}) for n in range(80)]
    worst = Check("concept:errors", "warn", evidence={"level": 3.0, "h": 0.1})  # the least level, the most beyond
    judged(store, (*levels, worst, Check("concept:adwin", "pass", evidence={"at": None})))

    found = samples(world, store)

    wanted = {f"input:c{n}" for n in range(80 - MOST_PARTS + 1, 80)} | {"errors"}
    for name in ("boucle_cusum", "boucle_cusum_threshold"):
        assert {signal for key, _model, signal in told(found, name)} == wanted


def test_every_name_is_told_of_an_empty_platform(empty_world: World) -> None:
    answer = client(create_app(empty_world.plane())).get("/metrics")

    assert {line.split()[2] for line in answer.text.splitlines() if line.startswith("# TYPE")} == set(GAUGES)
    assert TOKEN not in answer.text


def test_waiting_jobs_are_counted(world: World) -> None:
    world.jobs.enqueue("collect", {})

    assert samples(world, None)["boucle_jobs", "collect", "ready"] == 1


@pytest.mark.parametrize(("authorization", "status"), [(None, 401), (f"Bearer {TOKEN}", 200), ("Bearer wrong", 401)])
def test_beyond_loopback_the_token_is_needed(world: World, authorization: str | None, status: int) -> None:
    asking: httpx.Client = client(create_app(world.plane(is_open_to_network=True)))

    answer = asking.get("/metrics", headers={"Authorization": authorization} if authorization else {})

    assert answer.status_code == status
