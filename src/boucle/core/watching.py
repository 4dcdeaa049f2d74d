"""WatchPolicy: what a model's owner wants watched, kept, masked and told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional

DAY_S = 86_400


@dataclass(frozen=True)
class Silence:
    """Alerts whose check name starts with ``check`` ("" all of them) are told to nobody until ``until`` (UTC us)."""

    until: int
    check: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Expectation:
    """A rule of the author's own: an SQL expression that each row must keep, such as ``price > 0 OR kind = 'free'``.

    ``least`` is the share of rows that must keep it; a row for which it is null keeps it. ``function`` names instead
    a Python function ``module:name`` of the project, given a polars frame of the window's rows, which returns a
    boolean column, or True or False for them all.
    """

    name: str
    sql: str = ""
    least: float = 1.0
    function: str = ""


@dataclass(frozen=True)
class WatchPolicy:
    """How a model is watched. The defaults suit most.

    Every ``step_s`` the newest ``window_s`` are judged, when they hold ``least_rows`` rows. ``false_alarms`` is the
    share of windows without drift in which any column may be flagged. ``false_alarm_rows`` is how many rows the
    sequential detectors shall run without a false alarm, on average. ``detectors`` are ``cusum``, ``adwin``,
    ``page-hinkley``. ``slices`` are
    ``column=value``; ``masked`` columns are not kept in the inference log (profiles count them all the same).
    ``retention_days`` bounds the inference log, ground truth and profiles by minute. ``patience`` windows in a row
    open an alert and ``calm`` good ones close it. ``severities`` override, by check name or its first word.
    """

    window_s: int = DAY_S
    step_s: int = 3_600
    least_rows: int = 100
    false_alarms: float = 0.01
    false_alarm_rows: int = 1_000_000
    detectors: tuple[str, ...] = ("cusum",)
    slices: tuple[str, ...] = ()
    masked: tuple[str, ...] = ()
    expectations: tuple[Expectation, ...] = ()
    retention_days: int = 90
    patience: int = 2
    calm: int = 2
    owner: str = ""
    severities: dict[str, str] = field(default_factory=dict)
    silences: tuple[Silence, ...] = ()
    silent_after_s: Optional[int] = None
    report_cron: str = ""
    report_zone: str = "UTC"
