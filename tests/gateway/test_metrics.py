"""What is counted, under labels that come from the route table only."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from boucle.adapters.memory.models import MemoryModels, MemoryRoutes
from gateway.conftest import FUNCTIONS, Launch, Running, until
from routed import ROW, routed, table


def samples(running: Running) -> dict[tuple[str, ...], float]:
    """Return each sample by its name and the values of its labels, sorted by label."""
    families = text_string_to_metric_families(running.client.get("/metrics").text)
    return {
        (sample.name, *(value for _name, value in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_requests_rows_and_odd_values_are_counted_by_model_and_version(launch: Launch) -> None:
    running = launch(MemoryModels(FUNCTIONS), MemoryRoutes(table(1, routed(3, "a" * 64))))
    until(lambda: running.app.fleet.aliases("bank") != {})

    running.ask([ROW, {**ROW, "job": "pilot", "age": 12, "balance": 1e9}])
    running.ask([ROW])
    running.ask([{**ROW, "age": "x"}])
    running.ask([ROW], "nobody")
    running.client.get("/nowhere")
    found = samples(running)

    assert found["boucle_requests_total", "bank", "2xx", "3"] == 2
    assert found["boucle_requests_total", "bank", "4xx", "3"] == 1
    assert found["boucle_requests_total", "other", "4xx", ""] == 2
    assert found["boucle_predictions_total", "bank", "3"] == 3
    assert found["boucle_unseen_categories_total", "bank", "3"] == 1
    assert found["boucle_out_of_range_total", "bank", "3"] == 2
    assert found["boucle_request_duration_seconds_count", "bank", "3"] == 3
    assert found["boucle_request_duration_seconds_bucket", "+Inf", "bank", "3"] == 3
    assert found["boucle_batches_total", "bank", "3"] == 2
    assert found["boucle_batched_rows_total", "bank", "3"] == 3
    assert found["boucle_version_loaded", "bank", "3"] == 1


def test_thousands_of_paths_make_no_new_series(bank: Running) -> None:
    before = set(samples(bank))

    for i in range(1_000):
        bank.client.post(f"/models/m{i}/invocations", content=b"")
        bank.client.get(f"/x{i}")

    assert set(samples(bank)) == before


def test_a_model_with_many_versions_keeps_under_200_series(launch: Launch) -> None:
    source = MemoryRoutes()
    running = launch(MemoryModels(FUNCTIONS), source)
    for number in range(1, 21):
        source.publish(table(number, routed(number, "a" * 64)))
        until(lambda: ("bank", number) in running.app.fleet.loaded)  # noqa: B023  # within the loop

    found = samples(running)

    assert len([key for key in found if "bank" in key]) < 200
    assert ("boucle_predictions_total", "bank", "20") in found
