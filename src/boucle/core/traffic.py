"""ModelTraffic: what the gateway counted for one registered model, as pages and the API show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional


@dataclass(frozen=True)
class ModelTraffic:
    """Requests that a model answered or refused.

    ``requests`` and ``errors`` count since the gateway started; ``recent`` and the latencies cover the last
    ``window_s`` seconds. ``per_minute`` is the same window minute by minute, oldest first. A latency is None when
    nothing was answered in the window; it is interpolated within a histogram's bucket.
    """

    requests: int
    errors: int
    recent: int
    window_s: int
    per_minute: tuple[int, ...] = ()
    p50_ms: Optional[float] = None
    p99_ms: Optional[float] = None
