"""Times as people write them: a moment, or how long before now."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any, Optional

import numpy as np

from boucle.core.errors import InvalidRequest
from boucle.core.i18n import _

SECOND_US = 1_000_000
_UNITS = {"s": 1, "min": 60, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_SPAN = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s*(s|min|m|h|d|w)\Z")
_NUMBER = re.compile(r"-?\d{1,19}\Z")
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)


def span_s(text: str) -> Optional[float]:
    """Return a span in seconds, None for a text that is no span.

    >>> span_s("24h"), span_s("7d"), span_s("1.5 min"), span_s("soon")
    (86400.0, 604800.0, 90.0, None)
    """
    found = _SPAN.match(text.strip())
    return None if found is None else float(found.group(1)) * _UNITS[found.group(2)]


def moment_us(value: Any, now_us: int, what: str = "since") -> Optional[int]:
    """Return a moment as UTC microseconds; None stays None.

    ``value`` is a datetime or date (UTC when it names no zone), ISO 8601 text, a span before now (``"24h"``, a
    timedelta), ``"now"``, or microseconds already. Raises InvalidRequest, calling it ``what``, for anything else.

    >>> moment_us("1970-01-01T00:00:02Z", 0), moment_us("2s", 5_000_000), moment_us(7, 0)
    (2000000, 3000000, 7)
    """
    if value is None or (isinstance(value, (int, np.integer)) and not isinstance(value, bool)):
        return value if value is None else int(value)
    if isinstance(value, dt.timedelta):
        return now_us - value // dt.timedelta(microseconds=1)
    if isinstance(value, np.datetime64):
        value = value.astype("datetime64[us]").item()
    if isinstance(value, str):
        seconds = span_s(value)
        if seconds is not None:
            return now_us - round(seconds * SECOND_US)
        value = now_us if value == "now" else int(value) if _NUMBER.match(value) else _parsed(value)
        if isinstance(value, int):
            return value
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        value = dt.datetime(value.year, value.month, value.day, tzinfo=dt.timezone.utc)
    if isinstance(value, dt.datetime) and value == value:  # pandas' NaT is a datetime too, unlike itself
        aware = value if value.tzinfo is not None else value.replace(tzinfo=dt.timezone.utc)
        return int((aware - _EPOCH) // dt.timedelta(microseconds=1))
    raise _unusual(what, value)


def window_text(value: Any, now_us: int) -> Optional[str]:
    """Return what a window is compared with as a request says it: ``reference``, or ``<since>/<until>``.

    ``value`` is None, ``"reference"``, a pair of moments, or a text of two with a slash between.

    >>> window_text(("2s", "1s"), 5_000_000), window_text("2s/now", 5_000_000), window_text("reference", 0)
    ('3000000/4000000', '3000000/5000000', 'reference')
    """
    if value is None or value == "reference":
        return value  # type: ignore[no-any-return]  # None or that very text
    pair = tuple(value.split("/")) if isinstance(value, str) else value
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise _unusual("against", value)
    since, until = (moment_us(one, now_us, "against") for one in pair)
    if since is None or until is None:
        raise _unusual("against", value)
    return f"{since}/{until}"


def moment(at_us: int) -> dt.datetime:
    """Return UTC microseconds as an aware datetime."""
    return _EPOCH + dt.timedelta(microseconds=at_us)


def time_text(at_us: Optional[int]) -> str:
    """Return a moment in UTC to the minute, "" for None.

    >>> time_text(1_777_888_800_000_000)
    '2026-05-04 10:00'
    """
    return "" if at_us is None else moment(at_us).strftime("%Y-%m-%d %H:%M")


def _parsed(text: str) -> Any:
    try:
        return dt.datetime.fromisoformat(re.sub(r"[Zz]\Z", "+00:00", text.strip()))
    except ValueError:
        return text


def _unusual(what: str, value: Any) -> InvalidRequest:
    expected = "2026-05-04T10:00 (UTC), 30min, 24h, 7d"
    if what == "against":
        expected = "reference, 48h/24h, 2026-05-03/2026-05-04"
    return InvalidRequest(
        "unusual-time",
        _("{what} is {value}, which is no time. Write for example: {expected}").format(
            what=what, value=str(value)[:80], expected=expected
        ),
    )
