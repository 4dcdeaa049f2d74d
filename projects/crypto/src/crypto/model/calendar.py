"""The calendar by integer arithmetic, so that it can live inside the exported graph.

Days are counted as in the civil calendar "from March" (H. Hinnant, "chrono-compatible low-level date algorithms",
2013): with the year starting in March, the leap day comes last and months fall on a straight line. A week of ISO 8601
belongs to the year of its Thursday. Times are int64 milliseconds since 1970, UTC.
"""

from __future__ import annotations

import torch
from torch import Tensor

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
_MARCH_0000 = 719_468  # days from 0000-03-01 to 1970-01-01
_ERA = 146_097  # days in 400 years
_ORDINAL_1970 = 719_163  # days from 0001-01-01 to 1970-01-01, plus one


def days_since_1970(timestamp: Tensor) -> Tensor:
    """Return the day of each instant; 1970-01-01 is 0, days before it are negative."""
    return _over(timestamp, DAY_MS)


def hour_of_day(timestamp: Tensor) -> Tensor:
    """Return the hour of each instant, 0 to 23."""
    return torch.remainder(_over(timestamp, HOUR_MS), 24)


def day_of_week(timestamp: Tensor) -> Tensor:
    """Return 0 for Monday to 6 for Sunday."""
    return torch.remainder(days_since_1970(timestamp) + 3, 7)


def civil(days: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the year, the month (1 to 12) and the day of the month (1 to 31) of days counted from 1970."""
    shifted = days + _MARCH_0000
    era = _over(shifted, _ERA)
    day = shifted - era * _ERA
    year = _over(day - _over(day, 1460) + _over(day, 36_524) - _over(day, 146_096), 365)
    day_of_year = day - (365 * year + _over(year, 4) - _over(year, 100))
    month_from_march = _over(5 * day_of_year + 2, 153)
    day_of_month = day_of_year - _over(153 * month_from_march + 2, 5) + 1
    month = torch.where(month_from_march < 10, month_from_march + 3, month_from_march - 9)
    return year + era * 400 + (month <= 2).to(days.dtype), month, day_of_month


def week_of_year(timestamp: Tensor) -> Tensor:
    """Return the ISO 8601 week, 1 to 53: the week of the year of that week's Thursday."""
    thursday = days_since_1970(timestamp) - day_of_week(timestamp) + 3
    before = civil(thursday)[0] - 1
    first_of_january = 365 * before + _over(before, 4) - _over(before, 100) + _over(before, 400) + 1 - _ORDINAL_1970
    return _over(thursday - first_of_january, 7) + 1


def _over(value: Tensor, divisor: int) -> Tensor:
    # Not torch.div(.., rounding_mode="floor"): the exporter makes it a division in float32, and hours come out wrong.
    return torch.floor_divide(value, divisor)
