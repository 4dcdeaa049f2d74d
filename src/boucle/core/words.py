"""The words of a text, as profiles count them."""

from __future__ import annotations

import re

MOST_CHARACTERS = 10_000  # of a text are looked at: what follows does not change its words' shares much
_WORD = re.compile(r"\w+")


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case, in order.

    >>> words_of("L'été, c'est loin")
    ['l', 'été', 'c', 'est', 'loin']
    """
    return _WORD.findall(text[:MOST_CHARACTERS].lower())
