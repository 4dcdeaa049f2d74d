"""The counts of the gateway in Prometheus' format. Labels come from the route table; what names none is ``other``.

A gateway is one process with one event loop, so its counts are plain integers and a scrape sees all of them. Several
gateways, on one machine or on many, have an address each: Prometheus scrapes each of them and tells them apart by its
own label ``instance``, and a sum over it is right, for no counter is shared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from boucle.gateway.recording import Recorder
from boucle.serving.fleet import Fleet
from boucle.serving.meter import BUCKETS_S, Meter, Meters

__all__ = ["CONTENT_TYPE_LATEST", "Metrics"]
_COUNTED = {
    "boucle_predictions": ("Rows answered.", "predictions"),
    "boucle_unseen_categories": ("Cells with a category that the reference rows did not hold.", "unseen"),
    "boucle_out_of_range": ("Cells beyond the range of the reference rows.", "out_of_range"),
    "boucle_batches": ("Calls of the model.", "batches"),
    "boucle_batched_rows": ("Rows of all calls: divided by boucle_batches_total, the size of a batch.", "batched_rows"),
    "boucle_load_failures": ("Times a version could not be loaded.", "load_failures"),
}
Labelled = tuple[list[str], Meter]


class Metrics(Collector):
    """Renders the meters when asked."""

    def __init__(self, meters: Meters, fleet: Fleet, recorder: Recorder) -> None:
        self._recorder = recorder
        self._meters = meters
        self._fleet = fleet
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def text(self) -> bytes:
        """Return the exposition text."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Yield each family."""
        meters = self._labelled()
        yield _requests(meters)
        yield _latencies(meters)
        for name, (help_text, attribute) in _COUNTED.items():
            family = CounterMetricFamily(name, help_text, labels=("model", "version"))
            for labels, meter in meters:
                family.add_metric(labels, getattr(meter, attribute))
            yield family
        help_text = "1 for a version ready to answer."
        loaded = GaugeMetricFamily("boucle_version_loaded", help_text, labels=("model", "version"))
        for model, number in self._fleet.loaded:
            loaded.add_metric([model, str(number)], 1)
        yield loaded
        yield from _recorded(self._recorder)

    def _labelled(self) -> list[Labelled]:
        named = self._meters.by_version.items()
        return [
            *(([model, str(number)], meter) for model, versions in named for number, meter in versions.items()),
            (["other", ""], self._meters.other),
        ]


def _recorded(recorder: Recorder) -> Iterator[Metric]:
    lost = "Requests answered that the inference log does not hold: its disk was full."
    yield CounterMetricFamily("boucle_log_lost", lost, value=recorder.n_lost)
    yield CounterMetricFamily("boucle_log_bytes", "Bytes written to the inference log.", value=recorder.n_bytes)
    help_text = "Ground truths accepted."
    family = CounterMetricFamily("boucle_feedback", help_text, labels=("model",))
    for model, count in recorder.feedback.items():
        family.add_metric([model], count)
    yield family


def _requests(meters: Iterable[Labelled]) -> Metric:
    family = CounterMetricFamily(
        "boucle_requests", "Requests, by class of HTTP status.", labels=("model", "version", "status")
    )
    for labels, meter in meters:
        for status, count in meter.requests.items():
            family.add_metric([*labels, status], count)
    return family


def _latencies(meters: Iterable[Labelled]) -> Metric:
    family = HistogramMetricFamily(
        "boucle_request_duration_seconds", "From the headers of a request to its answer.", labels=("model", "version")
    )
    bounds = [*map(str, BUCKETS_S), "+Inf"]
    for labels, meter in meters:
        buckets = list(zip(bounds, accumulate(meter.latencies), strict=True))
        family.add_metric(labels, buckets=buckets, sum_value=meter.latency_sum_s)
    return family
