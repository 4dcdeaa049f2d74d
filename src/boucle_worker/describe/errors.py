"""Why a fitted model cannot be written as a graph."""

from __future__ import annotations


class Cannot(Exception):  # the word of the port: a converter that cannot
    """A model, or a setting of it, that has no faithful graph. ``reason`` is a clause for people.

    >>> raise Cannot("it holds a TfidfVectorizer with a tokenizer of its author's")
    Traceback (most recent call last):
        ...
    boucle_worker.describe.errors.Cannot: it holds a TfidfVectorizer with a tokenizer of its author's
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)
