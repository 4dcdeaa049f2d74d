"""What fetching does: ask the exchange, and say which one it was."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from crypto.errors import InvalidPeriod
from crypto.exchange.client import Patience, read_stored, stored
from crypto.exchange.replay import read_time
from crypto.exchange.source import PROBE_TIMEOUT_S, Source, Wanted, open_source

logger = logging.getLogger(__name__)
WANTED = ("symbol", "comparison", "interval", "url", "closes", "when_unreachable")
PATIENCE = ("timeout_s", "tries", "first_wait_s", "longest_wait_s")


def fetch_candles(fetching: Mapping[str, Any]) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return the candles of the pair as the exchange tells them, and what they are.

    ``fetching``: the block of ``parameters.yaml``. What they are: ``name`` of the exchange, ``pair``, ``symbol``,
    ``comparison``, ``interval``, ``step`` (seconds; None for a market that closes), ``now`` (ISO 8601, by the clock
    of the exchange) and ``sentence``. Both are also stored when ``store`` names a file. Raises ExchangeError.
    """
    wanted = Wanted(**{name: fetching[name] for name in WANTED if name in fetching})
    patience = Patience(**{name: fetching[name] for name in PATIENCE if name in fetching})
    probe = float(fetching.get("probe_timeout_s", PROBE_TIMEOUT_S))
    with open_source(wanted, patience=patience, progress=logger.info, probe_timeout_s=probe) as opened:
        logger.info(opened.sentence)
        candles = _period(opened, fetching.get("period", "one_year"))
        source = _told(opened)
    if fetching.get("store"):
        path = stored(candles, Path(fetching["store"]))
        _beside(path).write_text(json.dumps(source, indent=2) + "\n", encoding="utf-8")
    return candles, source


def stored_or_fetched(fetching: Mapping[str, Any]) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return the candles that ``store`` names when they are there, else fetch some; with what they are."""
    path = Path(fetching.get("store") or "")
    if not fetching.get("store") or not (path.exists() and _beside(path).exists()):
        return fetch_candles(fetching)
    source = json.loads(_beside(path).read_text(encoding="utf-8"))
    logger.info("The candles stored in %s are taken. Delete the file to fetch new ones.", path)
    return read_stored(path), source


def _period(source: Source, period: str | Mapping[str, Any]) -> pd.DataFrame:
    if isinstance(period, Mapping):
        start, end = _time(period, "start"), _time(period, "end", source.now)
        return source.client.period(source.symbol, source.comparison, start, end, source.interval)
    methods = {"one_year": source.client.one_year, "last_five_days": source.client.last_five_days}
    if period not in methods:
        raise InvalidPeriod(
            f"fetching.period is {period!r}, expected one_year, last_five_days or "
            "{start: 2023-01-01, end: 2024-01-01}."
        )
    # One time for the whole run: were it asked for again, an hour might have passed in between.
    return methods[period](source.symbol, source.comparison, source.interval, now=source.now)


def _time(period: Mapping[str, Any], name: str, default: datetime | None = None) -> datetime:
    value = period.get(name, default)
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    try:
        return read_time(str(value))
    except ValueError as error:
        raise InvalidPeriod(f"fetching.period.{name} is {value!r}, expected a date such as 2023-01-01.") from error


def _told(source: Source) -> dict[str, Any]:
    names = ("name", "pair", "symbol", "comparison", "interval", "step", "sentence")
    return {**{name: getattr(source, name) for name in names}, "now": source.now.isoformat()}


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.stem}.source.json")
