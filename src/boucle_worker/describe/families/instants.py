"""Parts of instants by integer arithmetic, written once for numpy's int64 arrays and for those of a graph.

An instant is a count of microseconds since 1970. Days are counted in years that start in March, so that the leap day
comes last: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Tuple

import numpy as np

from boucle_worker.describe.formulas import gather
from boucle_worker.describe.graph import Value

MISSING = np.iinfo(np.int64).min
SECOND, MINUTE, HOUR, DAY = 10**6, 60 * 10**6, 3600 * 10**6, 86400 * 10**6
_ERA = 146097  # days of 400 years
_LATE = 306  # January and February belong to the year after
_LEAP = np.array([y % 4 == 0 and (y % 100 != 0 or y % 400 == 0) for y in range(401)]).astype(np.int64)

Number = Any
"""An int64 array of numpy or a Value of int64."""


def days(t: Number) -> Number:
    """Return the days since 1970."""
    return t // DAY


def hour(t: Number) -> Number:
    """Return the hour of the day, 0 to 23."""
    return t // HOUR % 24


def weekday(t: Number) -> Number:
    """Return the day of the week, 0 for Monday."""
    return (days(t) + 3) % 7


def week_hour(t: Number) -> Number:
    """Return the hour of the week, 0 to 167."""
    return (t // HOUR + 72) % 168


def day_minute(t: Number) -> Number:
    """Return the minute of the day, 0 to 1439."""
    return t // MINUTE % 1440


def year_day(t: Number) -> Number:
    """Return the day of the year that starts in March, 0 to 365: tells month and day."""
    return _march(days(t))[2]


def year_day_leap(t: Number) -> Number:
    """Return twice that day, plus one in a leap year: tells the day of the year and the length of the month."""
    return _leap_day(days(t))


def week_day_leap(t: Number) -> Number:
    """Return the same of the Thursday of the week: tells the ISO week."""
    return _leap_day(_thursday(t))


def year(t: Number) -> Number:
    """Return the year."""
    return _year(days(t))


def week_year(t: Number) -> Number:
    """Return the year that the ISO week belongs to."""
    return _year(_thursday(t))


def months(t: Number) -> Number:
    """Return the months since the year 0."""
    era, of_era, day = _march(days(t))
    return (era * 400 + of_era) * 12 + _over(day * 5 + 2, 153) + 2


SMALL: Dict[str, Tuple[Callable[[Number], Number], int]] = {
    "weekday": (weekday, 7),
    "hour": (hour, 24),
    "minute": (lambda t: t // MINUTE % 60, 60),
    "second": (lambda t: t // SECOND % 60, 60),
    "week_hour": (week_hour, 168),
    "year_day": (year_day, 366),
    "year_day_leap": (year_day_leap, 732),
    "week_day_leap": (week_day_leap, 732),
    "day_minute": (day_minute, 1440),
}
"""Parts of few values, and how many: what hangs on one of them is a table."""

LARGE: Dict[str, Callable[[Number], Number]] = {
    "year": year,
    "week_year": week_year,
    "months": months,
    "days": days,
    "hours": lambda t: t // HOUR,
    "minutes": lambda t: t // MINUTE,
    "seconds": lambda t: t // SECOND,
    "milliseconds": lambda t: t // 1000,
    "microseconds": lambda t: t,
    "day_second": lambda t: t // SECOND % 86400,
    "second_microsecond": lambda t: t % SECOND,
    "day_microsecond": lambda t: t % DAY,
}
"""Parts of many values: what hangs on one of them is a straight line."""


def _march(day: Number) -> Tuple[Number, Number, Number]:
    """Return the era of 400 years, the year in it and the day of that year, of days since 1970."""
    shifted = day + 719468
    of_era = shifted % _ERA
    era = (shifted - of_era) // _ERA if not isinstance(day, Value) else (shifted - of_era) / _ERA
    of_year = _over(of_era - _over(of_era, 1460) + _over(of_era, 36524) - _over(of_era, 146096), 365)
    return era, of_year, of_era - (of_year * 365 + _over(of_year, 4) - _over(of_year, 100))


def _leap_day(day: Number) -> Number:
    _era, of_year, year_day_ = _march(day)
    place = of_year + (year_day_ >= _LATE).astype(np.int64)
    is_leap = gather(_LEAP, place) if isinstance(place, Value) else _LEAP[place]
    return year_day_ * 2 + is_leap


def _year(day: Number) -> Number:
    era, of_year, year_day_ = _march(day)
    return era * 400 + of_year + (year_day_ >= _LATE).astype(np.int64)


def _thursday(t: Number) -> Number:
    return days(t) + 3 - weekday(t)


def _over(a: Number, n: int) -> Number:
    """Return a // n of a that is not negative: in a graph one node, for its division cuts."""
    return a / n if isinstance(a, Value) else a // n
