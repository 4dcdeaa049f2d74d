"""Ids as callers tell them: any text at all, which a database must be able to keep."""

from __future__ import annotations

MOST_CHARACTERS = 200
_UNPRINTABLE = "\N{REPLACEMENT CHARACTER}"


def told_id(text: str) -> str:
    """Return an id that can be kept and shown: cut, and without characters that cannot be printed.

    Ids of predictions are short and plain, so one that had to be changed names none: it ends as an unknown one, and
    never stops the collector (PostgreSQL refuses zero characters and long keys, both databases lone surrogates).

    >>> told_id("0190c3b1-7f00-7000-8000-000000000000:12")
    '0190c3b1-7f00-7000-8000-000000000000:12'
    >>> told_id("a" * 300 + chr(0)) == "a" * 200
    True
    """
    if len(text) <= MOST_CHARACTERS and text.isprintable():
        return text
    return "".join(each if each.isprintable() else _UNPRINTABLE for each in text[:MOST_CHARACTERS])
