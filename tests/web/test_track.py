"""What a forecaster said of its own candles: each forecast stands at the time of the candle after its window."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boucle.core.cutting import sliding
from boucle.core.table import Column, Table, concat
from boucle.core.window import Window
from boucle.web.pages.charts import Forecast
from boucle.web.pages.track import later_candles, score_of, track_of, windows_before

START = 1_767_225_600_000_000  # 2026-01-01 00:00 UTC
HOUR = 3_600_000_000
WINDOW = Window(3, "timestamp", step=3600, gaps="fill", fill={"open": "close"}, most_filled=1)


def candles(closes: list[float], hours: list[int] | None = None, pair: str = "") -> Table:
    """Candles whose four prices are the close, at hours since the start."""
    times = START + HOUR * np.array(hours if hours is not None else range(len(closes)))
    columns = {"timestamp": Column("datetime", times.astype("datetime64[us]"))}
    columns |= {name: Column("float", np.array(closes)) for name in ("open", "high", "low", "close")}
    if pair:
        columns["pair"] = Column("text", np.array([pair] * len(closes), dtype=object))
    return Table(columns)


def said(*predictions: float, bounds: list[list[float]] | None = None) -> Table:
    columns = {"prediction": Column("float", np.array(predictions))}
    if bounds is not None:
        columns["intervals"] = Column("matrix", np.array(bounds))
    return Table(columns)


def hours(forecasts: tuple[Forecast, ...]) -> list[float]:
    return [(item.at - START) / HOUR for item in forecasts]


def test_a_forecast_stands_at_the_next_candle_beside_what_came_and_the_last_close() -> None:
    track = track_of(candles([1.0, 2.0, 3.0, 4.0, 5.0]), said(3.5, 4.5, 5.5), WINDOW)

    assert hours(track.forecasts) == [3, 4, 5]
    assert [item.naive for item in track.forecasts] == [3.0, 4.0, 5.0]
    assert [item.actual for item in track.forecasts] == [4.0, 5.0, None]
    assert [item.predicted for item in track.forecasts] == [3.5, 4.5, 5.5]
    assert (track.step, len(track.candles)) == (HOUR, 5)


def test_rows_that_come_in_another_order_tell_the_same() -> None:
    shuffled = candles([1.0, 2.0, 3.0, 4.0, 5.0]).take(np.array([3, 0, 4, 1, 2]))

    assert track_of(shuffled, said(3.5, 4.5, 5.5), WINDOW) == track_of(
        candles([1.0, 2.0, 3.0, 4.0, 5.0]), said(3.5, 4.5, 5.5), WINDOW
    )


def test_a_candle_that_is_missing_is_a_forecast_of_which_nothing_came() -> None:
    with_hole = candles([1.0, 2.0, 3.0, 5.0, 6.0], [0, 1, 2, 4, 5])

    track = track_of(with_hole, said(10.0, 11.0, 12.0, 13.0), WINDOW)  # the filled hour ends a window too

    assert hours(track.forecasts) == [3, 4, 5, 6]
    assert [item.actual for item in track.forecasts] == [None, 5.0, 6.0, None]
    assert [item.naive for item in track.forecasts] == [3.0, 3.0, 5.0, 6.0]


def test_where_markets_close_the_next_candle_is_the_neighbour() -> None:
    weekend = candles([1.0, 2.0, 3.0, 4.0, 5.0], [0, 1, 2, 50, 51])

    track = track_of(weekend, said(10.0, 11.0, 12.0), Window(3, "timestamp"))

    assert hours(track.forecasts) == [50, 51, 52]
    assert [item.actual for item in track.forecasts] == [4.0, 5.0, None]


def test_of_several_groups_the_first_is_told_and_how_many_there_are() -> None:
    both = concat([candles([1.0, 2.0, 3.0, 4.0], pair="BTC"), candles([7.0, 8.0, 9.0], pair="ETH")])

    track = track_of(both, said(3.5, 4.5, 9.5), replace(WINDOW, group_by="pair", fill={}))

    assert (track.group, track.n_groups) == ("BTC", 2)
    assert [item.predicted for item in track.forecasts] == [3.5, 4.5]
    assert [candle.close for candle in track.candles] == [1.0, 2.0, 3.0, 4.0]


def test_a_series_without_candles_has_forecasts_and_nothing_beside_them() -> None:
    times = candles([1.0, 2.0, 3.0]).columns["timestamp"]
    load = Table({"timestamp": times, "load": Column("float", np.array([1.0, 2.0, 3.0]))})

    track = track_of(load, said(3.5), replace(WINDOW, fill={}))

    assert track.candles == ()
    assert track.forecasts == (Forecast(START + 3 * HOUR, 3.5),)


@pytest.mark.parametrize(
    ("answers", "window"),
    [
        (said(1.0), WINDOW),
        (said(1.0, 2.0, float("nan")), WINDOW),
        (Table({"other": Column("float", np.zeros(3))}), WINDOW),
        (said(1.0, 2.0, 3.0), Window(3, "close")),
        (said(1.0, 2.0, 3.0), Window(3, "gone")),
        (said(), Window(6, "timestamp")),
        (said(1.0), Window(6_000, "timestamp")),
    ],
    ids=["too few answers", "no number", "no prediction", "no time", "no column", "no window", "long windows"],
)
def test_answers_that_do_not_belong_to_their_sample_are_refused(answers: Table, window: Window) -> None:
    with pytest.raises((ValueError, LookupError)):
        track_of(candles([1.0, 2.0, 3.0, 4.0, 5.0]), answers, window)


def test_a_price_that_is_missing_is_no_candle_and_no_naive_forecast() -> None:
    track = track_of(candles([1.0, 2.0, float("nan"), 4.0]), said(3.5, 4.5), WINDOW)

    assert [item.naive for item in track.forecasts] == [None, 4.0]
    assert [candle.close for candle in track.candles] == [1.0, 2.0, 4.0]


def test_a_whole_price_that_is_missing_is_never_drawn_as_its_filler() -> None:
    table = candles([1.0, 2.0, 3.0, 4.0])
    missing = np.array([False, False, True, False])
    whole = {name: Column("int", np.array([1, 2, 0, 4]), missing) for name in ("open", "high", "low", "close")}
    with_hole = Table({**table.columns, **whole})

    track = track_of(with_hole, said(3.5, 4.5), WINDOW)
    found = list(windows_before([START + 3 * HOUR], with_hole, with_hole, (replace(WINDOW, fill={}), track)))

    assert [item.naive for item in track.forecasts] == [None, 4.0]
    assert [candle.close for candle in track.candles] == [1.0, 2.0, 4.0]
    assert [naive for _at, naive, _rows in found] == [None]


YEAR_9999 = 253_402_297_200_000_000  # 9999-12-31 23:00 UTC
YEAR_1 = -62_135_596_800_000_000


def at(*times: int) -> Table:
    table = candles([1.0] * len(times))
    return Table({**table.columns, "timestamp": Column("datetime", np.array(times).astype("datetime64[us]"))})


@pytest.mark.parametrize("window", [WINDOW, Window(3, "timestamp")], ids=["step", "neighbours"])
@pytest.mark.parametrize("last", [YEAR_9999, YEAR_9999 + 10**15, YEAR_1 + HOUR], ids=["9999", "later", "before 1"])
def test_times_that_no_date_can_tell_are_refused(last: int, window: Window) -> None:
    with pytest.raises(ValueError, match="years 1 to 9999"):
        track_of(at(last - 2 * HOUR, last - HOUR, last), said(1.0), window)


def test_the_last_hour_that_a_date_can_tell_is_forecast() -> None:
    times = [YEAR_9999 - n * HOUR for n in (3, 2, 1)]
    assert [item.at for item in track_of(at(*times), said(1.0), WINDOW).forecasts] == [YEAR_9999]
    track = track_of(candles([1.0, 2.0, 3.0]), said(3.5), WINDOW)
    assert later_candles(track, at(YEAR_9999, YEAR_9999 + HOUR), WINDOW)[-1].at == YEAR_9999


def test_the_score_counts_what_is_known() -> None:
    forecasts = (
        Forecast(0, 10.0, 9.0, 11.0, naive=9.0, actual=11.0),
        Forecast(1, 10.0, 9.0, 11.0, naive=12.0, actual=13.0),
        Forecast(2, 10.0, 9.0, 11.0, naive=12.0),
    )

    score = score_of(forecasts)

    assert score is not None
    assert (score.n, score.n_inside, score.inside, score.has_band) == (2, 1, 0.5, True)
    assert (score.error, score.naive_error) == (2.0, 1.5)  # |10-11|, |10-13|; |9-11|, |12-13|
    assert score_of(forecasts[2:]) is None


def test_later_candles_are_those_after_the_last() -> None:
    track = track_of(candles([1.0, 2.0, 3.0]), said(3.5), WINDOW)

    later = later_candles(track, candles([2.0, 3.0, 4.0, 5.0], [1, 2, 3, 4]), WINDOW)

    assert [(candle.at - START, candle.close) for candle in later] == [(3 * HOUR, 4.0), (4 * HOUR, 5.0)]


def test_the_window_before_a_later_candle_is_made_of_both_samples() -> None:
    own, other = candles([1.0, 2.0, 3.0]), candles([30.0, 4.0, 5.0], [2, 3, 4])
    track = track_of(own, said(3.5), WINDOW)

    found = list(windows_before([START + 4 * HOUR, START + 5 * HOUR], own, other, (WINDOW, track)))

    assert [[row["close"] for row in rows] for _at, _naive, rows in found] == [[2.0, 3.0, 4.0], [3.0, 4.0, 5.0]]
    assert [naive for _at, naive, _rows in found] == [4.0, 5.0]


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_for_any_holes_what_came_is_the_close_of_its_own_hour(data: Any) -> None:
    kept = data.draw(st.sets(st.integers(0, 40), min_size=4), label="hours")
    closes = [float(hour) for hour in sorted(kept)]  # the close tells its hour
    table = candles(closes, sorted(kept))
    n = sliding(table, WINDOW).n
    if n == 0:
        return

    track = track_of(table, said(*[0.0] * n), WINDOW)

    for hour, item in zip(hours(track.forecasts), track.forecasts, strict=True):
        assert item.actual == (hour if hour in kept else None)
        assert item.naive is not None
        assert item.naive < hour
