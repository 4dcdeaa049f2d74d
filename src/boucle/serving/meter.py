"""What is counted about each version: plain integers, added to without a lock (one event loop), read at a scrape."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
STATUSES = ("2xx", "4xx", "5xx")
VERSIONS_KEPT = 6  # of one model: 6 versions of 29 series stay under 200


@dataclass
class Meter:
    """The counts of one version. ``latencies`` holds requests per bucket (the last one: slower than all)."""

    requests: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STATUSES, 0))
    latencies: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS_S) + 1))
    latency_sum_s: float = 0.0
    predictions: int = 0
    unseen: int = 0
    out_of_range: int = 0
    batches: int = 0
    batched_rows: int = 0
    load_failures: int = 0

    def answered(self, status: int, seconds: float) -> None:
        """Count one request, answered with an HTTP status after some seconds."""
        self.requests["2xx" if status < 400 else "4xx" if status < 500 else "5xx"] += 1
        self.latencies[bisect_left(BUCKETS_S, seconds)] += 1
        self.latency_sum_s += seconds


class Meters:
    """The meters of all versions. Keys come from the route table only; ``other`` counts what names none."""

    def __init__(self) -> None:
        self.by_version: dict[str, dict[int, Meter]] = {}
        self.other = Meter()

    def of(self, model: str, number: int) -> Meter:
        """Return the meter of a version, made when missing; the least numbers of a model go when there are many."""
        versions = self.by_version.setdefault(model, {})
        if number not in versions:
            versions[number] = Meter()
            for old in sorted(versions)[: max(0, len(versions) - VERSIONS_KEPT)]:
                if old != number:
                    del versions[old]
        return versions[number]
