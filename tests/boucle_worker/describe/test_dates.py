"""Functions of dates that users wrote become integer arithmetic, or are refused with the column that was not known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from boucle_worker.describe import Cannot
from boucle_worker.describe.families.instants import LARGE, SMALL
from faithful import Found, compared

RANDOM = np.random.default_rng(0)
N_ROWS = 400


def frame(first: int, last: int) -> Any:
    """Return rows with two dates between two times in seconds, a number and a city."""
    start = RANDOM.integers(first * 10**6, last * 10**6, N_ROWS)
    end = start + RANDOM.integers(0, 10**12, N_ROWS)
    return pd.DataFrame(
        {
            "start": start.view("datetime64[us]"),
            "end": end.view("datetime64[us]"),
            "price": RANDOM.normal(size=N_ROWS),
            "city": RANDOM.choice(np.array(["Paris", "Lyon", None], dtype=object), N_ROWS),
        }
    )


ROWS = frame(1_500_000_000, 1_700_000_000)
FAR = frame(-2_000_000_000, 4_000_000_000)
HOLED = FAR.assign(start=FAR.start.where(np.arange(N_ROWS) % 5 > 0), end=FAR.end.where(np.arange(N_ROWS) % 7 > 0))


def of(function: Any, columns: Any = ("start",), *more: Any) -> Found:
    """Return how a model with that function of dates compares."""
    dates = make_pipeline(FunctionTransformer(function), SimpleImputer(), StandardScaler())
    chosen = make_column_transformer((dates, list(columns)), (StandardScaler(), ["price"]))
    model = make_pipeline(chosen, Ridge()).fit(ROWS, RANDOM.normal(size=N_ROWS))
    return compared(model, ROWS, FAR, *more)


def calendar(rows: Any) -> Any:
    """Return the parts that notebooks take."""
    when = rows["start"].dt
    names = ["year", "month", "day", "hour", "minute", "second", "microsecond", "day_of_week", "day_of_year", "quarter"]
    names += ["days_in_month", "is_leap_year"]
    names += [f"is_{unit}_{end}" for unit in ("month", "quarter", "year") for end in ("start", "end")]
    made = pd.DataFrame({name: getattr(when, name).astype(float) for name in names})
    made["week"] = when.isocalendar().week.astype(float)
    made["is_weekend"] = (when.day_of_week >= 5).astype(float)
    return made


def cycles(rows: Any) -> Any:
    """Return circles, as an array."""
    when = rows["start"].dt
    day = (when.hour * 60 + when.minute) / 1440
    parts = [when.hour / 24, (when.month - 1) / 12, when.day_of_year / 365.25, day]
    return np.column_stack([wave(2 * np.pi * part) for part in parts for wave in (np.sin, np.cos)])


def times(rows: Any) -> Any:
    """Return times since some moment, and between two."""
    start, end = rows["start"], rows["end"]
    return pd.DataFrame(
        {
            "seconds": start.astype("datetime64[us]").astype("int64") / 1e6,
            "days": (start - pd.Timestamp("2020-01-01")).dt.days,
            "age": 2030 - start.dt.year,
            "of_day": (start - start.dt.normalize()).dt.total_seconds(),
            "months": start.dt.year * 12 + start.dt.month,
            "stay": (end - start).dt.days,
            "hours": (end - start).dt.total_seconds() / 3600,
        }
    )


def test_parts_of_the_calendar_are_equal_from_1906_to_2096_and_for_missing_dates() -> None:
    assert of(calendar, ("start",), HOLED).is_exact


def test_circles_of_parts_are_equal() -> None:
    assert of(cycles, ("start",), HOLED).is_exact


def test_times_since_a_moment_and_between_two_dates_are_equal() -> None:
    assert of(times, ("start", "end")).is_exact


def test_a_function_of_the_whole_frame_hands_on_numbers_and_texts() -> None:
    def hours(rows: Any) -> Any:
        made = rows.assign(hour=rows["start"].dt.hour, stay=(rows["end"] - rows["start"]).dt.total_seconds())
        return made.drop(columns=["start", "end"])

    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    chosen = make_column_transformer((numbers, ["price", "hour", "stay"]), (OneHotEncoder(), ["city"]))
    model = make_pipeline(FunctionTransformer(hours), chosen, Ridge()).fit(ROWS, ROWS.price)

    assert compared(model, ROWS, FAR, HOLED).is_exact


def test_the_answer_to_a_missing_date_is_the_functions_own() -> None:
    def ordinal(rows: Any) -> Any:
        return rows["start"].map(lambda when: when.toordinal(), na_action="ignore").fillna(-1).to_frame()

    assert of(ordinal, ("start",), HOLED).is_exact


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda rows: (rows["start"] - rows["start"].min()).dt.days.to_frame(), "looks at other rows too"),
        (
            lambda rows: (pd.Timestamp("now") - rows["start"]).dt.seconds.to_frame(),
            "looks at other rows too|not recognised",
        ),
        (
            lambda rows: (pd.Timestamp.now().year - rows["start"].dt.year).to_frame(),
            r"asks for now\(\), which is never",
        ),
        (
            lambda rows: (rows["start"] > pd.Timestamp("2019-05-01")).to_frame(),
            "makes column start in a way that is not",
        ),
        (lambda rows: rows["start"].dt.normalize().isin([pd.Timestamp("2021-05-13")]).to_frame(), "not recognised"),
        (lambda rows: (rows["start"].dt.month * 0 + 1).to_frame(), "not recognised"),
    ],
    ids=["other rows", "a clock, hidden", "a clock", "a moment", "a feast", "nothing"],
)
def test_what_is_no_part_of_a_date_is_refused(function: Any, reason: str) -> None:
    with pytest.raises(Cannot, match=reason):
        of(function)


def test_dates_of_another_zone_are_refused() -> None:
    rows = ROWS.assign(start=ROWS.start.dt.tz_localize("UTC").dt.tz_convert("Europe/Paris"))
    hours = FunctionTransformer(lambda rows: rows["start"].dt.hour.to_frame())
    model = make_pipeline(make_column_transformer((hours, ["start"])), Ridge()).fit(rows, rows.price)

    with pytest.raises(Cannot, match="not recognised"):
        compared(model, rows)


@pytest.mark.parametrize("name", ["year", "week_year", "months"])
def test_years_are_those_of_the_standard_library(name: str) -> None:
    days = np.arange(-100_000, 100_000, 7)
    dates = pd.DatetimeIndex(days.astype("datetime64[D]").astype("datetime64[s]"))
    wanted = {"year": dates.year, "week_year": dates.isocalendar().year, "months": dates.year * 12 + dates.month - 1}

    found = LARGE[name](days * 86400 * 10**6)
    shift = found[0] - int(np.asarray(wanted[name])[0])
    np.testing.assert_array_equal(found - shift, np.asarray(wanted[name], np.int64))


def test_small_parts_stay_within_their_tables() -> None:
    moments = RANDOM.integers(-(2**62), 2**62, 10_000)

    for formula, size in SMALL.values():
        assert 0 <= formula(moments).min() <= formula(moments).max() < size
