"""Report: what is known about a model's window, for pages, files, notebooks, commands and alerts alike."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional

from boucle.core.alert import Alert
from boucle.core.check import Check


@dataclass(frozen=True)
class Span:
    """A window of time: UTC microseconds, ``start`` in it, ``stop`` not."""

    start: int
    stop: int


@dataclass(frozen=True)
class Histogram:
    """Shares of the rows in each bin, of reference and current window; at most some 20 bins, for people.

    ``labels`` say what a bin holds (a category, or a range of numbers, whose bounds are then in ``edges``: one more
    than there are bins).
    """

    labels: tuple[str, ...]
    reference: tuple[float, ...]
    current: tuple[float, ...]
    edges: tuple[float, ...] = ()


@dataclass(frozen=True)
class ColumnReport:
    """One part of a profile against its reference. ``since`` is when it began to move, None when it did not.

    ``p_value`` is that of the calibrated test of the part alone; ``wasserstein`` is in standard deviations of the
    reference (numbers only), ``jensen_shannon`` a distance in [0, 1] (base 2), ``psi`` and ``ks`` as usual.
    """

    name: str
    status: str
    p_value: Optional[float] = None
    wasserstein: Optional[float] = None
    jensen_shannon: Optional[float] = None
    psi: Optional[float] = None
    ks: Optional[float] = None
    missing_rate: float = 0.0
    reference_missing_rate: float = 0.0
    histogram: Optional[Histogram] = None
    checks: tuple[Check, ...] = ()
    since: Optional[int] = None


@dataclass(frozen=True)
class Metric:
    """A figure of quality: ``realised`` on the rows whose outcome is known, ``estimated`` on all before it is.

    ``expected`` is what it was on the first labelled rows (or in the notebook); ``low`` and ``high`` bound the
    realised one at 95 %, when known. ``higher_is_better`` says which way is good.
    """

    name: str
    realised: Optional[float] = None
    estimated: Optional[float] = None
    expected: Optional[float] = None
    low: Optional[float] = None
    high: Optional[float] = None
    higher_is_better: bool = True


@dataclass(frozen=True)
class Quality:
    """Quality of a window, with what it rests on: the share of rows whose outcome is known, and how late it came."""

    metrics: tuple[Metric, ...] = ()
    label_coverage: float = 0.0
    n_labelled: int = 0
    label_lag_s: Optional[float] = None
    n_unknown: int = 0


@dataclass(frozen=True)
class Traffic:
    """Requests and rows of a window; ``per_step`` is (time, rows, errors) in order; latencies in milliseconds."""

    n_rows: int = 0
    n_requests: int = 0
    n_refused: int = 0
    n_failed: int = 0
    p50_ms: Optional[float] = None
    p99_ms: Optional[float] = None
    n_lost: int = 0
    per_step: tuple[tuple[int, int, int], ...] = ()


@dataclass(frozen=True)
class QualityPoint:
    """A metric in one past step: realised, and what had been estimated before the outcomes came."""

    at: int
    name: str
    realised: Optional[float] = None
    estimated: Optional[float] = None
    n_labelled: int = 0


@dataclass(frozen=True)
class Report:
    """One window of one version. ``columns`` are worst first; ``summary`` are sentences, most important first."""

    model: str
    version: int
    window: Span
    made_at: int
    n_reference: int = 0
    n_rows: int = 0
    against: str = "reference"
    slice: str = ""
    summary: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    columns: tuple[ColumnReport, ...] = ()
    answers: tuple[ColumnReport, ...] = ()
    quality: Optional[Quality] = None
    history: tuple[QualityPoint, ...] = ()
    traffic: Traffic = field(default_factory=Traffic)
    alerts: tuple[Alert, ...] = ()
    slices: tuple[tuple[str, str], ...] = ()
