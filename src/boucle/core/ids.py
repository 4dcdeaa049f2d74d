"""Identifiers that sort by the time they were made (RFC 9562, version 7)."""

from __future__ import annotations

import secrets
import time

_VERSION, _VARIANT = 0x7 << 76, 0x2 << 62


def uuid7() -> str:
    """Return a new identifier: 48 bits of milliseconds, 12 bits of their fraction, 62 random bits.

    >>> len(uuid7()), uuid7()[14]
    (36, '7')
    """
    milliseconds, rest_ns = divmod(time.time_ns(), 1_000_000)
    fraction = rest_ns * 4096 // 1_000_000
    number = (milliseconds & (1 << 48) - 1) << 80 | _VERSION | fraction << 64 | _VARIANT | secrets.randbits(62)
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
