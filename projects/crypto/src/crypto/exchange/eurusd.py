"""Real hourly candles of EUR/USD in 2017, for the demo where no exchange can be reached.

They are the file ``FOREX_EURUSD_1H_ASK.csv`` of the package gym-anytrading (MIT licence), which is installed without
what it depends on and is never imported: only its file is read.

Its times say no zone. They are UTC: the market opens on Sunday at 17:00 in New York, and the file's weeks begin on
Sunday at 22:00 until 2017-03-05 and from 2017-11-05 on, at 21:00 in between. That is 17:00 in New York with the
American summer time; the European one began two weeks later. A row is named by the beginning of its hour.

The series is made for a market that closes (``step`` None): 6,225 candles, 120 a week, and nothing is filled.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import pandas as pd

from crypto.candles import as_candles
from crypto.errors import ExchangeDown

PACKAGE = "gym-anytrading"
FILE = "FOREX_EURUSD_1H_ASK.csv"
SYMBOL, COMPARISON = "EUR", "USD"
INSTALL = f"pip install --no-deps '{PACKAGE}>=2.0'"


def eurusd_candles(path: Path | None = None) -> pd.DataFrame:
    """Return the 6,225 hourly candles of 2017, first 2017-01-01 22:00 UTC, last 2017-12-29 21:00 UTC.

    Prices are those at which one could buy (ask), in dollars for a euro; ``volume`` is the file's, in euros. The file
    says nothing of the other volumes and of the number of trades: ``quote_av``, ``trades``, ``tb_base_av`` and
    ``tb_quote_av`` are 0, as a whole number cannot be missing. ``path``: another copy of the file.

    Raises ExchangeDown when the package is not installed.
    """
    rows = pd.read_csv(path or _installed_file())
    begins = pd.to_datetime(rows["Time"], format="%d.%m.%Y %H:%M:%S.%f", utc=True)
    prices = {name.lower(): rows[name] for name in ("Open", "High", "Low", "Close", "Volume")}
    unknown = dict.fromkeys(("quote_av", "trades", "tb_base_av", "tb_quote_av", "ignore"), 0.0)
    close_time = begins + pd.Timedelta(hours=1, milliseconds=-1)
    return as_candles(pd.DataFrame({"timestamp": begins, **prices, "close_time": close_time, **unknown}))


def _installed_file() -> Path:
    try:
        listed = files(PACKAGE) or []
    except PackageNotFoundError as error:
        raise ExchangeDown(
            f"The candles of EUR/USD come with the package {PACKAGE}, which is not installed. "
            f"Install its file with: {INSTALL}"
        ) from error
    found = [Path(str(each.locate())) for each in listed if each.name == FILE]
    if not found or not found[0].exists():
        raise ExchangeDown(f"The package {PACKAGE} is installed without {FILE}. Install it anew: {INSTALL}")
    return found[0]
