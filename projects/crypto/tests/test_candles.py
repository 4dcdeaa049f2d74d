"""What an exchange sends becomes a series, by stated rules; what was mended is told."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.candles import COLUMNS, as_candles, clean, cuts, iso, require_usable
from crypto.errors import MalformedCandles, StaleCandles, TooFewCandles
from series import HOUR_MS, hour, hourly, real

TEN = hourly([10, 11, 12, 13, 14, 15, 16, 17, 18, 19])
LATER = hour(1000)


def hours(candles: pd.DataFrame) -> list[float]:
    return [(time - hour(0)).total_seconds() / 3600 for time in candles["timestamp"].dt.to_pydatetime()]


def test_whole_candles_stay_as_they_are() -> None:
    candles, mended = clean(TEN, LATER, 3600)

    pd.testing.assert_frame_equal(candles, TEN.astype({"trades": "int64"}))
    assert not mended
    assert mended.sentences() == []


def test_the_result_has_the_twelve_columns_of_stated_kinds() -> None:
    candles, _mended = clean(TEN, LATER, 3600)

    assert tuple(candles.columns) == COLUMNS
    kinds = {name: str(kind) for name, kind in candles.dtypes.items()}
    assert {name for name, kind in kinds.items() if kind == "datetime64[ms, UTC]"} == {"timestamp", "close_time"}
    assert kinds.pop("trades") == "int64"
    assert set(kinds.values()) == {"datetime64[ms, UTC]", "float64"}


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("close", np.nan),
        ("open", 0.0),
        ("low", -3.0),
        ("high", np.inf),
        ("high", 1.0),
        ("low", 1000.0),
        ("timestamp", pd.NaT),
    ],
)
def test_an_impossible_candle_becomes_a_hole_that_is_filled(column: str, value: object) -> None:
    rows = TEN.copy()
    rows[column] = rows[column].mask(rows.index == 4, value)

    candles, mended = clean(rows, LATER, 3600)

    assert mended.count("broken") == 1
    assert mended.count("filled") == 1
    assert candles.loc[[4], ["open", "high", "low", "close", "volume", "trades"]].to_numpy().tolist() == [
        [13] * 4 + [0] * 2
    ]
    assert hours(candles) == list(range(10))


def test_identical_duplicates_count_once() -> None:
    candles, mended = clean(pd.concat([TEN, TEN.iloc[3:5]]), LATER, 3600)

    assert len(candles) == 10
    assert mended.count("identical") == 2


def test_of_contradicting_duplicates_the_last_that_came_is_kept() -> None:
    corrected = TEN.iloc[[3]].assign(close=12.5)

    candles, mended = clean(pd.concat([TEN, corrected]), LATER, 3600)

    assert candles["close"].iloc[3] == 12.5
    assert mended.count("contradicting") == 1
    assert "2024-01-01 03:00 UTC" in mended.sentences()[-1]


def test_an_impossible_duplicate_does_not_displace_a_good_candle() -> None:
    candles, _mended = clean(pd.concat([TEN, TEN.iloc[[3]].assign(close=np.nan)]), LATER, 3600)

    assert candles["close"].tolist() == TEN["close"].tolist()


def test_candles_out_of_order_are_sorted() -> None:
    candles, mended = clean(TEN.iloc[::-1], LATER, 3600)

    assert hours(candles) == list(range(10))
    assert mended.count("out-of-order") == 9


def test_the_candle_that_is_still_open_is_left_out_without_a_word() -> None:
    candles, mended = clean(TEN, hour(9.5), 3600)

    assert hours(candles)[-1] == 8
    assert mended.n_open == 1
    assert not mended


def test_a_candle_is_closed_when_its_hour_is_over() -> None:
    candles, _mended = clean(TEN, hour(10), 3600)

    assert hours(candles)[-1] == 9


def test_candles_of_the_future_are_dropped_and_told() -> None:
    candles, mended = clean(TEN, hour(7.2), 3600)

    assert hours(candles)[-1] == 6
    assert mended.count("future") == 2
    assert mended.sentences() == [
        "2 candles that begin after now, 2024-01-01 07:12 UTC, were dropped (first: 2024-01-01 08:00 UTC)."
    ]


def test_a_candle_between_the_steps_is_dropped() -> None:
    odd = TEN.iloc[[4]].assign(timestamp=lambda rows: rows["timestamp"] + timedelta(minutes=30))

    candles, mended = clean(pd.concat([TEN, odd]), LATER, 3600)

    assert len(candles) == 10
    assert mended.count("off-step") == 1


def test_six_missing_hours_are_filled_and_seven_cut_the_series() -> None:
    six, seven = TEN.drop(index=range(2, 8)), pd.concat([TEN.iloc[:2], TEN.iloc[[9]]])

    filled, told = clean(six, LATER, 3600)
    cut, told_too = clean(seven, LATER, 3600)

    assert hours(filled) == list(range(10))
    assert told.count("filled") == 6
    assert filled["close"].tolist() == [10, 11, 11, 11, 11, 11, 11, 11, 18, 19]
    assert hours(cut) == [0, 1, 9]
    assert told_too.count("cut") == 1
    assert [(iso(last), iso(first)) for last, first in cuts(cut, 3600)] == [
        ("2024-01-01 01:00 UTC", "2024-01-01 09:00 UTC")
    ]


def test_markets_that_close_are_neither_filled_nor_cut() -> None:
    candles, mended = clean(TEN.drop(index=[3, 4]), LATER, None)

    assert len(candles) == 8
    assert not mended
    assert cuts(candles, None) == []


def test_a_candle_without_volume_stays_and_is_told() -> None:
    rows = TEN.copy()
    rows.loc[2, ["volume", "quote_av", "trades", "tb_base_av", "tb_quote_av"]] = 0.0

    candles, mended = clean(rows, LATER, 3600)

    assert candles["close"].tolist() == TEN["close"].tolist()
    assert mended.sentences() == ["1 candle in which nobody traded was kept (2024-01-01 02:00 UTC)."]


def test_an_unknown_volume_becomes_none() -> None:
    rows = TEN.copy()
    rows.loc[2, "trades"] = np.nan
    rows.loc[5, "volume"] = -1.0

    candles, mended = clean(rows, LATER, 3600)

    assert mended.count("unknown-volume") == 2
    assert candles.loc[[2, 5], ["trades", "volume"]].to_numpy().tolist() == [[0, 10], [5, 0]]


def test_the_outage_of_2023_is_mended_as_stated() -> None:
    rows = real()

    candles, mended = clean(rows, pd.Timestamp("2025-01-01", tz="UTC"), 3600)

    assert len(rows) == 26_303
    assert len(candles) == 26_304
    assert {mend.code: (mend.n, mend.first) for mend in mended.mends} == {
        "short": (1, "2023-03-24 12:00 UTC"),
        "no-volume": (1, "2023-03-24 12:00 UTC"),
        "filled": (1, "2023-03-24 13:00 UTC"),
    }
    outage = candles.set_index("timestamp").loc["2023-03-24 12:00":"2023-03-24 13:00"]
    assert outage[["open", "high", "low", "close"]].to_numpy().tolist() == [[28_080.0] * 4] * 2
    assert outage["close_time"].dt.strftime("%H:%M:%S.%f").tolist() == ["12:59:59.999000", "13:59:59.999000"]


def test_a_missing_column_is_named() -> None:
    with pytest.raises(MalformedCandles, match=r"lack the columns high, close_time\. Found: timestamp"):
        as_candles(TEN.drop(columns=["high", "close_time"]))


def test_a_price_that_is_no_number_is_refused() -> None:
    with pytest.raises(MalformedCandles, match="no number or no time"):
        as_candles(TEN.astype({"close": object}).replace({"close": {12.0: "twelve"}}))


def test_no_candles_are_no_error_until_some_are_needed() -> None:
    candles, mended = clean(TEN.iloc[:0], LATER, 3600)

    assert len(candles) == 0
    assert not mended
    with pytest.raises(TooFewCandles, match=r"0 usable candles are left; 121 are needed\. Ask for a longer period"):
        require_usable(candles, LATER, at_least=121)


def test_too_few_candles_are_told_with_their_dates() -> None:
    with pytest.raises(
        TooFewCandles, match=r"10 usable BTCUSDT candles .*2024-01-01 00:00 UTC to 2024-01-01 09:00 UTC"
    ):
        require_usable(TEN, LATER, at_least=11, what="BTCUSDT candles")


def test_old_candles_are_told_with_their_date_and_a_cure() -> None:
    require_usable(TEN, hour(12), most_old_s=7200)

    with pytest.raises(StaleCandles, match=r"2024-01-01 09:00 UTC, 5\.0 hours before .*at most 2 hours.*clock"):
        require_usable(TEN, hour(15), most_old_s=7200)


@settings(max_examples=50, deadline=None)
@given(st.permutations(range(10)), st.sets(st.integers(1, 8)), st.lists(st.integers(0, 9), max_size=5))
def test_however_candles_come_the_series_is_regular_or_cut(
    order: list[int], gone: set[int], doubled: list[int]
) -> None:
    rows = TEN.iloc[[i for i in [*order, *doubled] if i not in gone]]

    candles, _mended = clean(rows, LATER, 3600)

    times = candles["timestamp"].dt.as_unit("ms").astype("int64").to_numpy()
    gaps = np.diff(times) // HOUR_MS
    assert ((gaps == 1) | (gaps > 7)).all()
    kept = candles[candles["volume"] > 0]
    assert kept["close"].tolist() == [10.0 + i for i in range(10) if i not in gone]
    again, _nothing = clean(candles, LATER, 3600)
    pd.testing.assert_frame_equal(again, candles)
