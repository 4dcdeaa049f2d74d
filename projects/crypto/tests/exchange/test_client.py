"""The client of Binance against the replay exchange, on good days and bad ones."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from crypto.candles import COLUMNS, clean
from crypto.errors import (
    ExchangeDown,
    ExchangeError,
    ExchangeSlow,
    InvalidPeriod,
    MalformedAnswer,
    RateLimited,
    RefusedRequest,
    UnknownSymbol,
)
from crypto.exchange.client import BinanceClient, Patience, read_stored, stored
from crypto.exchange.replay import Clock, Fault, ReplayExchange
from series import hour, hourly, real

N = 2500
SERIES = hourly((1000 + np.arange(N) % 97).tolist())


class Waits:
    """Waits that are noted and not waited."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.waited: list[float] = []

    def patience(self, **changes: float) -> Patience:
        return Patience(sleep=self.waited.append, jitter=lambda: 1.0, **changes)  # type: ignore[arg-type]  # numbers


@pytest.fixture
def replay() -> Iterator[ReplayExchange]:
    with ReplayExchange({"BTCUSDT": SERIES}) as exchange:
        yield exchange


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def client(replay: ReplayExchange, waits: Waits) -> BinanceClient:
    return BinanceClient(replay.url, patience=waits.patience(timeout_s=5), progress=waits.told.append)


class TestCandles:
    def test_making_a_client_connects_to_nothing(self) -> None:
        BinanceClient("http://127.0.0.1:9")

    def test_the_last_five_days_are_120_hours(self, client: BinanceClient) -> None:
        candles = client.last_five_days("BTC", "USDT")

        assert tuple(candles.columns) == COLUMNS
        assert candles["timestamp"].iloc[[0, -1]].tolist() == [pd.Timestamp(hour(N - 120)), pd.Timestamp(hour(N - 1))]
        pd.testing.assert_frame_equal(candles, SERIES.tail(120).reset_index(drop=True))

    def test_one_year_is_365_days_of_hours(self) -> None:
        with ReplayExchange({"ETHUSDT": real("ETHUSDT")}) as replay:
            candles = BinanceClient(replay.url).one_year("ETH", "USDT")

        assert len(candles) == 365 * 24
        assert str(candles["timestamp"].iloc[0]) == "2024-01-02 00:00:00+00:00"
        assert replay.n_requests == 9

    def test_a_period_is_fetched_page_after_page_without_loss(
        self, client: BinanceClient, replay: ReplayExchange
    ) -> None:
        candles = client.period("BTC", "USDT", hour(100), hour(2450))

        pd.testing.assert_frame_equal(candles, SERIES.iloc[100:2450].reset_index(drop=True))
        assert replay.n_requests == 3

    def test_a_period_ends_before_its_end(self, client: BinanceClient) -> None:
        candles = client.period("btc", "usdt", hour(5), hour(8))

        assert candles["timestamp"].tolist() == [pd.Timestamp(hour(n)) for n in (5, 6, 7)]

    def test_a_hole_between_pages_loses_nothing(self) -> None:
        rows = SERIES.drop(index=range(990, 1400))
        with ReplayExchange({"BTCUSDT": rows}) as replay:
            candles = BinanceClient(replay.url).period("BTC", "USDT", hour(0), hour(N))

        assert candles["timestamp"].tolist() == rows["timestamp"].tolist()

    def test_the_open_candle_is_told_and_cleaning_leaves_it_out(
        self, client: BinanceClient, replay: ReplayExchange
    ) -> None:
        replay.clock.set(hour(200.5))

        candles = client.last_five_days("BTC", "USDT")

        assert candles["timestamp"].iloc[[0, -1]].tolist() == [pd.Timestamp(hour(80)), pd.Timestamp(hour(200))]
        closed, mended = clean(candles, client.now(), 3600)
        assert closed["timestamp"].iloc[-1] == pd.Timestamp(hour(199))
        assert len(closed) == 120
        assert (mended.n_open, bool(mended)) == (1, False)

    def test_no_candles_before_the_market_began(self, client: BinanceClient) -> None:
        candles = client.period("BTC", "USDT", hour(-50), hour(-40))

        assert candles.shape == (0, 12)

    def test_the_outage_of_2023_is_told_as_binance_does(self) -> None:
        with ReplayExchange({"BTCUSDT": real()}) as replay:
            candles = BinanceClient(replay.url).period(
                "BTC", "USDT", datetime(2023, 3, 24, tzinfo=UTC), datetime(2023, 3, 25, tzinfo=UTC)
            )

        assert len(candles) == 23
        assert str(candles.loc[12, "close_time"]) == "2023-03-24 12:39:41.646000+00:00"


class TestStoring:
    def test_nothing_is_stored_unless_asked_for(
        self, client: BinanceClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)

        client.last_five_days("BTC", "USDT")

        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("name", ["candles.parquet", "deeper/candles.csv"])
    def test_stored_candles_are_read_back_as_they_were(self, client: BinanceClient, tmp_path: Path, name: str) -> None:
        candles = client.last_five_days("BTC", "USDT")
        stored(candles, tmp_path / name)

        pd.testing.assert_frame_equal(read_stored(tmp_path / name), candles)
        assert len(list((tmp_path / name).parent.iterdir())) == 1

    def test_an_unknown_kind_of_file_is_refused(self, client: BinanceClient, tmp_path: Path) -> None:
        with pytest.raises(InvalidPeriod, match=r"'candles\.xlsx' is neither"):
            stored(client.last_five_days("BTC", "USDT"), tmp_path / "candles.xlsx")


class TestWrongQuestions:
    def test_an_unknown_symbol_is_told_at_once(self, client: BinanceClient, waits: Waits) -> None:
        with pytest.raises(UnknownSymbol, match="candles of BITUSDT, a pair that it does not know"):
            client.last_five_days("BIT", "USDT")
        assert waits.waited == []

    def test_an_interval_that_the_exchange_has_not_is_told_with_its_reason(self, client: BinanceClient) -> None:
        with pytest.raises(RefusedRequest, match=r"HTTP 400, code -1120.*1h candles only"):
            client.last_five_days("BTC", "USDT", "4h")

    def test_an_interval_that_does_not_exist_is_not_asked_for(self, client: BinanceClient) -> None:
        with pytest.raises(InvalidPeriod, match=r"interval '90m' is unknown\. Intervals: 1m, 3m"):
            client.period("BTC", "USDT", hour(0), hour(5), "90m")

    def test_a_period_that_ends_before_it_begins_is_refused(self, client: BinanceClient) -> None:
        with pytest.raises(InvalidPeriod, match="2024-01-01 05:00 UTC is not before 2024-01-01 01:00 UTC"):
            client.period("BTC", "USDT", hour(5), hour(1))

    def test_times_without_a_zone_are_refused(self, client: BinanceClient) -> None:
        with pytest.raises(InvalidPeriod, match="aware times"):
            client.period("BTC", "USDT", datetime(2024, 1, 1), datetime(2024, 1, 2))  # noqa: DTZ001


class TestBadDays:
    def test_the_wait_that_the_exchange_asks_for_is_kept(
        self, client: BinanceClient, replay: ReplayExchange, waits: Waits
    ) -> None:
        replay.fail(Fault("rate-limit", seconds=7), Fault("ban", seconds=30))

        candles = client.last_five_days("BTC", "USDT")

        assert len(candles) == 120
        assert waits.waited == [7, 30]
        assert "too often (HTTP 429); it asks to wait 7 s" in waits.told[0]
        assert "Try 3 of 5 in 30.0 s" in waits.told[1]

    def test_a_wait_that_is_too_long_is_an_error_at_once(
        self, client: BinanceClient, replay: ReplayExchange, waits: Waits
    ) -> None:
        replay.fail(Fault("ban", seconds=3600))

        with pytest.raises(RateLimited, match=r"HTTP 418\); it asks to wait 3600 s") as raised:
            client.last_five_days("BTC", "USDT")

        assert raised.value.retry_after_s == 3600
        assert waits.waited == []

    def test_after_five_tries_the_exchange_is_told_to_be_down(
        self, client: BinanceClient, replay: ReplayExchange, waits: Waits
    ) -> None:
        replay.fail(Fault("down", times=None))

        with pytest.raises(ExchangeDown, match=r"out of order \(HTTP 500: An unknown error"):
            client.last_five_days("BTC", "USDT")

        assert replay.n_requests == 5
        assert waits.waited == [1, 2, 4, 8]

    def test_an_exchange_that_comes_back_is_waited_for(
        self, client: BinanceClient, replay: ReplayExchange, waits: Waits
    ) -> None:
        replay.fail(Fault("down", times=2), Fault("reset"), Fault("down"))

        assert len(client.last_five_days("BTC", "USDT")) == 120
        assert waits.waited == [1, 2, 4, 8]

    def test_an_exchange_that_is_not_there_is_down(self, waits: Waits) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{free.getsockname()[1]}"
        client = BinanceClient(url, patience=waits.patience(), progress=None)

        with pytest.raises(ExchangeDown, match=r"was asked for its time, and the connection failed"):
            client.one_year("BTC", "USDT")
        assert len(waits.waited) == 4

    def test_an_exchange_that_is_slow_is_told_so(self, replay: ReplayExchange, waits: Waits) -> None:
        replay.fail(Fault("slow", times=None, seconds=1))
        client = BinanceClient(replay.url, patience=waits.patience(timeout_s=0.05, tries=2), progress=None)

        with pytest.raises(ExchangeSlow, match=r"did not answer within 0\.05 s"):
            client.period("BTC", "USDT", hour(0), hour(5))

    def test_an_answer_that_is_no_candles_is_told_as_it_came(
        self, client: BinanceClient, replay: ReplayExchange
    ) -> None:
        replay.fail(Fault("malformed"))

        with pytest.raises(MalformedAnswer, match=r"cannot be read: .*Sign in to this network"):
            client.last_five_days("BTC", "USDT")

    def test_an_address_that_is_none_is_refused(self) -> None:
        with pytest.raises(ExchangeError, match="no address of an exchange"):
            BinanceClient("api.binance.com", progress=None).now()

    @pytest.mark.parametrize(
        ("kind", "code", "n"),
        [
            ("gap", "filled", 3),
            ("duplicate", "identical", 3),
            ("contradiction", "contradicting", 3),
            ("zero-volume", "no-volume", 3),
            ("nan", "broken", 3),
            ("out-of-order", "out-of-order", 2),
            ("future", "future", 3),
        ],
    )
    def test_wrong_candles_are_mended_and_told(
        self, client: BinanceClient, replay: ReplayExchange, kind: str, code: str, n: int
    ) -> None:
        replay.clock.set(hour(300))
        replay.fail(Fault(kind, times=None))  # type: ignore[arg-type]  # kinds by their names

        candles, mended = clean(client.last_five_days("BTC", "USDT"), client.now(), 3600)

        assert mended.count(code) == n
        assert candles["timestamp"].tolist() == [pd.Timestamp(hour(180 + i)) for i in range(120)]
        at = {"gap": range(10, 13), "nan": range(10, 13)}.get(kind, range(0))
        untouched = [i for i in range(120) if i not in at]
        expected = SERIES["close"].iloc[180:300].reset_index(drop=True)
        assert candles["close"].iloc[untouched].tolist() == expected.iloc[untouched].tolist()


class TestWaits:
    def test_waits_grow_and_are_never_longer_than_the_longest(self) -> None:
        patience = Patience(jitter=lambda: 1.0, longest_wait_s=5)

        assert [patience.wait_s(n) for n in range(1, 6)] == [1, 2, 4, 5, 5]

    def test_waits_differ_from_client_to_client(self) -> None:
        assert Patience(jitter=lambda: 0.0).wait_s(3) == 2
        assert Patience(jitter=lambda: 1.0).wait_s(3) == 4
        assert 2 <= Patience().wait_s(3) <= 4


def test_a_long_download_is_told(monkeypatch: pytest.MonkeyPatch, replay: ReplayExchange) -> None:
    told: list[str] = []
    monkeypatch.setattr("crypto.exchange.client.TELL_AFTER_S", 0.0)

    BinanceClient(replay.url, progress=told.append).period("BTC", "USDT", hour(0), hour(N))

    assert told == ["BTCUSDT 1h: 1,000 of about 2,500 candles", "BTCUSDT 1h: 2,000 of about 2,500 candles"]


def test_time_moves_on_and_new_candles_come() -> None:
    clock = Clock(hour(130))
    with ReplayExchange({"BTCUSDT": SERIES}, clock=clock) as replay:
        client = BinanceClient(replay.url)
        before = client.last_five_days("BTC", "USDT")
        clock.advance(timedelta(hours=1))
        after = client.last_five_days("BTC", "USDT")

    assert after["timestamp"].iloc[-1] - before["timestamp"].iloc[-1] == timedelta(hours=1)
