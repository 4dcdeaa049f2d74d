"""The picture of a forecaster: an Altair specification drawn to SVG on the server. No script, nothing from elsewhere.

Colours are the stylesheet's own custom properties, so that one picture is right in light and in dark. A picture
has no words but those of its axes: the page says the rest in HTML. Altair and vl-convert are heavy, so they are
imported when the first picture is drawn.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from markupsafe import Markup

if TYPE_CHECKING:
    import altair as alt

KEPT = 64  # pictures, of some 40 kB each
_ROOT = re.compile(r"\A<svg[^>]*? viewBox=\"([-0-9. ]+)\"[^>]*>")
_ROLES = re.compile(
    r' (?:role="graphics-[a-z]+"|aria-roledescription="[^"]*"|aria-hidden="true"|pointer-events="none")'
)
_LOCALES: dict[str, Literal["fr-FR"]] = {"fr": "fr-FR"}
_drawing = threading.Lock()


@dataclass(frozen=True)
class Candle:
    """One candle: ``at`` is the time that its row bears, in microseconds of UTC since 1970."""

    at: int
    open: float
    high: float
    low: float
    close: float


@dataclass(frozen=True)
class Forecast:
    """The forecast of the close of the candle at ``at``.

    ``naive`` is the last close before it, ``actual`` what it came to be; None when it is not known.
    """

    at: int
    predicted: float
    low: float | None = None
    high: float | None = None
    naive: float | None = None
    actual: float | None = None

    @property
    def is_inside(self) -> bool | None:
        """True when what happened lies within the interval; None when either is not known."""
        if self.actual is None or self.low is None or self.high is None:
            return None
        return self.low <= self.actual <= self.high


@dataclass(frozen=True)
class Picture:
    """Candles with forecasts laid over them. ``newest`` is the forecast of a candle that the version has not seen.

    ``asked`` are forecasts of candles still later; ``step`` is the distance from candle to candle, in microseconds;
    ``width`` and ``height`` are those of the picture in the units of its text (it is scaled to the room there is);
    ``language`` is that of its dates.
    """

    candles: tuple[Candle, ...]
    past: tuple[Forecast, ...]
    newest: Forecast
    asked: tuple[Forecast, ...]
    step: int
    width: int = 760
    height: int = 340
    language: str = "en"


@lru_cache(maxsize=KEPT)
def candles_svg(picture: Picture, labelled_by: str) -> Markup:
    """Return the picture as an SVG element that fills its column; ``labelled_by`` is the id of its summary.

    Raises ImportError or ValueError when it cannot be drawn.
    """
    import vl_convert

    specification = _specification(picture).to_dict()
    locale = _LOCALES.get(picture.language)
    with _drawing:
        svg = vl_convert.vegalite_to_svg(specification, format_locale=locale, time_format_locale=locale)
    element = f'<svg viewBox="\\1" role="img" aria-labelledby="{labelled_by}">'
    drawn, n_roots = _ROOT.subn(element, svg, count=1)
    if n_roots != 1 or "<script" in drawn or "style=" in drawn:
        raise ValueError("the picture is not drawn as expected")
    return Markup(_ROLES.sub("", drawn))  # noqa: S704  # numbers and dates only


def _specification(picture: Picture) -> alt.LayerChart:
    import altair as alt

    layers = [*_bands(picture), *_candles(picture), *_points(picture), *_newest(picture)]
    grid, text = "var(--line)", "var(--faint)"
    drawn: alt.LayerChart = (
        alt.layer(*layers)
        .properties(
            width=picture.width,
            height=picture.height,
            autosize=alt.AutoSizeParams(type="fit", contains="padding"),
            padding={"left": 1, "right": 1, "top": 6, "bottom": 1},
        )
        .configure(background="transparent")
        .configure_view(stroke=None)
        .configure_axis(
            gridColor=grid, domain=False, ticks=False, labelColor=text, labelFontSize=11, labelPadding=6, title=None
        )
    )
    return drawn


def _x(picture: Picture) -> alt.X:
    import altair as alt

    first, last = picture.candles[0].at, max(picture.candles[-1].at, picture.newest.at)
    label = "utcFormat(datum.value, utchours(datum.value) || utcminutes(datum.value) ? '%H:%M' : '%-d %b')"
    return alt.X(
        "at:T",
        scale=alt.Scale(type="utc", domain=[_ms(first - picture.step), _ms(last + picture.step)], nice=False),
        axis=alt.Axis(grid=False, labelExpr=label, tickCount=max(3, picture.width // 90), labelOverlap=True),
    )


def _y(name: str) -> alt.Y:
    import altair as alt

    return alt.Y(
        f"{name}:Q", scale=alt.Scale(zero=False, nice=False, padding=6), axis=alt.Axis(orient="right", tickCount=6)
    )


def _bands(picture: Picture) -> list[alt.Chart]:
    """Return the interval of each past forecast; the band breaks where candles are missing."""
    told = [item for item in _in_line(picture) if item.low is not None and item.high is not None]
    rows = _parts(told, picture.step)
    if not rows:
        return []
    band = _chart(rows).mark_area(color="var(--accent)", opacity=0.18, interpolate="monotone")
    return [band.encode(x=_x(picture), y=_y("low"), y2="high:Q", detail="part:N")]


def _candles(picture: Picture) -> list[alt.Chart]:
    import altair as alt

    rows = [
        {
            "at": _ms(candle.at),
            "open": candle.open,
            "high": candle.high,
            "low": candle.low,
            "close": candle.close,
            "way": "up" if candle.close >= candle.open else "down",
        }
        for candle in picture.candles
    ]
    scale = alt.Scale(domain=["up", "down"], range=["var(--up)", "var(--down)"])
    color, edge = alt.Color("way:N", scale=scale, legend=None), alt.Stroke("way:N", scale=scale, legend=None)
    base = _chart(rows).encode(x=_x(picture), color=color)
    body = base.mark_bar(size=_body_width(picture), strokeWidth=0.75)
    return [
        base.mark_rule(strokeWidth=1).encode(y=_y("low"), y2="high:Q"),
        body.encode(y=_y("open"), y2="close:Q", stroke=edge),
    ]


def _points(picture: Picture) -> list[alt.Chart]:
    """Return the model's forecasts as a line, naive ones as dashes on it, rings around closes outside their band."""
    layers = []
    in_line = _in_line(picture)
    rows = _parts(in_line, picture.step)
    if rows:
        line = _chart(rows).mark_line(color="var(--accent)", strokeWidth=1.75)
        layers.append(line.encode(x=_x(picture), y=_y("predicted"), detail="part:N"))
    naive = _parts([item for item in in_line if item.naive is not None], picture.step)
    if naive:
        dashes = _chart(naive).mark_line(color="var(--ink)", strokeWidth=1, strokeDash=[2, 4])
        layers.append(dashes.encode(x=_x(picture), y=_y("naive"), detail="part:N"))
    missed = [
        {"at": _ms(item.at), "actual": item.actual} for item in (*in_line, picture.newest) if item.is_inside is False
    ]
    if missed:
        ring = _chart(missed).mark_point(color="var(--warn)", filled=False, size=70, strokeWidth=1.75, opacity=1)
        layers.append(ring.encode(x=_x(picture), y=_y("actual")))
    return layers


def _newest(picture: Picture) -> list[alt.Chart]:
    item, layers = picture.newest, []
    base = _chart([_row(item, 0)])
    if item.low is not None and item.high is not None:
        width = _body_width(picture) + 3
        bar = base.mark_bar(color="var(--accent)", opacity=0.28, size=width, cornerRadius=2)
        layers.append(bar.encode(x=_x(picture), y=_y("low"), y2="high:Q"))
    if item.naive is not None:
        dash = base.mark_tick(orient="horizontal", color="var(--ink)", opacity=0.5, thickness=1)
        layers.append(dash.encode(x=_x(picture), y=_y("naive"), size=_constant(_body_width(picture) + 5)))
    point = base.mark_point(color="var(--accent)", filled=True, size=60, opacity=1, stroke="var(--sheet)")
    layers.append(point.encode(x=_x(picture), y=_y("predicted")))
    return layers


def _in_line(picture: Picture) -> tuple[Forecast, ...]:
    """Return the forecasts that lines are drawn through: the newest one too when others come after it."""
    return (*picture.past, picture.newest, *picture.asked) if picture.asked else picture.past


def _parts(forecasts: Any, step: int) -> list[dict[str, Any]]:
    """Return rows with the number of the unbroken run that each belongs to."""
    rows, part = [], 0
    for i, item in enumerate(forecasts):
        part += bool(i) and item.at - forecasts[i - 1].at > 1.5 * step
        rows.append(_row(item, part))
    return rows


def _row(item: Forecast, part: int) -> dict[str, Any]:
    return {
        "at": _ms(item.at),
        "predicted": item.predicted,
        "low": item.low,
        "high": item.high,
        "naive": item.naive,
        "part": part,
    }


def _chart(rows: list[dict[str, Any]]) -> alt.Chart:
    import altair as alt

    return alt.Chart(alt.InlineData(values=rows))


def _constant(pixels: float) -> alt.SizeValue:
    import altair as alt

    return alt.SizeValue(pixels)


def _body_width(picture: Picture) -> float:
    first, last = picture.candles[0].at, max(picture.candles[-1].at, picture.newest.at)
    room = (picture.width - 60) * picture.step / (last - first + 2 * picture.step)
    return max(1.0, round(0.62 * room, 2))


def _ms(at: int) -> int:
    return at // 1000
