"""Figures and times as people read them, in both languages."""

from __future__ import annotations

import pytest

from boucle.core.i18n import speaking
from boucle.web.pages import words
from boucle.web.pages.spark import bars
from boucle.web.pages.templates import bound, cell

HOUR_US = 3_600_000_000


@pytest.mark.parametrize(
    ("value", "english", "french"),
    [
        (0, "0", "0"),
        (48_211, "48,211", "48 211"),
        (0.9043, "0.9043", "0,9043"),
        (0.99999, "1", "1"),
        (1234.5678, "1,235", "1 235"),
        (12.3456, "12.35", "12,35"),
        (-8019.0, "-8,019", "-8 019"),
        (2.2e-16, "2.2e-16", "2,2e-16"),
        (1e300, "1e+300", "1e+300"),
        (None, "–", "–"),
        (True, "True", "True"),
        ("text", "text", "text"),
    ],
)
def test_numbers_are_separated_as_the_language_does(value: object, english: str, french: str) -> None:
    assert words.number(value) == english
    with speaking("fr"):
        assert words.number(value) == french.replace(" ", words.NARROW_SPACE)


@pytest.mark.parametrize(
    ("hours", "told"),
    [
        (0, "just now"),
        (-5, "just now"),
        (1 / 60, "1 minute ago"),
        (0.99, "59 minutes ago"),
        (1, "1 hour ago"),
        (47, "1 day ago"),
        (24 * 40, "1 month ago"),
        (24 * 366, "1 year ago"),
        (24 * 1000, "2 years ago"),
    ],
)
def test_a_moment_is_told_in_its_largest_unit(hours: float, told: str) -> None:
    assert words.ago(0, int(hours * HOUR_US)) == told


def test_sizes_have_decimal_units() -> None:
    assert [words.size(n).replace(words.NARROW_SPACE, " ") for n in (999, 85_300, 2_500_000, 7 * 10**9, 10**13)] == [
        "999 B",
        "85.3 kB",
        "2.5 MB",
        "7 GB",
        "10,000 GB",
    ]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_number_is_still_shown(value: float) -> None:
    assert words.number(value) in {"nan", "inf", "-inf"}


def test_moments_of_a_schema_lose_the_zeros_at_their_end() -> None:
    assert bound("2009-03-02T09:30:15.120000Z") == "2009-03-02 09:30:15.12"
    assert bound("a text T09:30") == "a text T09:30"
    assert bound(41) == "41"


def test_lists_are_cut_and_objects_are_json() -> None:
    assert cell(list(range(10))) == "0, 1, 2, 3, 4, 5, 6, 7 …"
    assert cell({"a": None}) == '{"a": null}'
    assert cell([None, True]) == "–, true"


def test_nothing_counted_draws_nothing() -> None:
    assert bars([0, 0]) == ()
    assert [bar.height for bar in bars([1, 2, 0])] == [10.0, 20.0, 0.5]
