"""The picture of a forecaster: its marks stand where the figures say, in colours that the stylesheet gives."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest

from boucle.web.pages import charts
from boucle.web.pages.charts import Candle, Forecast, Picture, candles_svg
from boucle.web.pages.static import CONTENT

HOUR = 3_600_000_000
START = 1_735_700_400_000_000  # 2025-01-01 03:00 UTC
CANDLES = tuple(Candle(START + i * HOUR, 100.0 + i, 103.0 + i, 99.0 + i, 102.0 + i) for i in range(10))
FALLING = Candle(START + 10 * HOUR, 111.0, 112.0, 104.0, 105.0)
PAST = tuple(Forecast(c.at, c.close - 1, c.close - 3, c.close + 3, c.close - 2, c.close) for c in CANDLES)
MISSED = Forecast(FALLING.at, 111.5, 109.0, 114.0, 111.0, 105.0)
NEWEST = Forecast(START + 11 * HOUR, 105.5, 102.0, 109.0, 105.0)
PICTURE = Picture((*CANDLES, FALLING), (*PAST, MISSED), NEWEST, (), HOUR)


def marks(svg: str, kind: str) -> list[ET.Element]:
    """The marks of a kind (``rule``, ``rect``, ``symbol`` ...), without those of the axes."""
    root = ET.fromstring(svg)  # noqa: S314  # our own picture
    groups = [item for item in root.iter() if f"mark-{kind} role-mark" in item.get("class", "")]
    return [mark for group in groups for mark in group]


def test_each_candle_has_a_wick_and_a_body_in_the_colour_of_its_way() -> None:
    svg = candles_svg(PICTURE, "summary")

    wicks = marks(svg, "rule")
    assert [wick.get("stroke") for wick in wicks] == ["var(--up)"] * 10 + ["var(--down)"]
    bodies = [mark for mark in marks(svg, "rect") if mark.get("stroke", "").startswith("var")]
    assert [body.get("fill") for body in bodies] == ["var(--up)"] * 10 + ["var(--down)"]


def test_higher_prices_stand_higher_and_later_times_further_right() -> None:
    places = [re.findall(r"[-\d.]+", wick.get("transform", "")) for wick in marks(candles_svg(PICTURE, "s"), "rule")]
    across, down = ([float(place[i]) for place in places[:10]] for i in (0, 1))

    steps = [after - before for before, after in pairwise(across)]
    assert steps == pytest.approx([steps[0]] * 9)
    assert steps[0] > 0
    assert down == sorted(down, reverse=True)


def test_a_close_outside_its_interval_is_ringed_and_the_newest_forecast_is_a_point() -> None:
    svg = candles_svg(PICTURE, "s")

    assert svg.count('stroke="var(--warn)"') == 1
    assert len([mark for mark in marks(svg, "symbol") if mark.get("fill") == "var(--accent)"]) == 1
    inside = replace(PICTURE, past=PAST)
    assert "var(--warn)" not in candles_svg(inside, "s")


def test_a_band_breaks_where_candles_are_missing() -> None:
    broken = replace(PICTURE, past=(*PAST[:4], *PAST[6:]))

    assert [len(marks(candles_svg(picture, "s"), "area")) for picture in (PICTURE, broken)] == [1, 2]


def test_a_model_without_intervals_is_drawn_without_a_band() -> None:
    bare = replace(PICTURE, past=tuple(Forecast(p.at, p.predicted) for p in PAST), newest=Forecast(NEWEST.at, 105.5))

    svg = candles_svg(bare, "s")

    assert marks(svg, "area") == []
    assert marks(svg, "line")


def test_every_colour_is_one_of_the_stylesheet() -> None:
    svg = candles_svg(replace(PICTURE, asked=(Forecast(START + 12 * HOUR, 106.0, 103.0, 109.0, 105.5, 106.2),)), "s")

    colours = {colour for colour in re.findall(r'(?:fill|stroke)="([^"]+)"', svg) if colour != "none"}
    assert all(colour.startswith("var(--") for colour in colours), colours
    names = {colour.removeprefix("var(--").removesuffix(")") for colour in colours}
    assert all(f"--{name}: #" in CONTENT["style.css"].decode() for name in names)


def test_the_picture_is_one_image_with_a_name_and_keeps_to_the_policy_of_the_pages() -> None:
    svg = candles_svg(PICTURE, "summary")

    root = ET.fromstring(svg)  # noqa: S314  # our own picture
    assert root.attrib == {"viewBox": "0 0 760 340", "role": "img", "aria-labelledby": "summary"}
    assert not [item for item in root.iter() for name in item.attrib if name in ("style", "id") or name[:2] == "on"]
    assert "<script" not in svg
    assert "href" not in svg


def test_dates_are_in_the_language_of_the_page() -> None:
    long = tuple(Candle(START + i * HOUR, 1.0, 2.0, 0.5, 1.5) for i in range(60))
    picture = replace(PICTURE, candles=long, past=(), newest=Forecast(START + 60 * HOUR, 1.5))

    assert "2 Jan" in candles_svg(picture, "s")
    assert "2 janv." in candles_svg(replace(picture, language="fr"), "s")


def test_the_same_picture_is_drawn_once() -> None:
    charts.candles_svg.cache_clear()

    first, again = candles_svg(PICTURE, "s"), candles_svg(replace(PICTURE), "s")

    assert first is again
    assert charts.candles_svg.cache_info().misses == 1


@pytest.mark.parametrize(
    ("forecast", "inside"),
    [
        (Forecast(0, 1.0, 0.5, 1.5, actual=1.5), True),
        (Forecast(0, 1.0, 0.5, 1.5, actual=1.51), False),
        (Forecast(0, 1.0, 0.5, 1.5), None),
        (Forecast(0, 1.0, actual=1.0), None),
    ],
)
def test_what_happened_is_inside_an_interval_or_not_or_nobody_knows(forecast: Forecast, inside: bool | None) -> None:
    assert forecast.is_inside is inside
