"""Texts speak the language of their reader."""

import pytest

from boucle.core.i18n import current_language, speaking, supported


@pytest.mark.parametrize(
    ("asked", "given"),
    [("fr", "fr"), ("fr_FR.UTF-8", "fr"), ("de, fr;q=0.5", "fr"), ("de", "en"), ("C", "en"), ("", "en")],
)
def test_the_nearest_language_is_chosen(asked: str, given: str) -> None:
    assert supported(asked) == given


def test_a_language_ends_with_its_block() -> None:
    with speaking("fr"):
        assert current_language() == "fr"
    assert current_language() == "en"
