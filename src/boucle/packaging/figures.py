"""Figures as evidence (JSON has no infinity) and as people read them."""

from __future__ import annotations

import math


def finite(value: float) -> float | None:
    """Return the value, or None when it is no finite number (JSON knows neither NaN nor infinity)."""
    return value if math.isfinite(value) else None


def percent(part: int, whole: int) -> str:
    """Return a share for people, never rounded to a 0 or 100 it is not.

    >>> percent(1, 3), percent(1, 10_000), percent(0, 5)
    ('33 %', '<1 %', '0 %')
    """
    share = 100 * part / whole if whole else 0.0
    if 0 < share < 1:
        return "<1 %"
    if 99 < share < 100:
        return ">99 %"
    return f"{share:.0f} %"
