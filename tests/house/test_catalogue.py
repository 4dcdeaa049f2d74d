"""The French is complete and compiled."""

import re
from string import Formatter

import pytest

from house.catalogue import PO, compiled, missing, translations, updated

CATALOGUE = translations()


def test_every_text_has_its_french() -> None:
    assert missing(updated()) == []


def test_the_compiled_catalogue_is_that_of_the_translations() -> None:
    assert PO.with_suffix(".mo").read_bytes() == compiled(updated())


@pytest.mark.parametrize("message", [m for m in CATALOGUE if m.id], ids=lambda m: re.sub(r"\W+", "-", str(m.id))[:40])
def test_a_translation_keeps_the_values_of_its_text(message) -> None:  # type: ignore[no-untyped-def]  # babel's Message
    singular = message.id[0] if isinstance(message.id, tuple) else message.id
    forms = message.string if isinstance(message.string, (list, tuple)) else [message.string]
    for form in forms:
        assert fields(form) <= fields(singular) | fields(str(message.id))


def fields(text: str) -> set[str]:
    """Return the names of the values that a text takes."""
    braces = {name for _text, name, _spec, _conversion in Formatter().parse(text) if name} if "{" in text else set()
    return braces | set(re.findall(r"%\((\w+)\)s", text))
