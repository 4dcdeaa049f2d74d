"""Texts that people read, in their language. ``_("…")`` marks and translates; catalogues lie in ``locale/``."""

from __future__ import annotations

import gettext
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path

LANGUAGES = ("en", "fr")
_LOCALE = Path(__file__).resolve().parent.parent / "locale"
_language: ContextVar[str] = ContextVar("language", default="en")


def use_language(language: str) -> None:
    """Set the language of the current context: ``fr``, ``fr_FR.UTF-8`` and ``fr-CA`` all mean French."""
    _language.set(supported(language))


def current_language() -> str:
    """Return ``en`` or ``fr``."""
    return _language.get()


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Use a language for the length of a ``with`` block (one request, one rendering)."""
    token = _language.set(supported(language))
    try:
        yield
    finally:
        _language.reset(token)


def supported(language: str) -> str:
    """Return the supported language nearest to a locale or an Accept-Language header; English otherwise.

    >>> supported("fr-CA,fr;q=0.8,en;q=0.5"), supported("C.UTF-8")
    ('fr', 'en')
    """
    for part in language.split(","):
        primary = part.strip()[:2].lower()
        if primary in LANGUAGES:
            return primary
    return "en"


@cache
def catalogue(language: str) -> gettext.NullTranslations:
    """Return the translations of a language (English is the language of the source)."""
    return gettext.translation("boucle", localedir=_LOCALE, languages=[language], fallback=True)


def _(message: str) -> str:
    """Translate a message. Use ``_("… {name} …").format(name=…)``: the message itself is a constant."""
    return catalogue(_language.get()).gettext(message)


def ngettext(singular: str, plural: str, n: int) -> str:
    """Translate a message that counts ``n`` things."""
    return catalogue(_language.get()).ngettext(singular, plural, n)


def N_(message: str) -> str:  # noqa: N802  # the name that extractors of messages know
    """Mark a message for the catalogue where it is written; ``_`` translates it where it is shown."""
    return message
