"""Track: what a forecaster said of its own candles, window by window. Pure: tables in, figures out.

The sample of a window model is a series of rows; its answers are one forecast for each sliding window of it, proven
equal by the build. Each is a forecast of the row after its window.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from boucle.core.cutting import Windows, newest, sliding
from boucle.core.errors import InvalidRows
from boucle.core.i18n import _
from boucle.core.table import Column, Table, cells, concat, missing_mask
from boucle.core.window import Window
from boucle.web.pages.charts import Candle, Forecast

PRICES = ("open", "high", "low", "close")
WindowBefore = tuple[int, float | None, list[dict[str, Any]]]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
LATEST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
MOST_ROWS = 5_000  # of a window; the pages cut up to a thousand windows of a sample


@dataclass(frozen=True)
class Track:
    """``candles`` are empty for a model without them; ``forecasts`` are in order, the last one of the row to come.

    ``step`` is the distance from row to row, in microseconds; ``group`` is the one shown, of ``n_groups``.
    """

    candles: tuple[Candle, ...]
    forecasts: tuple[Forecast, ...]
    step: int
    group: Any = None
    n_groups: int = 1


@dataclass(frozen=True)
class Score:
    """Past forecasts against what happened: how many of ``n`` lay inside, and mean absolute errors."""

    n: int
    n_inside: int
    has_band: bool
    error: float
    naive_error: float

    @property
    def inside(self) -> float:
        """The share inside the interval."""
        return self.n_inside / self.n


def has_candles(table: Table, window: Window) -> bool:
    """True for rows of open, high, low and close, in the order of a time."""
    numbers = all(name in table.columns and table.columns[name].kind in ("int", "float") for name in PRICES)
    return numbers and table.columns[window.order_by].kind == "datetime"


def track_of(sample: Table, answers: Table, window: Window) -> Track:
    """Return the track of a sample and the answers on it, of its first group when there are several.

    Raises ValueError, LookupError or BoucleError when they do not belong together.
    """
    if window.rows > MOST_ROWS:
        raise ValueError(f"windows of over {MOST_ROWS} rows are not drawn")
    windows = sliding(_needed(sample, window), window)
    predictions = np.asarray(answers.columns["prediction"].values, dtype=float)
    if windows.n != len(predictions) or windows.n == 0:
        raise ValueError(f"{len(predictions)} answers for {windows.n} windows")
    ends = windows.table.take(slice(window.rows - 1, None, window.rows))
    chosen, group, n_groups = _group_of(windows)
    series = _ordered(sample, window, group)
    if ends.columns[window.order_by].kind != "datetime":
        raise ValueError(f"{window.order_by} is no time")
    times = _times(series, window)
    step = _step(times, window)
    if times.min() < EARLIEST or int(times.max()) + step > LATEST:
        raise ValueError(_("its times leave the years 1 to 9999"))
    candles = _candles(series, times) if has_candles(series, window) else ()
    told = {"predicted": predictions[chosen], **_bounds(answers, chosen)}
    forecasts = _forecasts(ends.take(chosen), told, window, (times, step, candles))
    return Track(candles, forecasts, step, group, n_groups)


def later_candles(track: Track, sample: Table, window: Window) -> tuple[Candle, ...]:
    """Return the candles of another sample that come after those of a track; none when it has no candles."""
    if not track.candles or not has_candles(sample, window):
        return ()
    series = _ordered(sample, window, track.group)
    found = _candles(series, _times(series, window))
    return tuple(candle for candle in found if track.candles[-1].at < candle.at <= LATEST)


def windows_before(times: list[int], own: Table, other: Table, cut: tuple[Window, Track]) -> Iterator[WindowBefore]:
    """Yield time, last close and rows of the window that comes before each of ``times``, from two samples in one.

    Rows that both samples hold are the first one's. Times whose window has too large a hole are left out.
    """
    window, track = cut
    first, second = _ordered(own, window, track.group), _ordered(other, window, track.group)
    series = concat([first, second.take(_times(second, window) > _times(first, window)[-1])])
    moments = _times(series, window)
    for at in times:
        before = series.take(moments < at)
        try:
            rows = newest(before, window).table
        except InvalidRows:
            continue
        yield at, _finite(_floats(rows.columns["close"]))[-1], rows.rows()


def score_of(forecasts: tuple[Forecast, ...]) -> Score | None:
    """Return how well forecasts did; None when nothing is known of what happened."""
    known = [item for item in forecasts if item.actual is not None and item.naive is not None]
    if not known:
        return None
    actual = np.array([item.actual for item in known], dtype=float)
    predicted = np.array([item.predicted for item in known])
    naive = np.array([item.naive for item in known], dtype=float)
    return Score(
        len(known),
        sum(item.is_inside is True for item in known),
        all(item.low is not None for item in known),
        float(np.abs(predicted - actual).mean()),
        float(np.abs(naive - actual).mean()),
    )


def _needed(sample: Table, window: Window) -> Table:
    """Return the columns from which windows are cut and told: a thousand windows of all of them may be much."""
    names = [window.order_by, *([window.group_by] if window.group_by else [])]
    names += [name for name in ("close",) if name in sample.columns]
    names += [window.fill[name] for name in names if name in window.fill]
    return sample.select(dict.fromkeys(names))


def _group_of(windows: Windows) -> tuple[Any, Any, int]:
    """Return which windows are of the first group, that group, and how many groups there are."""
    if windows.groups is None:
        return np.ones(windows.n, dtype=bool), None, 1
    first = windows.groups[0]
    return np.array([key == first for key in windows.groups]), first, len(set(windows.groups))


def _ordered(sample: Table, window: Window, group: Any) -> Table:
    if window.group_by is not None:
        sample = sample.take(np.array([key == group for key in cells(sample.columns[window.group_by])], dtype=bool))
    return sample.take(np.argsort(sample.columns[window.order_by].values, kind="stable"))


def _times(table: Table, window: Window) -> Any:
    """Return the times of rows in microseconds, shape ``(n_rows,)``."""
    return table.columns[window.order_by].values.astype("datetime64[us]").astype(np.int64)


def _step(times: Any, window: Window) -> int:
    if window.step is not None:
        return round(window.step * 1_000_000)
    if len(times) < 2:
        raise ValueError("one row has no step")
    return max(1, int(np.median(np.diff(times))))


def _candles(series: Table, times: Any) -> tuple[Candle, ...]:
    prices = [_floats(series.columns[name]).tolist() for name in PRICES]
    made = (Candle(*told) for told in zip(times.tolist(), *prices, strict=True))
    return tuple(candle for candle in made if _is_whole(candle))


def _is_whole(candle: Candle) -> bool:
    return all(map(math.isfinite, (candle.open, candle.high, candle.low, candle.close)))


def _bounds(answers: Table, chosen: Any) -> dict[str, Any]:
    if "intervals" not in answers.columns:
        return {}
    intervals = np.asarray(answers.columns["intervals"].values, dtype=float)[chosen]
    return {"low": intervals[:, 0], "high": intervals[:, 1]}


def _forecasts(
    ends: Table, told: dict[str, Any], window: Window, series: tuple[Any, int, tuple[Candle, ...]]
) -> tuple[Forecast, ...]:
    times, step, candles = series
    closes = {candle.at: candle.close for candle in candles}
    nothing = [None] * ends.n_rows
    naive = _finite(_floats(ends.columns["close"])) if candles else nothing
    low, high = (_finite(told[name]) if name in told else nothing for name in ("low", "high"))
    nexts = _nexts(_times(ends, window), times, step, window)
    rows = zip(nexts, told["predicted"].tolist(), low, high, naive, strict=True)
    made = [Forecast(at, value, down, up, last, closes.get(at)) for at, value, down, up, last in rows]
    if not all(np.isfinite(item.predicted) for item in made):
        raise ValueError("a forecast is no number")
    return tuple(sorted(made, key=lambda item: item.at))


def _floats(column: Column) -> Any:
    """Return the cells of a column of numbers as floats, NaN when missing."""
    return np.where(missing_mask(column), np.nan, column.values.astype(float))


def _finite(values: Any) -> list[float | None]:
    return [value if np.isfinite(value) else None for value in values.tolist()]


def _nexts(ends: Any, times: Any, step: int, window: Window) -> list[int]:
    """Return the time of the row after each window: a step later, or the neighbour's where no step is stated."""
    if window.step is not None:
        return [at + step for at in ends.tolist()]
    after = np.searchsorted(times, ends, side="right")
    known = np.append(times, times[-1] + step)
    return [int(at) for at in known[after].tolist()]
