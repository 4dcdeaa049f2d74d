"""Preprocessing: a series by stated rules, and what was mended."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from crypto.errors import InvalidParameter, StaleCandles, TooFewCandles
from crypto.pipelines.preprocessing.nodes import prepare_series
from series import hour, hourly

FIGURES = {
    "most_filled": 6,
    "sequence_length": 120,
    "least_candles": 10,
    "most_old_steps": 3,
    "most_old_steps_closed": 80,
}
SERIES = hourly(range(100, 150))


def source(now: float, step: float | None = 3600.0) -> dict[str, Any]:
    return {"name": "Binance", "pair": "BTCUSDT", "interval": "1h", "step": step, "now": hour(now).isoformat()}


def test_clean_candles_come_with_their_market(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    series, market = prepare_series(SERIES.drop(index=[5, 6, *range(20, 30)]), source(49.5), FIGURES)

    assert len(series) == 50 - 1 - 10
    assert market == {
        **source(49.5),
        "candles_from": "2024-01-01T00:00:00+00:00",
        "candles_to": "2024-01-03T00:00:00+00:00",
        "n_candles": 39,
        "n_cuts": 1,
        "mended": [
            "1 hole too long to fill cuts the series before this time (2024-01-02 06:00 UTC).",
            "2 missing candles were filled at the last close (first: 2024-01-01 05:00 UTC).",
        ],
    }
    assert caplog.messages == [
        *(f"BTCUSDT: {sentence}" for sentence in market["mended"]),
        "BTCUSDT: 39 clean candles, 2024-01-01 00:00 UTC to 2024-01-03 00:00 UTC.",
    ]


@pytest.mark.parametrize("most_filled", [-1, 61, 6.0, None])
def test_more_filling_than_boucle_does_is_refused_first_of_all(most_filled: Any) -> None:
    with pytest.raises(InvalidParameter) as caught:
        prepare_series(SERIES.head(0), source(50), {**FIGURES, "most_filled": most_filled})

    assert str(caught.value) == (
        f"preprocessing.most_filled is {most_filled!r}; with windows of 120 candles it is a whole number from 0 "
        "(no hole is filled) to 60."
    )


@pytest.mark.parametrize(("most_filled", "n_cuts"), [(0, 1), (60, 0)])
def test_the_least_and_the_most_filling_are_taken(most_filled: int, n_cuts: int) -> None:
    _series, market = prepare_series(SERIES.drop(index=[5, 6]), source(49.5), {**FIGURES, "most_filled": most_filled})

    assert market["n_cuts"] == n_cuts


def test_too_few_candles_are_an_error() -> None:
    with pytest.raises(TooFewCandles, match="9 usable BTCUSDT candles"):
        prepare_series(SERIES.head(9), source(9), FIGURES)


def test_candles_of_an_exchange_that_stands_still_are_an_error() -> None:
    prepare_series(SERIES, source(53), FIGURES)

    with pytest.raises(StaleCandles, match=r"of 2024-01-03 01:00 UTC, 3\.5 hours before"):
        prepare_series(SERIES, source(53.5), FIGURES)


def test_a_weekend_is_not_too_old_for_a_market_that_closes() -> None:
    series, market = prepare_series(SERIES.drop(index=range(20, 30)), source(50 + 62, None), FIGURES)

    assert len(series) == 40
    assert (market["n_cuts"], market["mended"]) == (0, [])
