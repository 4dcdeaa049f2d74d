"""Dates as callers write them: ISO 8601 only, zoned or not, into microseconds since 1970 in UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

NOT_A_TIME = -(2**63)
_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
_FIRST, _LAST = (
    (datetime(year, month, day, tzinfo=UTC) - _EPOCH) // _MICROSECOND
    for year, month, day in ((1, 1, 1), (9999, 12, 31))
)
_ISO = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6}0{0,3})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)


def microseconds(text: str) -> int:
    """Return the instant a text names; a time without a zone is UTC.

    Raises ValueError unless it is ``YYYY-MM-DD``, alone or followed by ``Thh:mm[:ss[.ffffff]]`` and ``Z`` or an
    offset: never "now", never a day of unknown order, nothing finer than a microsecond.

    >>> microseconds("1970-01-01T01:00:00.5+01:00")
    500000
    """
    if len(text) > 40 or not _ISO.fullmatch(text):
        raise ValueError("not an ISO 8601 date")
    at = datetime.fromisoformat(text)
    instant = ((at if at.tzinfo is not None else at.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND
    if not _FIRST <= instant <= _LAST:
        raise ValueError("not in the years 1 to 9999 of UTC")
    return instant
