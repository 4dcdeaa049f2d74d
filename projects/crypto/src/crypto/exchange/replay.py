"""The replay exchange: a server on this machine that speaks Binance's candle API from a file.

For tests, journeys and the offline demo. It has a clock of its own, which can be set and can run faster: candles
that begin after it are not told, and the one it stands in is told while still open, as Binance does. It can also
have the bad days of an exchange (`Fault`).

    python -m crypto.exchange.replay candles.parquet --symbol BTCUSDT --now 2024-06-01T12:30Z
"""

from __future__ import annotations

import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pandas as pd

from crypto.candles import COLUMNS, PRICES, as_candles
from crypto.exchange.client import INTERVALS

LIMIT, MOST = 500, 1000
KLINES = ("open_time", *COLUMNS[1:7], "quote_volume", "trades", "taker_buy_base", "taker_buy_quote", "ignore")

Series = Mapping[str, pd.DataFrame]
Sent = list[list[Any]]


class Clock:
    """The replay's time: it stands, or runs ``speed`` times as fast as the machine's; or it is what a file says.

    ``file``: its text is an ISO 8601 time, read at each request, so that another process can move time on by
    writing it (write a new file and rename it over the old one).

    >>> clock = Clock(datetime(2024, 1, 1, tzinfo=UTC))
    >>> clock.advance(timedelta(hours=1))
    >>> clock.now().isoformat()
    '2024-01-01T01:00:00+00:00'
    """

    def __init__(
        self,
        now: datetime,
        *,
        speed: float = 0.0,
        file: Path | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._base, self._speed, self._file, self._monotonic = now, speed, file, monotonic
        self._since = monotonic()
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """Return the time, aware, UTC. A file that cannot be read leaves the time as it was."""
        with self._lock:
            if self._file is not None:
                self._base = _read_time(self._file) or self._base
                return self._base
            return self._base + timedelta(seconds=(self._monotonic() - self._since) * self._speed)

    def set(self, now: datetime) -> None:
        """Set the time; it runs on from there."""
        with self._lock:
            self._base, self._since = now, self._monotonic()

    def advance(self, by: timedelta) -> None:
        """Move time on."""
        self.set(self.now() + by)


@dataclass(frozen=True)
class Fault:
    """A bad day of the exchange, for the next ``times`` requests for candles (None: until `mend`).

    ``kind``: ``rate-limit`` (HTTP 429), ``ban`` (418), ``down`` (500), ``slow`` (answers after ``seconds``),
    ``reset`` (the connection breaks), ``malformed`` (HTML instead of JSON); or wrong candles: ``gap``,
    ``duplicate``, ``contradiction``, ``zero-volume``, ``nan``, ``out-of-order``, ``future``. ``seconds`` is also what
    Retry-After says. The ``n`` candles from position ``first`` of each answer on are wrong.
    """

    kind: Literal[
        "rate-limit", "ban", "down", "slow", "reset", "malformed", "gap", "duplicate", "contradiction", "zero-volume",
        "nan", "out-of-order", "future",
    ]  # fmt: skip
    times: int | None = 1
    seconds: float = 1.0
    first: int = 10
    n: int = 3


class ReplayExchange:
    """Serve candles of pairs on the loopback address, within a ``with`` block.

    ``candles``: pair (``"BTCUSDT"``) to candles of ``interval``, with the twelve columns. ``clock``: by default it
    stands at the end of the newest candle. ``port`` 0 takes a free one; see ``url``.
    """

    def __init__(self, candles: Series, *, interval: str = "1h", clock: Clock | None = None, port: int = 0) -> None:
        self.interval = interval
        self.port = port
        self._series = {name.upper(): _ordered(rows) for name, rows in candles.items()}
        self.clock = clock or Clock(self._end())
        self.n_requests = 0
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """The address to give to `BinanceClient`."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> ReplayExchange:
        exchange = self

        class Handler(_Handler):
            replay = exchange

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def fail(self, *faults: Fault) -> None:
        """Have these bad days, one after the other."""
        with self._lock:
            self._faults += faults

    def mend(self) -> None:
        """Have no bad day any more."""
        with self._lock:
            self._faults.clear()

    def next_fault(self) -> Fault | None:
        """Return the fault of this request, and count it."""
        with self._lock:
            self.n_requests += 1
            if not self._faults:
                return None
            fault = self._faults[0]
            if fault.times is not None:
                left = [replace(fault, times=fault.times - 1)] if fault.times > 1 else []
                self._faults[:1] = left
            return fault

    def klines(self, query: Mapping[str, str], fault: Fault | None) -> Sent:
        """Return the answer to a query; raises `Refusal` for a wrong one."""
        asked = _Query.read(query, self)
        rows = self._series[asked.symbol]
        now = self.clock.now()
        ahead = 3 if fault is not None and fault.kind == "future" else 0
        rows = rows[: int(rows["timestamp"].searchsorted(pd.Timestamp(now), side="right")) + ahead]
        opened = rows["timestamp"].dt.as_unit("ms").astype("int64").to_numpy()
        end = asked.end if not ahead else None
        first = 0 if asked.start is None else int(opened.searchsorted(asked.start))
        last = len(opened) if end is None else int(opened.searchsorted(end, side="right"))
        # Without a start, Binance tells the newest candles.
        page = (
            slice(first, min(last, first + asked.limit))
            if asked.start is not None
            else slice(max(first, last - asked.limit), last)
        )
        return _spoilt(_sent(rows.iloc[page], now), fault)

    def _end(self) -> datetime:
        ends = [rows["close_time"].iloc[-1] for rows in self._series.values() if len(rows)]
        return (max(ends) + pd.Timedelta(milliseconds=1)).to_pydatetime() if ends else datetime.now(UTC)

    def symbols(self) -> Sequence[str]:
        """Return the pairs that are served."""
        return list(self._series)


class Refusal(Exception):
    """An error as Binance tells it: HTTP 400, a code and a message."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class _Query:
    symbol: str
    start: int | None
    end: int | None
    limit: int

    @classmethod
    def read(cls, query: Mapping[str, str], replay: ReplayExchange) -> _Query:
        for name in ("symbol", "interval"):
            if name not in query:
                raise Refusal(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
        if query["symbol"] not in replay.symbols():
            raise Refusal(-1121, "Invalid symbol.")
        if query["interval"] != replay.interval:
            known = query["interval"] in INTERVALS
            raise Refusal(-1120, f"This replay has {replay.interval} candles only." if known else "Invalid interval.")
        numbers = {name: _whole(query, name) for name in ("startTime", "endTime", "limit")}
        limit = LIMIT if numbers["limit"] is None else numbers["limit"]
        if limit < 1:
            raise Refusal(-1130, "Data sent for parameter 'limit' is not valid.")
        return cls(query["symbol"], numbers["startTime"], numbers["endTime"], min(limit, MOST))


class _Handler(BaseHTTPRequestHandler):
    replay: ReplayExchange
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:  # the name that http.server looks for
        parts = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        answers: dict[str, Callable[[], None]] = {
            "/api/v3/ping": lambda: self._send(200, {}),
            "/api/v3/time": lambda: self._send(200, {"serverTime": round(self.replay.clock.now().timestamp() * 1000)}),
            "/api/v3/exchangeInfo": lambda: self._send(200, self._info()),
            "/api/v3/klines": lambda: self._klines(query),
        }
        answers.get(parts.path, lambda: self._send(404, {"code": -1, "msg": f"No such path: {parts.path}"}))()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the name in http.server
        """Print nothing."""

    def _info(self) -> dict[str, Any]:
        symbols = [{"symbol": name, "status": "TRADING"} for name in self.replay.symbols()]
        return {"timezone": "UTC", "serverTime": 0, "rateLimits": [], "symbols": symbols}

    def _klines(self, query: Mapping[str, str]) -> None:
        fault = self.replay.next_fault()
        if fault is not None and self._failed(fault):
            return
        try:
            self._send(200, self.replay.klines(query, fault))
        except Refusal as refusal:
            self._send(400, {"code": refusal.code, "msg": str(refusal)})

    def _failed(self, fault: Fault) -> bool:
        """Answer with a fault; tell whether the answer was given."""
        after = {"Retry-After": f"{fault.seconds:g}"}
        if fault.kind == "rate-limit":
            self._send(429, {"code": -1003, "msg": "Too many requests."}, after)
        elif fault.kind == "ban":
            self._send(418, {"code": -1003, "msg": "Way too many requests; IP banned."}, after)
        elif fault.kind == "down":
            self._send(500, {"code": -1000, "msg": "An unknown error occurred while processing the request."})
        elif fault.kind == "malformed":
            self._send(200, "<html>Sign in to this network</html>")
        elif fault.kind == "reset":
            # Closing with a linger of nought seconds sends a reset instead of an orderly end.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
        elif fault.kind == "slow":
            time.sleep(fault.seconds)
            return False
        else:
            return False
        return True

    def _send(self, status: int, answer: Any, headers: Mapping[str, str] | None = None) -> None:
        body = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "text/html" if isinstance(answer, str) else "application/json")
            self.send_header("Content-Length", str(len(body)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client did not wait


def read_candles(path: Path) -> pd.DataFrame:
    """Return the candles of a .parquet or .csv file: the twelve columns by their names here or by Binance's."""
    rows = pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
    return as_candles(rows.rename(columns=dict(zip(KLINES, COLUMNS, strict=True))))


def read_time(text: str) -> datetime:
    """Return an ISO 8601 time, UTC where no zone is told.

    >>> read_time("2024-06-01T12:30Z").isoformat(), read_time("2024-06-01").isoformat()
    ('2024-06-01T12:30:00+00:00', '2024-06-01T00:00:00+00:00')
    """
    found = datetime.fromisoformat(text.strip())
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _read_time(path: Path) -> datetime | None:
    try:
        return read_time(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _ordered(rows: pd.DataFrame) -> pd.DataFrame:
    return as_candles(rows).sort_values("timestamp", kind="stable").reset_index(drop=True)


def _whole(query: Mapping[str, str], name: str) -> int | None:
    if name not in query:
        return None
    if not re.fullmatch(r"\d{1,15}", query[name]):
        raise Refusal(-1100, f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'.")
    return int(query[name])


def _sent(rows: pd.DataFrame, now: datetime) -> Sent:
    """Return candles as Binance sends them; of the one that is open, only what is known: its first price."""
    whole = rows.copy()
    is_open = (rows["close_time"] >= pd.Timestamp(now)).to_numpy(bool)
    for name in ("high", "low", "close"):
        whole[name] = whole[name].where(~is_open, whole["open"])
    for name in ("volume", "quote_av", "tb_base_av", "tb_quote_av", "trades"):
        whole[name] = whole[name].where(~is_open, 0.0)
    times = {name: whole[name].dt.as_unit("ms").astype("int64").tolist() for name in ("timestamp", "close_time")}
    texts: dict[str, list[Any]] = {
        name: [_price(value) for value in whole[name].tolist()] for name in COLUMNS if name not in times
    }
    texts["trades"] = [int(value) if np.isfinite(value) else 0 for value in whole["trades"].tolist()]
    texts["ignore"] = ["0"] * len(whole)
    return [list(row) for row in zip(*({**texts, **times}[name] for name in COLUMNS), strict=True)]


def _price(value: float) -> str:
    return f"{value:.8f}"


def _spoilt(rows: Sent, fault: Fault | None) -> Sent:
    """Return an answer with some of its candles made wrong."""
    if fault is None:
        return rows
    at = range(len(rows))[fault.first : fault.first + fault.n]
    if fault.kind == "gap":
        return [row for i, row in enumerate(rows) if i not in at]
    if fault.kind == "duplicate":
        return [copy for i, row in enumerate(rows) for copy in [row] * (2 if i in at else 1)]
    if fault.kind == "out-of-order":
        return [rows[i] for i in [*range(at.start), *reversed(at), *range(at.stop, len(rows))]]
    if fault.kind == "contradiction":
        return [copy for i, row in enumerate(rows) for copy in ([_dearer(row), row] if i in at else [row])]
    changed: dict[str, dict[int, Any]] = {
        "zero-volume": {5: "0.00000000", 7: "0.00000000", 8: 0, 9: "0.00000000", 10: "0.00000000"},
        "nan": {COLUMNS.index(name): "NaN" for name in PRICES},
    }
    values = changed.get(fault.kind, {})
    return [[values.get(j, cell) for j, cell in enumerate(row)] if i in at else row for i, row in enumerate(rows)]


def _dearer(row: list[Any]) -> list[Any]:
    return [_price(2 * float(cell)) if 1 <= j <= 4 else cell for j, cell in enumerate(row)]


def main() -> None:
    """Serve a file of candles until interrupted."""
    import argparse

    parser = argparse.ArgumentParser(prog="python -m crypto.exchange.replay", description=main.__doc__)
    parser.add_argument("file", type=Path, help="candles, .parquet or .csv")
    parser.add_argument("--symbol", default="BTCUSDT", help="the pair that the file holds (default: BTCUSDT)")
    parser.add_argument("--interval", default="1h", choices=list(INTERVALS))
    parser.add_argument("--port", type=int, default=0, help="0 (the default) takes a free one, which is printed")
    parser.add_argument("--now", type=read_time, help="ISO 8601 time to start at (default: the end of the file)")
    parser.add_argument("--speed", type=float, default=0.0, help="seconds of the replay for one of this machine")
    parser.add_argument("--clock", type=Path, help="a file whose text is the time, read at each request")
    told = parser.parse_args()
    replay = ReplayExchange({told.symbol: read_candles(told.file)}, interval=told.interval, port=told.port)
    replay.clock = Clock(told.now or replay.clock.now(), speed=told.speed, file=told.clock)
    with replay:
        print(f"{told.symbol} at {replay.url}, {replay.clock.now():%Y-%m-%d %H:%M} UTC", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
