"""Which exchange the candles come from: Binance where it can be reached, else EUR/USD of 2017 where that is wanted.

A stand-in is taken only when asked for (``when_unreachable: eurusd``, as the demo does): a job that forecasts bitcoin
must fail aloud when the exchange is down, not forecast something else.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from crypto.candles import iso
from crypto.errors import ExchangeError
from crypto.exchange.client import BINANCE, INTERVALS, BinanceClient, Patience, Progress, told
from crypto.exchange.eurusd import COMPARISON, SYMBOL, eurusd_candles
from crypto.exchange.replay import ReplayExchange

PROBE_TIMEOUT_S = 3.0
HOURLY = "1h"


@dataclass(frozen=True)
class Wanted:
    """The market that is asked for, as ``fetching`` in ``parameters.yaml`` tells it.

    ``url``: a server that speaks Binance's API. ``closes``: whether its market closes at night or over the weekend, so
    that neighbouring candles are neighbours whatever lies between. ``when_unreachable``: ``fail``, or ``eurusd``.
    """

    symbol: str = "BTC"
    comparison: str = "USDT"
    interval: str = HOURLY
    url: str = BINANCE
    closes: bool = False
    when_unreachable: Literal["fail", "eurusd"] = "fail"


@dataclass(frozen=True)
class Source:
    """Where candles come from, open for as long as its ``with`` block.

    ``name``: for the card. ``now``: the clock of the exchange when it was opened. ``step``: seconds from candle to
    candle, None for a market that closes. ``sentence`` says which it is, and the time that is forecast.
    """

    name: str
    client: BinanceClient
    symbol: str
    comparison: str
    interval: str
    step: float | None
    now: datetime
    sentence: str

    @property
    def pair(self) -> str:
        """The pair as exchanges name it: BTCUSDT."""
        return f"{self.symbol}{self.comparison}"


@contextmanager
def open_source(
    wanted: Wanted,
    *,
    patience: Patience | None = None,
    progress: Progress | None = told,
    probe_timeout_s: float = PROBE_TIMEOUT_S,
) -> Iterator[Source]:
    """Yield the exchange that is wanted, or the stand-in where it cannot be reached and one is allowed.

    Where a stand-in is allowed, whether the exchange answers is asked once, for at most ``probe_timeout_s`` seconds.
    Raises ExchangeError when neither is to be had.
    """
    patience = patience or Patience()
    has_stand_in = wanted.when_unreachable == "eurusd"
    probing = (
        replace(patience, tries=1, timeout_s=min(probe_timeout_s, patience.timeout_s)) if has_stand_in else patience
    )
    try:
        now = BinanceClient(wanted.url, patience=probing, progress=progress).now()
    except ExchangeError as error:
        if not has_stand_in:
            raise
        with _stand_in(error, patience, progress) as source:
            yield source
        return
    step = INTERVALS.get(wanted.interval)
    yield Source(
        name="Binance" if wanted.url == BINANCE else wanted.url,
        client=BinanceClient(wanted.url, patience=patience, progress=progress),
        symbol=wanted.symbol.upper(),
        comparison=wanted.comparison.upper(),
        interval=wanted.interval,
        step=None if wanted.closes or step is None else float(step),
        now=now,
        sentence=f"Candles of {wanted.symbol}/{wanted.comparison} come from {wanted.url}; the forecast is of the "
        f"{wanted.interval} candle that is open at {iso(now)}.",
    )


@contextmanager
def _stand_in(error: ExchangeError, patience: Patience, progress: Progress | None) -> Iterator[Source]:
    with ReplayExchange({f"{SYMBOL}{COMPARISON}": eurusd_candles()}, interval=HOURLY) as replay:
        now = replay.clock.now()
        yield Source(
            name="EUR/USD of 2017, replayed",
            client=BinanceClient(replay.url, patience=patience, progress=progress),
            symbol=SYMBOL,
            comparison=COMPARISON,
            interval=HOURLY,
            step=None,
            now=now,
            sentence=f"{error} Real hourly candles of EUR/USD are replayed instead: the forecast is of the hour "
            f"from {iso(now)} on, a past one.",
        )
