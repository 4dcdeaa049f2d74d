"""The stylesheet: readable in light and in dark, by the numbers of WCAG 2.2."""

from __future__ import annotations

import re

import pytest

from boucle.web.pages.static import CONTENT

CSS = CONTENT["style.css"].decode()
LIGHT, DARK = (dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block)) for block in CSS.split(":root {")[1:3])
TEXTS = ("ink", "soft", "faint", "accent", "pass", "warn", "fail")
GROUNDS = ("paper", "sheet", "sunken")


def luminance(color: str) -> float:
    """WCAG's relative luminance of ``#rrggbb``."""
    channels = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """WCAG's contrast ratio, 1 to 21."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_ratio_is_that_of_the_standard() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("ground", GROUNDS)
def test_text_has_the_contrast_of_level_aa(palette: dict[str, str], text: str, ground: str) -> None:
    assert contrast(palette[text], palette[ground]) >= 4.5


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_buttons_and_badges_have_the_contrast_of_level_aa(palette: dict[str, str]) -> None:
    assert contrast(palette["on-accent"], palette["accent"]) >= 4.5
    assert contrast(palette["accent"], palette["accent-soft"]) >= 4.5


def test_scripts_are_short() -> None:
    assert all(content.count(b"\n") < 100 for name, content in CONTENT.items() if name.endswith(".js"))


def test_nothing_is_fetched_from_elsewhere() -> None:
    for name, content in CONTENT.items():
        assert b"http" not in content.replace(b'xmlns="http://www.w3.org/2000/svg"', b""), name
        assert b"@import" not in content
        assert b"url(" not in content
