"""Candles: their twelve columns, and the rules by which what an exchange sends becomes a series. Pure functions.

The rules, in the order in which they apply; whatever they change is told:

1. A row without a time, with a price that is missing, zero, negative or infinite, or that contradicts itself (the high
   below, or the low above, another of its prices) is dropped. Its hour becomes a hole.
2. A row between the steps (an hourly candle of 12:30) is dropped.
3. A candle that begins after now is dropped: nobody knows it. The newest candle, still open, is dropped too; this
   is the ordinary case and is counted, not told.
4. Rows out of order are sorted.
5. Of several rows of one time, identical ones count once; of contradicting ones the last that came is kept.
6. A candle whose ``close_time`` is not where its hour ends (an outage of the exchange ended it early) keeps its
   prices, and its hour.
7. A volume that is missing or negative becomes 0. A candle without volume stays: nobody traded, the price stood.
8. Where a step is given, a hole of at most `MOST_FILLED` steps is filled flat at the last close, with volumes of 0.
   A longer one cuts the series: no window reaches over it. Without a step (markets that close at night or over
   the weekend) neighbours are neighbours, nothing is filled and nothing is cut.

The outage of Binance on 2023-03-24 meets rules 6, 7 and 8: the candle of 12:00 has no volume and ends at 12:39, that
of 13:00 does not exist and is filled.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from crypto.errors import MalformedCandles, StaleCandles, TooFewCandles

COLUMNS = (
    "timestamp",  # when the candle begins, UTC
    "open",  # first price, in the comparison currency, as are the next three
    "high",  # highest price
    "low",  # lowest price
    "close",  # last price
    "volume",  # traded, in the currency of the symbol (BTC of BTCUSDT)
    "close_time",  # last millisecond of the candle, UTC
    "quote_av",  # traded, in the comparison currency (USDT of BTCUSDT)
    "trades",  # number of trades
    "tb_base_av",  # part of `volume` that takers bought
    "tb_quote_av",  # part of `quote_av` that takers bought
    "ignore",  # unused by Binance, always 0
)
PRICES = ("open", "high", "low", "close")
VOLUMES = ("volume", "quote_av", "trades", "tb_base_av", "tb_quote_av")
TIMES = ("timestamp", "close_time")
MOST_FILLED = 6

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Mend:
    """One thing that was mended: how many rows, when the first was (ISO 8601, UTC; "" without one), in a sentence."""

    code: str
    n: int
    first: str
    text: str


@dataclass(frozen=True)
class Mended:
    """What cleaning changed, in the order of the rules; false when nothing was wrong.

    ``n_open`` counts the newest, still open candle that is left out as a matter of course.
    """

    mends: tuple[Mend, ...] = ()
    n_open: int = 0

    def __bool__(self) -> bool:
        return bool(self.mends)

    def count(self, code: str) -> int:
        """Return how many rows a rule met: ``broken``, ``off-step``, ``future``, ``out-of-order``, ``identical``,
        ``contradicting``, ``short``, ``unknown-volume``, ``no-volume``, ``filled`` (rows added) or ``cut`` (cuts).
        """
        return sum(mend.n for mend in self.mends if mend.code == code)

    def sentences(self) -> list[str]:
        """Return one sentence for each mend."""
        return [mend.text for mend in self.mends]


@dataclass
class _Notes:
    mends: list[Mend] = field(default_factory=list)

    def add(self, code: str, times: pd.Series, singular: str, plural: str) -> None:
        """Note that a rule met the rows of these times; ``singular`` and ``plural`` follow the number."""
        if not len(times):
            return
        known = times.dropna()
        first = iso(known.iloc[0]) if len(known) else ""
        words = singular if len(times) == 1 else plural
        shown = f" (first: {first})" if len(times) > 1 and first else f" ({first})" if first else ""
        self.mends.append(Mend(code, len(times), first, f"{len(times):,} {words}{shown}."))


def iso(time: pd.Timestamp | datetime) -> str:
    """Return a time as messages show it.

    >>> iso(pd.Timestamp("2023-03-24 12:00", tz="UTC"))
    '2023-03-24 12:00 UTC'
    """
    return f"{pd.Timestamp(time):%Y-%m-%d %H:%M} UTC"


def as_candles(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows with the twelve columns in order and of their kinds; other columns are left out.

    ``timestamp`` and ``close_time``: datetime64[ms, UTC], read from dates or from milliseconds since 1970. The rest
    float64, ``trades`` included while a value may be missing; `clean` makes it int64. Raises MalformedCandles.
    """
    missing = [name for name in COLUMNS if name not in rows.columns]
    if missing:
        raise MalformedCandles(
            f"Candles lack the columns {', '.join(missing)}. Found: {', '.join(map(str, rows.columns))[:200]}. "
            f"Expected: {', '.join(COLUMNS)}."
        )
    try:
        columns = {name: _times(rows[name]) if name in TIMES else rows[name].astype("float64") for name in COLUMNS}
    except (ValueError, TypeError, OverflowError) as error:
        raise MalformedCandles(f"A candle holds a value that is no number or no time: {error}"[:300]) from error
    return pd.DataFrame(columns).reset_index(drop=True)


def clean(
    candles: pd.DataFrame, now: datetime, step: float | None, *, most_filled: int = MOST_FILLED
) -> tuple[pd.DataFrame, Mended]:
    """Return the closed candles in order, unique, mended by the rules of this module, and what was mended.

    ``candles``: the twelve columns, any order of rows, never changed. ``now``: aware time. ``step``: seconds from
    candle to candle; None when neighbours are neighbours. Of the result, ``timestamp`` and ``close_time`` are
    datetime64[ms, UTC], ``trades`` is int64 and the rest float64. Raises MalformedCandles.
    """
    notes = _Notes()
    rows = as_candles(candles)
    rows = _dropped(
        rows, _is_broken(rows), notes, "broken", "impossible candle was dropped", "impossible candles were dropped"
    )
    if step is not None:
        off = _is_off_step(rows, step)
        rows = _dropped(
            rows,
            off,
            notes,
            "off-step",
            "candle between two steps was dropped",
            "candles between two steps were dropped",
        )
    rows, n_open = _closed(rows, pd.Timestamp(now), step, notes)
    rows = _unique(_ordered(rows, notes), notes)
    rows = _with_volumes(_with_close_times(rows, step, notes), notes)
    if step is not None:
        rows = _filled(rows, step, most_filled, notes)
    return rows.astype({"trades": "int64"}), Mended(tuple(notes.mends), n_open)


def require_usable(
    candles: pd.DataFrame, now: datetime, *, at_least: int = 1, most_old_s: float | None = None, what: str = "candles"
) -> None:
    """Raise TooFewCandles or StaleCandles unless clean candles are enough and new enough.

    ``most_old_s``: most seconds from the end of the newest candle to now; None when their age does not matter.
    """
    span = f" ({iso(candles['timestamp'].iloc[0])} to {iso(candles['timestamp'].iloc[-1])})" if len(candles) else ""
    if len(candles) < at_least:
        raise TooFewCandles(
            f"{len(candles):,} usable {what} are left{span}; {at_least:,} are needed. Ask for a longer period, or for "
            "a pair that has been traded for longer.",
            found=len(candles),
            needed=at_least,
        )
    if most_old_s is None or not len(candles):
        return
    ended = candles["close_time"].iloc[-1] + pd.Timedelta(milliseconds=1)
    age = (pd.Timestamp(now) - ended).total_seconds()
    if age > most_old_s:
        raise StaleCandles(
            f"The newest of the {what} is of {iso(candles['timestamp'].iloc[-1])}, {age / 3600:.1f} hours before "
            f"{iso(now)}; at most {most_old_s / 3600:g} hours are allowed. The exchange may be out of order, or this "
            "machine's clock wrong: check both, and try again later."
        )


def cuts(candles: pd.DataFrame, step: float | None) -> list[tuple[pd.Timestamp, pd.Timestamp]]:
    """Return the last time before, and the first after, each hole that is left in clean candles.

    >>> times = pd.to_datetime(["2024-01-01 00:00", "2024-01-01 01:00", "2024-01-01 12:00"], utc=True)
    >>> [(iso(last), iso(first)) for last, first in cuts(pd.DataFrame({"timestamp": times}), 3600)]
    [('2024-01-01 01:00 UTC', '2024-01-01 12:00 UTC')]
    """
    if step is None:
        return []
    times = candles["timestamp"]
    at = np.flatnonzero((times.diff() > pd.Timedelta(seconds=step)).to_numpy())
    return [(times.iloc[i - 1], times.iloc[i]) for i in at]


def _times(values: pd.Series) -> pd.Series:
    if pd.api.types.is_numeric_dtype(values):
        return pd.to_datetime(values, unit="ms", utc=True).astype("datetime64[ms, UTC]")
    return pd.to_datetime(values, utc=True).astype("datetime64[ms, UTC]")


def _dropped(rows: pd.DataFrame, is_dropped: Mask, notes: _Notes, code: str, *words: str) -> pd.DataFrame:
    notes.add(code, rows["timestamp"][is_dropped], *words)
    return rows[~is_dropped]


def _is_broken(rows: pd.DataFrame) -> Mask:
    prices = rows[list(PRICES)].to_numpy()
    is_price = np.isfinite(prices) & (prices > 0)
    is_whole = (rows["high"].to_numpy() >= prices.max(axis=1)) & (rows["low"].to_numpy() <= prices.min(axis=1))
    return np.asarray(~(is_price.all(axis=1) & is_whole & rows["timestamp"].notna().to_numpy()), bool)


def _is_off_step(rows: pd.DataFrame, step: float) -> Mask:
    """Tell which rows stand beside the grid that most rows are on."""
    rest = rows["timestamp"].dt.as_unit("ms").astype("int64") % round(step * 1000)
    return np.asarray(rest != rest.mode().iloc[0], bool) if len(rows) else np.zeros(0, bool)


def _closed(rows: pd.DataFrame, now: pd.Timestamp, step: float | None, notes: _Notes) -> tuple[pd.DataFrame, int]:
    rows = _dropped(
        rows,
        (rows["timestamp"] > now).to_numpy(bool),
        notes,
        "future",
        f"candle that begins after now, {iso(now)}, was dropped",
        f"candles that begin after now, {iso(now)}, were dropped",
    )
    ends = rows["close_time"] if step is None else rows["timestamp"] + pd.Timedelta(seconds=step, milliseconds=-1)
    is_open = (ends >= now).to_numpy(bool)
    return rows[~is_open], int(rows["timestamp"][is_open].nunique())


def _ordered(rows: pd.DataFrame, notes: _Notes) -> pd.DataFrame:
    late = rows["timestamp"] < rows["timestamp"].cummax()
    notes.add(
        "out-of-order",
        rows["timestamp"][late],
        "candle came out of order and was sorted",
        "candles came out of order and were sorted",
    )
    return rows.sort_values("timestamp", kind="stable")


def _unique(rows: pd.DataFrame, notes: _Notes) -> pd.DataFrame:
    rows = _dropped(
        rows,
        rows.duplicated().to_numpy(bool),
        notes,
        "identical",
        "candle came twice and counts once",
        "candles came twice and count once",
    )
    return _dropped(
        rows,
        rows.duplicated("timestamp", keep="last").to_numpy(bool),
        notes,
        "contradicting",
        "candle was contradicted by a later one of the same time, which is kept",
        "candles were contradicted by later ones of the same time, which are kept",
    )


def _with_close_times(rows: pd.DataFrame, step: float | None, notes: _Notes) -> pd.DataFrame:
    if step is None:
        return rows
    whole = rows["timestamp"] + pd.Timedelta(seconds=step, milliseconds=-1)
    is_short = (rows["close_time"] != whole).to_numpy(bool)
    notes.add(
        "short",
        rows["timestamp"][is_short],
        "candle did not end with its step and was kept",
        "candles did not end with their step and were kept",
    )
    return rows.assign(close_time=whole.astype("datetime64[ms, UTC]"))


def _with_volumes(rows: pd.DataFrame, notes: _Notes) -> pd.DataFrame:
    volumes = rows[list(VOLUMES)]
    is_known = (volumes >= 0) & (volumes < np.inf)
    is_unknown = np.asarray(~is_known.all(axis=1), bool)
    notes.add(
        "unknown-volume",
        rows["timestamp"][is_unknown],
        "candle without a known volume was kept, with 0",
        "candles without a known volume were kept, with 0",
    )
    is_quiet = np.asarray(rows["volume"] == 0, bool)
    notes.add(
        "no-volume",
        rows["timestamp"][is_quiet],
        "candle in which nobody traded was kept",
        "candles in which nobody traded were kept",
    )
    return rows.assign(**volumes.where(is_known, 0.0), ignore=0.0)


def _filled(rows: pd.DataFrame, step: float, most_filled: int, notes: _Notes) -> pd.DataFrame:
    """Return the rows with holes of at most ``most_filled`` steps filled; tell those, and the longer ones."""
    times = rows["timestamp"].reset_index(drop=True)
    missing = (times.diff().dt.total_seconds() / step).round().fillna(1).astype("int64") - 1
    is_cut = (missing > most_filled).to_numpy(bool)
    counts = np.where(is_cut, 0, missing)
    notes.add(
        "cut",
        times[is_cut],
        "hole too long to fill cuts the series before this time",
        "holes too long to fill cut the series before these times",
    )
    if not counts.any():
        return rows.reset_index(drop=True)
    # A hole before row i is filled by repeating row i - 1, which gets its own row and one for each hour missing.
    repeats = np.append(counts[1:], 0) + 1
    source = np.repeat(np.arange(len(rows)), repeats)
    nth = np.arange(len(source)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    filled = rows.iloc[source].reset_index(drop=True)
    is_added = nth > 0
    for name in TIMES:
        filled[name] = (filled[name] + pd.to_timedelta(nth * step, unit="s")).astype("datetime64[ms, UTC]")
    for name in PRICES:
        filled[name] = filled[name].where(~is_added, filled["close"])
    for name in VOLUMES:
        filled[name] = filled[name].where(~is_added, 0.0)
    notes.add(
        "filled",
        filled["timestamp"][is_added],
        "missing candle was filled at the last close",
        "missing candles were filled at the last close",
    )
    return filled
