"""What the gateway counted, read from its ``/metrics`` and remembered minute by minute for half an hour.

The gateway's counters start at zero with its process and with each version, and go away with old versions; so what
is kept is the growth of each series from one reading to the next, and a series that shrank has started anew.
"""

from __future__ import annotations

import ssl
import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import httpx
from prometheus_client.parser import text_string_to_metric_families

from boucle.core.traffic import ModelTraffic

REQUESTS, DURATIONS = "boucle_requests_total", "boucle_request_duration_seconds_bucket"
WINDOW_S, MINUTE_S = 1800, 60
KEPT_S, TIMEOUT_S = 1.0, 2.0
Series = tuple[str, str]  # model, version


@dataclass
class Counts:
    """Counters at one moment. ``buckets`` holds, by upper bound in seconds, the requests up to that bound."""

    requests: float = 0.0
    errors: float = 0.0
    buckets: dict[float, float] = field(default_factory=dict)

    def plus(self, other: Counts) -> Counts:
        """Return the sum."""
        return self._combined(other, 1.0)

    def minus(self, other: Counts) -> Counts:
        """Return the growth since ``other``."""
        return self._combined(other, -1.0)

    def _combined(self, other: Counts, sign: float) -> Counts:
        bounds = {*self.buckets, *other.buckets}
        buckets = {bound: self.buckets.get(bound, 0.0) + sign * other.buckets.get(bound, 0.0) for bound in bounds}
        return Counts(self.requests + sign * other.requests, self.errors + sign * other.errors, buckets)


@dataclass(frozen=True)
class _Reading:
    at: float
    grown: Mapping[str, Counts]


class GatewayTraffic:
    """``address`` is asked at each reading; ``clock`` returns seconds that never go back."""

    def __init__(self, address: Callable[[], str], token: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._address, self._token, self._clock = address, token, clock
        self._lock = threading.Lock()
        self._last: dict[Series, Counts] = {}
        self._grown: dict[str, Counts] = {}
        self._readings: list[_Reading] = []
        self._told: dict[str, ModelTraffic] = {}
        self._told_at = float("-inf")

    def read(self) -> dict[str, ModelTraffic]:
        """Return the traffic of each model; empty when the gateway does not answer. One reading serves a second."""
        with self._lock:
            now = self._clock()
            if now - self._told_at >= KEPT_S:
                self._told = self._read(now)
                self._told_at = self._clock()  # after a slow gateway too, those who waited need not ask again
            return self._told

    def _read(self, now: float) -> dict[str, ModelTraffic]:
        try:
            counted = parse(self._fetch())
        except (httpx.HTTPError, ValueError):
            return {}
        self._grow(counted, is_first=not self._readings)
        self._readings.append(_Reading(now, dict(self._grown)))
        while len(self._readings) > 1 and self._readings[1].at <= now - WINDOW_S:
            del self._readings[0]
        edges = [self._grown_at(now - WINDOW_S + MINUTE_S * i) for i in range(WINDOW_S // MINUTE_S + 1)]
        return {model: _traffic(total, model, edges) for model, total in _by_model(counted.items()).items()}

    def _fetch(self) -> str:
        address = f"{self._address().rstrip('/')}/metrics"
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        trust = True if address.startswith("https:") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # made fast
        answer = httpx.get(address, headers=headers, timeout=TIMEOUT_S, trust_env=False, verify=trust)
        return answer.raise_for_status().text

    def _grow(self, counted: dict[Series, Counts], is_first: bool) -> None:
        for series, counts in counted.items():
            last = self._last.get(series, Counts())
            growth = counts if counts.requests < last.requests else counts.minus(last)
            known = self._grown.get(series[0], Counts())
            self._grown[series[0]] = known if is_first else known.plus(growth)
        self._last = counted

    def _grown_at(self, at: float) -> Mapping[str, Counts]:
        """Return what had grown at a moment: that of the last reading before it, of the first one earlier still."""
        index = bisect_right(self._readings, at, key=lambda reading: reading.at)
        return self._readings[max(0, index - 1)].grown


def parse(text: str) -> dict[Series, Counts]:
    """Return the counters of each version of each model. Raises ValueError for what is no exposition text.

    Requests that named no model of the route table have an empty version and are left out.
    """
    counted: dict[Series, Counts] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name not in (REQUESTS, DURATIONS) or not sample.labels.get("version"):
                continue
            series = (sample.labels["model"], sample.labels["version"])
            counts = counted.setdefault(series, Counts())
            if sample.name == DURATIONS:
                counts.buckets[float(sample.labels["le"])] = sample.value
            else:
                counts.requests += sample.value
                counts.errors += 0.0 if sample.labels["status"] == "2xx" else sample.value
    return counted


def _traffic(total: Counts, model: str, edges: Sequence[Mapping[str, Counts]]) -> ModelTraffic:
    grown = [edge.get(model, Counts()) for edge in edges]
    recent = grown[-1].minus(grown[0])
    return ModelTraffic(
        requests=int(total.requests),
        errors=int(total.errors),
        recent=int(recent.requests),
        window_s=WINDOW_S,
        per_minute=tuple(int(after.requests - before.requests) for before, after in pairwise(grown)),
        p50_ms=quantile(recent.buckets, 0.50),
        p99_ms=quantile(recent.buckets, 0.99),
    )


def quantile(buckets: Mapping[float, float], share: float) -> float | None:
    """Return a quantile in milliseconds, interpolated in its bucket as Prometheus' histogram_quantile does.

    None without observations; the largest finite bound when the quantile lies beyond it.

    >>> quantile({0.001: 10.0, 0.002: 30.0, float("inf"): 30.0}, 0.5)
    1.25
    """
    bounds = sorted(buckets)
    total = buckets[bounds[-1]] if bounds else 0.0
    if total <= 0:
        return None
    return 1000 * _interpolated([(bound, buckets[bound]) for bound in bounds], share * total)


def _interpolated(cumulated: Sequence[tuple[float, float]], rank: float) -> float:
    low, below = 0.0, 0.0
    for bound, count in cumulated:
        if count >= rank:
            if bound == float("inf"):
                break
            return low + (bound - low) * (rank - below) / (count - below)
        low, below = bound, count
    return low


def _by_model(series: Iterable[tuple[Series, Counts]]) -> dict[str, Counts]:
    total: dict[str, Counts] = {}
    for (model, _version), counts in series:
        total[model] = total.get(model, Counts()).plus(counts)
    return total
