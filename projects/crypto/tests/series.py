"""Candles for tests: made ones, small enough to compute by hand, and the real ones where they are at hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from crypto.candles import COLUMNS, as_candles

HOUR_MS = 3_600_000
START = datetime(2024, 1, 1, tzinfo=UTC)
KLINES = Path(__file__).resolve().parents[4] / "shared" / "data" / "binance-klines"


def hour(n: float) -> datetime:
    """Return the time ``n`` hours after the first candle."""
    return datetime.fromtimestamp(START.timestamp() + 3600 * n, UTC)


def hourly(closes: Sequence[float], *, first_hour: int = 0) -> pd.DataFrame:
    """Return candles that close at these prices, one an hour; each opens where the one before closed."""
    n, close = len(closes), np.asarray(closes, np.float64)
    opened = np.concatenate([close[:1], close[:-1]])
    begin = int(hour(first_hour).timestamp() * 1000) + HOUR_MS * np.arange(n)
    values = {
        "timestamp": begin,
        "open": opened,
        "high": np.maximum(opened, close) + 1,
        "low": np.minimum(opened, close) - 1,
        "close": close,
        "volume": np.full(n, 10.0),
        "close_time": begin + HOUR_MS - 1,
        "quote_av": 10 * close,
        "trades": np.full(n, 5),
        "tb_base_av": np.full(n, 4.0),
        "tb_quote_av": 4 * close,
        "ignore": np.zeros(n),
    }
    return as_candles(pd.DataFrame(values))


def real(pair: str = "BTCUSDT") -> pd.DataFrame:
    """Return the real candles of a pair, 2022 to 2024; the test is skipped where they are not at hand."""
    path = KLINES / f"{pair}-1h-2022-2024.parquet"
    if not path.exists():
        pytest.skip(f"the real candles are not here: {path.name} belongs in shared/data/binance-klines")
    rows = pd.read_parquet(path)
    return as_candles(rows.set_axis(list(COLUMNS), axis=1))
