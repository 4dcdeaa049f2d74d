"""Which exchange is taken, and that it is told."""

from __future__ import annotations

import socket
from importlib.metadata import PackageNotFoundError, version

import pytest

from crypto.errors import ExchangeDown, UnknownSymbol
from crypto.exchange import eurusd
from crypto.exchange import source as source_module
from crypto.exchange.client import Patience
from crypto.exchange.replay import ReplayExchange
from crypto.exchange.source import Wanted, open_source
from series import hour, hourly

NOWHERE = "http://127.0.0.1:9"
QUICK = Patience(sleep=lambda _seconds: None)


def test_an_exchange_that_answers_is_taken() -> None:
    with ReplayExchange({"BTCUSDT": hourly(range(10, 40))}) as replay:
        replay.clock.set(hour(20.5))
        with open_source(Wanted(url=replay.url, when_unreachable="eurusd")) as source:
            candles = source.client.last_five_days(source.symbol, source.comparison)

    assert len(candles) == 21
    assert (source.pair, source.step, source.now) == ("BTCUSDT", 3600, hour(20.5))
    assert source.sentence == (
        f"Candles of BTC/USDT come from {replay.url}; the forecast is of the 1h candle that is open at "
        "2024-01-01 20:30 UTC."
    )


def test_a_market_that_closes_has_no_step() -> None:
    with (
        ReplayExchange({"EURUSD": hourly(range(10, 40))}) as replay,
        open_source(Wanted("EUR", "USD", url=replay.url, closes=True)) as source,
    ):
        assert source.step is None


def test_nothing_stands_in_unless_that_is_asked_for() -> None:
    with (
        pytest.raises(ExchangeDown, match=r"127\.0\.0\.1:9 was asked for its time, and the connection failed"),
        open_source(Wanted(url=NOWHERE), patience=QUICK, progress=None),
    ):
        pass


def test_euro_and_dollar_stand_in_where_no_exchange_is_reached() -> None:
    try:
        version(eurusd.PACKAGE)
    except PackageNotFoundError:
        pytest.skip(f"{eurusd.PACKAGE} is not installed: {eurusd.INSTALL}")
    with open_source(Wanted(url=NOWHERE, when_unreachable="eurusd"), patience=QUICK, progress=None) as source:
        candles = source.client.one_year(source.symbol, source.comparison)

    assert (source.pair, source.step, source.name) == ("EURUSD", None, "EUR/USD of 2017, replayed")
    assert len(candles) == 6225
    assert "connection failed" in source.sentence
    assert source.sentence.endswith("the forecast is of the hour from 2017-12-29 22:00 UTC on, a past one.")


def test_a_wrong_pair_is_no_reason_for_a_stand_in() -> None:
    with (
        ReplayExchange({"BTCUSDT": hourly(range(10, 40))}) as replay,
        pytest.raises(UnknownSymbol),
        open_source(Wanted("BIT", url=replay.url, when_unreachable="eurusd")) as source,
    ):
        source.client.one_year(source.symbol, source.comparison)


def test_an_exchange_that_does_not_answer_is_not_waited_for_where_there_is_a_stand_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(source_module, "eurusd_candles", lambda: hourly(range(10, 40)))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        wanted = Wanted(url=f"http://127.0.0.1:{silent.getsockname()[1]}", when_unreachable="eurusd")
        with open_source(wanted, patience=QUICK, progress=None, probe_timeout_s=0.05) as source:
            assert source.pair == "EURUSD"
            assert "did not answer within 0.05 s" in source.sentence
