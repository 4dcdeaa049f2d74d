"""The calendar inside the graph, beside that of pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from crypto.model import calendar

RNG = np.random.default_rng(0)
DAYS = pd.date_range("1970-01-01", "2100-12-31", freq="D", unit="ms")
ALL_DAYS = DAYS.asi8
MIDNIGHTS_MISSED = ALL_DAYS + 86_399_999
AT_RANDOM = RNG.integers(0, int(pd.Timestamp("2101-01-01").timestamp() * 1000), 60_000)


@pytest.mark.parametrize("instants", [ALL_DAYS, MIDNIGHTS_MISSED, AT_RANDOM], ids=["midnights", "last-ms", "random"])
def test_the_calendar_is_that_of_pandas_from_1970_to_2100(instants: np.ndarray) -> None:
    times = pd.DatetimeIndex(instants.astype("datetime64[ms]"))
    told = torch.from_numpy(np.asarray(instants, np.int64))

    year, month, day = calendar.civil(calendar.days_since_1970(told))

    assert np.array_equal(year, times.year)
    assert np.array_equal(month, times.month)
    assert np.array_equal(day, times.day)
    assert np.array_equal(calendar.day_of_week(told), times.day_of_week)
    assert np.array_equal(calendar.week_of_year(told), times.isocalendar()["week"].astype(np.int64))
    assert np.array_equal(calendar.hour_of_day(told), times.hour)


@pytest.mark.parametrize(
    ("day", "week"),
    [("2020-12-31", 53), ("2021-01-03", 53), ("2021-01-04", 1), ("2024-12-30", 1), ("2027-01-01", 53)],
)
def test_a_week_belongs_to_the_year_of_its_thursday(day: str, week: int) -> None:
    instant = torch.tensor([pd.Timestamp(day).value // 1_000_000])

    assert calendar.week_of_year(instant).tolist() == [week]


def test_days_before_1970_are_negative() -> None:
    assert calendar.days_since_1970(torch.tensor([-1])).tolist() == [-1]
    assert [int(part) for part in calendar.civil(torch.tensor(-1))] == [1969, 12, 31]
