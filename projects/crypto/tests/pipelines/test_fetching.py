"""Fetching: which candles come, what is told of them, and what is kept."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from crypto.errors import ExchangeDown, InvalidPeriod
from crypto.exchange.replay import ReplayExchange
from crypto.pipelines.fetching.nodes import fetch_candles, stored_or_fetched
from series import hour, hourly

SERIES = hourly(range(100, 400))


@pytest.fixture
def replay() -> Iterator[ReplayExchange]:
    with ReplayExchange({"ETHUSDT": SERIES}) as exchange:
        yield exchange


def fetching(replay: ReplayExchange, **changes: Any) -> dict[str, Any]:
    return {"symbol": "ETH", "comparison": "USDT", "interval": "1h", "url": replay.url, "tries": 1, **changes}


def test_candles_come_with_what_they_are(replay: ReplayExchange, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    candles, source = fetch_candles(fetching(replay, period="last_five_days"))

    assert len(candles) == 120
    assert source == {
        "name": replay.url,
        "pair": "ETHUSDT",
        "symbol": "ETH",
        "comparison": "USDT",
        "interval": "1h",
        "step": 3600.0,
        "now": "2024-01-13T12:00:00+00:00",
        "sentence": caplog.messages[0],
    }


@pytest.mark.parametrize(
    ("period", "n"),
    [
        ("one_year", 300),
        ({"start": "2024-01-02", "end": "2024-01-03T06:00Z"}, 30),
        ({"start": date(2024, 1, 12)}, 36),
    ],
)
def test_the_period_is_the_users(replay: ReplayExchange, period: Any, n: int) -> None:
    candles, _source = fetch_candles(fetching(replay, period=period))

    assert len(candles) == n


@pytest.mark.parametrize("period", ["a_year", {"start": "then"}, {"end": "2024-01-02"}])
def test_a_period_that_is_none_is_refused_with_one_that_is(replay: ReplayExchange, period: Any) -> None:
    with pytest.raises(InvalidPeriod, match="2023-01-01"):
        fetch_candles(fetching(replay, period=period))


def test_nothing_is_kept_unless_asked_for(
    replay: ReplayExchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    stored_or_fetched(fetching(replay))

    assert list(tmp_path.iterdir()) == []


def test_kept_candles_are_taken_instead_of_fetched(replay: ReplayExchange, tmp_path: Path) -> None:
    told = fetching(replay, store=str(tmp_path / "candles.parquet"))
    candles, source = stored_or_fetched(told)
    n = replay.n_requests

    again, source_again = stored_or_fetched(told)

    assert replay.n_requests == n
    assert source_again == source
    pd.testing.assert_frame_equal(again, candles)


def test_fetching_itself_always_asks_the_exchange(replay: ReplayExchange, tmp_path: Path) -> None:
    told = fetching(replay, store=str(tmp_path / "candles.parquet"), period="last_five_days")
    replay.clock.set(hour(250.5))
    fetch_candles(told)
    replay.clock.set(hour(251.5))

    candles, _source = fetch_candles(told)

    assert candles["timestamp"].iloc[-1] == pd.Timestamp(hour(251))
    assert stored_or_fetched(told)[0]["timestamp"].iloc[-1] == pd.Timestamp(hour(251))


def test_an_exchange_that_is_down_is_told() -> None:
    with pytest.raises(ExchangeDown, match="connection failed"):
        fetch_candles({"symbol": "BTC", "comparison": "USDT", "url": "http://127.0.0.1:9", "tries": 1})
