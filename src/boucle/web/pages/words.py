"""Figures and times as people read them, in the language of the request."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from boucle.core.i18n import _, current_language, ngettext

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE_S, _HOUR_S, _DAY_S, _MONTH_S, _YEAR_S = 60, 3600, 86_400, 2_629_746, 31_556_952
NARROW_SPACE = "\u202f"


def ago(at_us: int, now_us: int) -> str:
    """Return how long ago a moment was, in its largest unit.

    >>> ago(0, 3 * 3600 * 1_000_000)
    '3 hours ago'
    """
    seconds = max(0, now_us - at_us) // 1_000_000
    if seconds < _MINUTE_S:
        return _("just now")
    if seconds < _HOUR_S:
        n = seconds // _MINUTE_S
        return ngettext("{n} minute ago", "{n} minutes ago", n).format(n=n)
    if seconds < _DAY_S:
        n = seconds // _HOUR_S
        return ngettext("{n} hour ago", "{n} hours ago", n).format(n=n)
    if seconds < _MONTH_S:
        n = seconds // _DAY_S
        return ngettext("{n} day ago", "{n} days ago", n).format(n=n)
    if seconds < _YEAR_S:
        n = seconds // _MONTH_S
        return ngettext("{n} month ago", "{n} months ago", n).format(n=n)
    n = seconds // _YEAR_S
    return ngettext("{n} year ago", "{n} years ago", n).format(n=n)


def moment(at_us: int) -> str:
    """Return a time of UTC to the second: ``2026-07-12 14:03:22 UTC``."""
    return _at(at_us).strftime("%Y-%m-%d %H:%M:%S UTC")


def minute(at_us: int) -> str:
    """Return a time of UTC to the minute: ``2026-07-12 14:03 UTC``."""
    return _at(at_us).strftime("%Y-%m-%d %H:%M UTC")


def iso(at_us: int) -> str:
    """Return a time for machines: ``2026-07-12T14:03:22Z``."""
    return _at(at_us).strftime("%Y-%m-%dT%H:%M:%SZ")


def number(value: Any, digits: int = 4) -> str:
    """Return a number with about ``digits`` significant digits, separated as the language does.

    >>> number(12345), number(0.123456), number(0.00063214), number(2.5e-7), number(None)
    ('12,345', '0.1235', '0.0006321', '2.5e-07', '–')
    """
    if value is None:
        return "–"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, int):
        return _separated(f"{value:,}")
    small = value != 0 and abs(value) < 1
    if small or not abs(value) < 1e15:  # NaN too
        return _separated(f"{value:.{digits}g}")
    decimals = max(0, digits - len(str(int(abs(value)))))
    text = f"{value:,.{decimals}f}"
    return _separated(text.rstrip("0").rstrip(".") if "." in text else text)


def fixed(value: float | None, decimals: int) -> str:
    """Return a number with exactly that many decimals, separated as the language does: for columns of prices.

    >>> fixed(93512.5, 2), fixed(None, 2)
    ('93,512.50', '–')
    """
    return "–" if value is None else _separated(f"{value:,.{decimals}f}")


def percent(share: float) -> str:
    """Return a share of 1 as a percentage.

    >>> percent(0.0312).replace(NARROW_SPACE, " ")
    '3.1 %'
    """
    return f"{number(100 * share, 2 if share < 0.1 else 3)} %".replace(" ", NARROW_SPACE)


def milliseconds(value: float | None) -> str:
    """Return a duration given in milliseconds.

    >>> milliseconds(1234.5).replace(NARROW_SPACE, " ")
    '1.23 s'
    """
    if value is None:
        return "–"
    text = f"{number(value / 1000, 3)} s" if value >= 1000 else f"{number(value, 2 if value < 10 else 3)} ms"
    return text.replace(" ", NARROW_SPACE)


def size(size_bytes: int) -> str:
    """Return a size in bytes with its unit."""
    value, units = float(size_bytes), [_("B"), _("kB"), _("MB"), _("GB")]
    while value >= 1000 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return f"{number(value, 3)}{NARROW_SPACE}{units[0]}"


def _at(at_us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=at_us)


def _separated(text: str) -> str:
    if current_language() != "fr":
        return text
    return text.translate({ord(","): NARROW_SPACE, ord("."): ","})
