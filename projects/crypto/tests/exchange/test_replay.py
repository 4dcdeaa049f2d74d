"""The replay exchange speaks as Binance does, by the answers that Binance gave and documents."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import requests

from crypto.candles import COLUMNS
from crypto.exchange.client import BinanceClient
from crypto.exchange.replay import Clock, ReplayExchange, read_candles
from series import HOUR_MS, KLINES, START, hour, hourly, real

FIRST_MS = round(START.timestamp() * 1000)
SERIES = hourly([float(n) for n in range(100, 1700)])


@pytest.fixture
def replay() -> Iterator[ReplayExchange]:
    with ReplayExchange({"BTCUSDT": SERIES}) as exchange:
        yield exchange


def asked(replay: ReplayExchange, path: str = "klines", **query: Any) -> requests.Response:
    return requests.get(f"{replay.url}/api/v3/{path}", params=query, timeout=5)


def test_klines_are_those_that_binance_sent() -> None:
    """A month as the API returned it, number by number."""
    path = KLINES / "raw-BTCUSDT-1h-2024-01.json.gz"
    candles = real()
    expected = json.loads(gzip.decompress(path.read_bytes()))
    with ReplayExchange({"BTCUSDT": candles}) as replay:
        answer = asked(replay, symbol="BTCUSDT", interval="1h", startTime=expected[0][0], limit=744).json()

    assert [len(row) for row in answer] == [12] * 744
    for sent, real_row in zip(answer, expected, strict=True):
        assert [type(cell) for cell in sent] == [type(cell) for cell in real_row]
        assert sent[:7] == real_row[:7]
        assert [float(cell) for cell in sent] == pytest.approx([float(cell) for cell in real_row], rel=1e-12)


def test_five_hundred_candles_come_unless_more_are_asked_for_and_never_over_a_thousand(replay: ReplayExchange) -> None:
    query: dict[str, Any] = {"symbol": "BTCUSDT", "interval": "1h", "startTime": FIRST_MS}

    assert len(asked(replay, **query).json()) == 500
    assert len(asked(replay, **query, limit=1000).json()) == 1000
    assert len(asked(replay, **query, limit=5000).json()) == 1000
    assert len(asked(replay, **query, limit=3).json()) == 3


def test_without_a_start_the_newest_candles_come(replay: ReplayExchange) -> None:
    answer = asked(replay, symbol="BTCUSDT", interval="1h", limit=2).json()

    assert [row[0] for row in answer] == [FIRST_MS + HOUR_MS * n for n in (1598, 1599)]


def test_start_and_end_are_both_included(replay: ReplayExchange) -> None:
    span: dict[str, Any] = {"startTime": FIRST_MS + HOUR_MS, "endTime": FIRST_MS + 3 * HOUR_MS}

    answer = asked(replay, symbol="BTCUSDT", interval="1h", **span).json()

    assert [(row[0] - FIRST_MS) // HOUR_MS for row in answer] == [1, 2, 3]


@pytest.mark.parametrize(
    ("query", "code", "text"),
    [
        ({"symbol": "NONE", "interval": "1h"}, -1121, "Invalid symbol."),
        ({"symbol": "BTCUSDT", "interval": "1y"}, -1120, "Invalid interval."),
        ({"interval": "1h"}, -1102, "Mandatory parameter 'symbol' was not sent"),
        ({"symbol": "BTCUSDT", "interval": "1h", "startTime": "soon"}, -1100, "Illegal characters"),
        ({"symbol": "BTCUSDT", "interval": "1h", "limit": 0}, -1130, "'limit' is not valid"),
    ],
)
def test_wrong_questions_are_answered_with_the_codes_of_binance(
    replay: ReplayExchange, query: dict[str, Any], code: int, text: str
) -> None:
    answer = asked(replay, **query)

    assert answer.status_code == 400
    assert answer.json()["code"] == code
    assert text in answer.json()["msg"]


def test_what_lies_ahead_is_not_told_and_the_open_candle_only_by_its_first_price(replay: ReplayExchange) -> None:
    replay.clock.set(hour(10.25))

    *_closed, last = asked(replay, symbol="BTCUSDT", interval="1h").json()

    assert last[0] == FIRST_MS + 10 * HOUR_MS
    assert last[6] == FIRST_MS + 11 * HOUR_MS - 1
    assert [float(cell) for cell in last[1:6]] == [109, 109, 109, 109, 0]


def test_ping_time_and_exchange_info_answer(replay: ReplayExchange) -> None:
    replay.clock.set(hour(2))

    assert asked(replay, "ping").json() == {}
    assert asked(replay, "time").json() == {"serverTime": FIRST_MS + 2 * HOUR_MS}
    assert asked(replay, "exchangeInfo").json()["symbols"] == [{"symbol": "BTCUSDT", "status": "TRADING"}]
    assert asked(replay, "order").status_code == 404


def test_the_server_is_reached_from_this_machine_only(replay: ReplayExchange) -> None:
    assert replay._server is not None
    assert replay._server.server_address[0] == "127.0.0.1"


class TestClock:
    def test_it_stands_unless_told_to_run(self) -> None:
        ticks = iter([0.0, 100.0])

        assert Clock(hour(0), monotonic=lambda: next(ticks)).now() == hour(0)

    def test_it_runs_faster_than_the_machine(self) -> None:
        ticks = iter([5.0, 6.0])

        clock = Clock(hour(0), speed=3600, monotonic=lambda: next(ticks))

        assert clock.now() == hour(1)

    def test_another_process_moves_it_by_a_file(self, tmp_path: Path) -> None:
        file = tmp_path / "now"
        clock = Clock(hour(0), file=file)
        assert clock.now() == hour(0)

        file.write_text("2024-01-01T05:00:00Z\n")
        assert clock.now() == hour(5)

        file.write_text("half a ti")
        assert clock.now() == hour(5)

    def test_it_is_moved_on(self) -> None:
        clock = Clock(hour(3))

        clock.advance(timedelta(minutes=30))

        assert clock.now() == hour(3.5)


@pytest.mark.parametrize("name", ["candles.csv", "candles.parquet"])
def test_files_with_the_names_of_binance_are_read(tmp_path: Path, name: str) -> None:
    rows = SERIES.rename(columns={"timestamp": "open_time", "quote_av": "quote_volume", "tb_base_av": "taker_buy_base"})
    path = tmp_path / name
    rows.to_csv(path, index=False) if name.endswith("csv") else rows.to_parquet(path)
    rows_again = read_candles(path)

    assert tuple(rows_again.columns) == COLUMNS
    pd.testing.assert_frame_equal(rows_again, SERIES)


def test_it_is_served_by_a_command_until_told_to_end(tmp_path: Path) -> None:
    SERIES.to_parquet(tmp_path / "candles.parquet")
    command = [sys.executable, "-m", "crypto.exchange.replay", "candles.parquet", "--symbol", "ETHUSDT"]
    command += ["--now", "2024-01-03T00:30Z", "--clock", "now"]
    source = Path(__file__).parents[2] / "src"
    with subprocess.Popen(
        command, cwd=tmp_path, env={"PYTHONPATH": str(source)}, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("ETHUSDT at http://127.0.0.1:")
            assert line.endswith(", 2024-01-03 00:30 UTC\n")
            client = BinanceClient(line.split()[2].rstrip(","))
            assert client.now() == hour(48.5)
            (tmp_path / "now").write_text("2024-01-03T01:30")
            assert client.last_five_days("ETH", "USDT")["timestamp"].iloc[-1] == pd.Timestamp(hour(49))
        finally:
            process.terminate()
