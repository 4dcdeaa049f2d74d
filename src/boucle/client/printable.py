"""What others told, made fit for a terminal: names, categories and reasons may hold what would command it."""

from __future__ import annotations

import re

_COMMANDS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """Return a text as one line without control characters, those that turn its direction, and halves of characters.

    >>> printable("price " + chr(27) + "]0;owned" + chr(7))
    'price �]0;owned�'
    """
    return _COMMANDS.sub("\N{REPLACEMENT CHARACTER}", text)
