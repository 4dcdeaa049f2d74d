"""Candles from Binance, or from whatever speaks its public API: no key, no account.

python-binance builds the requests; this module adds what an hourly job needs: pages, waits that the exchange asks
for, five tries with back-off, and errors that say which of the bad days this is. Nothing is stored unless asked for.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pandas as pd

from crypto.candles import COLUMNS, as_candles, iso
from crypto.errors import (
    ExchangeDown,
    ExchangeError,
    ExchangeSlow,
    InvalidPeriod,
    MalformedAnswer,
    MalformedCandles,
    RateLimited,
    RefusedRequest,
    UnknownSymbol,
)

LATER = "Try later, or name another server with fetching.url; what is deployed goes on serving."
BINANCE = "https://api.binance.com"
PAGE = 1000  # the most candles that Binance tells in one answer
TELL_AFTER_S = 2.0
INTERVALS = {  # seconds from candle to candle
    "1m": 60,
    "3m": 180,
    "5m": 300,
    "15m": 900,
    "30m": 1800,
    "1h": 3600,
    "2h": 7200,
    "4h": 14_400,
    "6h": 21_600,
    "8h": 28_800,
    "12h": 43_200,
    "1d": 86_400,
    "3d": 259_200,
    "1w": 604_800,
}
LOOPBACK = ("127.0.0.1", "localhost", "::1")

Answer = TypeVar("Answer")
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Patience:
    """How long to wait for an exchange.

    ``timeout_s``: for the connection, and again for each part of an answer. ``tries`` in all; before try ``n + 1``
    comes a wait of ``first_wait_s * 2**(n - 1)``, times a random factor from 0.5 to 1, so that many clients do not
    come back together. ``longest_wait_s``: the longest Retry-After that is honoured; a longer one is an error at
    once. ``sleep`` and ``jitter`` (a number from 0 to 1) are there for tests.
    """

    timeout_s: float = 10.0
    tries: int = 5
    first_wait_s: float = 1.0
    longest_wait_s: float = 60.0
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random

    def wait_s(self, n_failed: int) -> float:
        """Return the seconds to wait after ``n_failed`` tries, 1 or more.

        >>> [Patience(jitter=lambda: 1.0).wait_s(n) for n in (1, 2, 3, 4)]
        [1.0, 2.0, 4.0, 8.0]
        """
        longest = min(self.first_wait_s * 2.0 ** (n_failed - 1), self.longest_wait_s)
        return longest * (0.5 + 0.5 * self.jitter())


def told(sentence: str) -> None:
    """Print a sentence on standard error, as the progress of a long download."""
    from rich.console import Console

    Console(stderr=True, highlight=False, soft_wrap=True).print(sentence, markup=False)


class BinanceClient:
    """Candles of a pair: ``symbol`` is what is traded ("BTC"), ``comparison`` what it is priced in ("USDT").

    Every method returns a DataFrame of candles as the exchange tells them, the newest often still open; `clean` of
    `crypto.candles` makes a series of them. Its twelve columns:

    ==============  ===================  ===================================================================
    timestamp       datetime64[ms, UTC]  when the candle begins
    open            float64              first price, in the comparison currency
    high            float64              highest price, in the comparison currency
    low             float64              lowest price, in the comparison currency
    close           float64              last price, in the comparison currency
    volume          float64              amount traded, in the currency of the symbol
    close_time      datetime64[ms, UTC]  last millisecond of the candle
    quote_av        float64              amount traded, in the comparison currency (quote asset volume)
    trades          float64              number of trades (whole; a float so that a missing one can be told)
    tb_base_av      float64              part of ``volume`` bought by takers (taker buy base asset volume)
    tb_quote_av     float64              part of ``quote_av`` bought by takers (taker buy quote asset volume)
    ignore          float64              unused, 0
    ==============  ===================  ===================================================================

    ``url``: where the API is, without ``/api``. ``progress`` is called with a sentence when a download takes over
    two seconds, or waits. Making a client connects to nothing.

    Raises ExchangeDown, ExchangeSlow, RateLimited, UnknownSymbol, RefusedRequest or MalformedAnswer, as
    `crypto.errors` describes.
    """

    def __init__(
        self, url: str = BINANCE, *, patience: Patience | None = None, progress: Progress | None = told
    ) -> None:
        self.url = url.rstrip("/")
        self.patience = patience or Patience()
        self.progress = progress
        self._session: Any = None

    def now(self) -> datetime:
        """Return the time by the clock of the exchange, aware, UTC."""
        answer = self._asked(lambda: self._api().get_server_time(), "its time")
        try:
            return datetime.fromtimestamp(answer["serverTime"] / 1000, UTC)
        except (KeyError, TypeError, ValueError, OverflowError, OSError) as error:
            raise MalformedAnswer(f"{self.url} tells its time as {str(answer)[:100]!r}, which is none.") from error

    def last_five_days(
        self,
        symbol: str,
        comparison: str,
        interval: str = "1h",
        *,
        now: datetime | None = None,
    ) -> pd.DataFrame:
        """Return the candles that began in the last five days: 120 closed hourly ones, and the open one if any.

        ``now``: the aware time to count back from; without it, what the clock of the exchange says.
        """
        start, end = self._latest(interval, timedelta(days=5), now)
        return self.period(symbol, comparison, start, end, interval)

    def one_year(
        self,
        symbol: str,
        comparison: str,
        interval: str = "1h",
        *,
        now: datetime | None = None,
    ) -> pd.DataFrame:
        """Return the candles that began in the last 365 days: 8,760 closed hourly ones, and the open one if any.

        ``now``: the aware time to count back from; without it, what the clock of the exchange says.
        """
        start, end = self._latest(interval, timedelta(days=365), now)
        return self.period(symbol, comparison, start, end, interval)

    def period(
        self,
        symbol: str,
        comparison: str,
        start: datetime,
        end: datetime,
        interval: str = "1h",
    ) -> pd.DataFrame:
        """Return the candles that begin from ``start`` on and before ``end``, both aware times."""
        name = f"{symbol}{comparison}".upper()
        _require_period(start, end, interval)
        rows = self._pages(name, interval, _milliseconds(start), _milliseconds(end))
        try:
            candles = as_candles(pd.DataFrame(rows, columns=list(COLUMNS)))
        except MalformedCandles as error:
            raise MalformedAnswer(f"{self.url} told candles of {name} that cannot be read. {error}") from error
        return candles

    def _latest(self, interval: str, span: timedelta, now: datetime | None) -> tuple[datetime, datetime]:
        end = now or self.now()
        # From the beginning of a candle on, so that the span is whole without the candle that is still open.
        return end - timedelta(seconds=end.timestamp() % INTERVALS.get(interval, 1)) - span, end

    def _pages(self, name: str, interval: str, start: int, end: int) -> list[list[Any]]:
        """Return the klines that open from ``start`` on and before ``end``, milliseconds, page after page."""
        step, began, rows, cursor = INTERVALS[interval] * 1000, time.monotonic(), list[list[Any]](), start
        while cursor < end:
            page = self._page(name, interval, cursor, end)
            rows += page
            opened = [int(row[0]) for row in page if int(row[0]) < end]
            # A short page is no sign of the end where candles are missing: only the newest time told is.
            if not opened or max(opened) < cursor:
                break
            cursor = max(opened) + 1
            if cursor - 1 + step >= end:
                break
            if time.monotonic() - began > TELL_AFTER_S:
                self._say(f"{name} {interval}: {len(rows):,} of about {(end - start) // step:,} candles")
        return rows

    def _page(self, name: str, interval: str, start: int, end: int) -> list[list[Any]]:
        page = self._asked(
            lambda: self._api().get_klines(
                symbol=name, interval=interval, startTime=start, endTime=end - 1, limit=PAGE
            ),
            f"candles of {name}",
        )
        if not isinstance(page, list) or not all(isinstance(row, list) and len(row) == len(COLUMNS) for row in page):
            raise MalformedAnswer(
                f"{self.url} answered {str(page)[:100]!r} when asked for candles of {name}; expected a list of lists "
                f"of {len(COLUMNS)}. Is this address an exchange?"
            )
        if not all(isinstance(row[0], int) for row in page):
            raise MalformedAnswer(f"{self.url} told a candle of {name} without the time when it opens.")
        return page

    def _asked(self, call: Callable[[], Any], what: str) -> Any:
        """Return the answer to a call, tried again where that may help."""
        import requests
        from binance.exceptions import BinanceAPIException, BinanceRequestException

        n_failed = 0
        while True:
            try:
                return call()
            except (BinanceAPIException, BinanceRequestException, requests.RequestException) as error:
                n_failed += 1
                failed, wait_s = self._judged(error, what, n_failed)
                if wait_s is None or n_failed >= self.patience.tries:
                    raise failed from error
                self._say(f"{failed} Try {n_failed + 1} of {self.patience.tries} in {wait_s:.1f} s.")
            self.patience.sleep(wait_s)

    def _judged(self, error: Exception, what: str, n_failed: int) -> tuple[ExchangeError, float | None]:
        """Return what an error means, and the seconds to wait before the next try; None when a try is in vain."""
        from binance.exceptions import BinanceAPIException
        from requests import exceptions

        asked, back_off = f"{self.url} was asked for {what}", self.patience.wait_s(n_failed)
        if isinstance(error, BinanceAPIException):
            return self._refused(error, asked, back_off)
        if isinstance(error, exceptions.Timeout):
            return ExchangeSlow(f"{asked} and did not answer within {self.patience.timeout_s:g} s."), back_off
        if isinstance(error, (exceptions.InvalidURL, exceptions.InvalidSchema, exceptions.MissingSchema)):
            return RefusedRequest(f"{self.url!r} is no address of an exchange; expected {BINANCE} or alike."), None
        if isinstance(error, exceptions.RequestException) and not isinstance(error, exceptions.JSONDecodeError):
            return ExchangeDown(f"{asked}, and the connection failed ({type(error).__name__}). {LATER}"), back_off
        return MalformedAnswer(f"{asked}, and the answer cannot be read: {str(error)[:200]}"), None

    def _refused(self, error: Any, asked: str, back_off: float) -> tuple[ExchangeError, float | None]:
        status, reason = int(error.status_code), str(error.message)[:200]
        if status in (418, 429):
            after = _retry_after_s(error.response.headers.get("Retry-After"))
            told_s = back_off if after is None else after
            message = (
                f"{asked} too often (HTTP {status}); it asks to wait {told_s:.0f} s. Ask for fewer pairs, or later."
            )
            limited = RateLimited(message, retry_after_s=told_s)
            return limited, told_s if told_s <= self.patience.longest_wait_s else None
        if status >= 500:
            return ExchangeDown(f"{asked} and is out of order (HTTP {status}: {reason})."), back_off
        if error.code == -1121:
            return UnknownSymbol(f"{asked}, a pair that it does not know. Pairs look like BTC with USDT."), None
        return RefusedRequest(f"{asked} and refused (HTTP {status}, code {error.code}): {reason}"), None

    def _api(self) -> Any:
        """Return python-binance's client; made on first use, as a constructor does no work."""
        if self._session is None:
            from binance.client import Client

            api = Client(ping=False, requests_params={"timeout": self.patience.timeout_s})
            api.API_URL = f"{self.url}/api"
            # A proxy that the environment names is for the world outside, not for a server on this machine.
            api.session.trust_env = urlsplit(self.url).hostname not in LOOPBACK
            self._session = api
        return self._session

    def _say(self, sentence: str) -> None:
        if self.progress is not None:
            self.progress(sentence)


def stored(candles: pd.DataFrame, path: Path) -> Path:
    """Write candles to a .parquet or .csv file, whole or not at all, and return its path."""
    if path.suffix not in (".parquet", ".csv"):
        raise InvalidPeriod(f"Candles are stored as .parquet or .csv; {path.name!r} is neither.")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    if path.suffix == ".csv":
        candles.to_csv(part, index=False)
    else:
        candles.to_parquet(part, index=False)
    part.replace(path)
    return path


def read_stored(path: Path) -> pd.DataFrame:
    """Return the candles that `stored` wrote."""
    return as_candles(pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path))


def _require_period(start: datetime, end: datetime, interval: str) -> None:
    if interval not in INTERVALS:
        raise InvalidPeriod(f"The interval {interval!r} is unknown. Intervals: {', '.join(INTERVALS)}.")
    if start.tzinfo is None or end.tzinfo is None:
        raise InvalidPeriod("A period is told by aware times, such as datetime(2024, 1, 1, tzinfo=timezone.utc).")
    if not start < end:
        raise InvalidPeriod(f"A period begins before it ends; {iso(start)} is not before {iso(end)}.")


def _milliseconds(time_: datetime) -> int:
    return round(time_.timestamp() * 1000)


def _retry_after_s(header: str | None) -> float | None:
    try:
        return None if header is None else max(0.0, float(header))
    except ValueError:
        return None
