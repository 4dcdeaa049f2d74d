"""Pictures of a report, drawn on the server as SVG paths: a hundred of them take a few milliseconds.

Each is a few paths whose colours come from the stylesheet; a table beside it says the same in figures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from boucle.core.report import Histogram

HEIGHT, STEP = 48, 12
LINE_WIDTH, LINE_HEIGHT = 600, 90
STRIP_TOP, STRIP_HEIGHT = 98, 20
_WIDE, _NARROW = 10.0, 5.0


@dataclass(frozen=True)
class Bars:
    """Two rows of bars in one picture: the wide ones behind (reference), the narrow ones before them (now)."""

    width: int
    reference: str
    current: str
    top: float


@dataclass(frozen=True)
class Lines:
    """Lines through points of time, in a picture of ``LINE_WIDTH`` by ``LINE_HEIGHT``; ``dots`` mark the first."""

    first: str
    second: str
    dots: tuple[tuple[float, float], ...]
    low: float
    high: float


def bars_of(histogram: Histogram) -> Bars | None:
    """Return the bars of a histogram; None when it holds nothing.

    >>> bars_of(Histogram(("a", "b"), (0.5, 0.5), (1.0, 0.0)))
    Bars(width=24, reference='M1 48V24h10V48zM13 48V24h10V48z', current='M3.5 48V0h5V48z', top=1.0)
    """
    top = max((*histogram.reference, *histogram.current), default=0.0)
    if top <= 0:
        return None
    return Bars(
        STEP * len(histogram.labels),
        _path(histogram.reference, top, _WIDE),
        _path(histogram.current, top, _NARROW),
        top,
    )


def counts_of(counts: Sequence[float], beside: Sequence[float] = ()) -> Bars | None:
    """Return bars of counts, and of others with the same scale before them; None when nothing was counted."""
    top = float(max((*counts, *beside), default=0))
    if top <= 0:
        return None
    return Bars(STEP * len(counts), _path(counts, top, _WIDE), _path(beside, top, _WIDE), top)


def lines_of(times: Sequence[int], first: Sequence[float | None], second: Sequence[float | None] = ()) -> Lines | None:
    """Return two lines over the same times, scaled to what they hold; a missing value breaks a line.

    None when fewer than two values are known.
    """
    known = [value for value in (*first, *second) if value is not None]
    if len(known) < 2 or len(times) < 2:
        return None
    margin = 0.1 * (max(known) - min(known)) or 0.1 * abs(known[0]) or 0.5
    low, high = min(known) - margin, max(known) + margin
    span = times[-1] - times[0]

    def place(at: int, value: float) -> tuple[float, float]:
        x = LINE_WIDTH * (at - times[0]) / span
        return round(x, 1), round(LINE_HEIGHT * (high - value) / (high - low), 1)

    dots = [place(at, value) for at, value in zip(times, first, strict=True) if value is not None]
    return Lines(_line(times, first, place), _line(times, second, place), tuple(dots), min(known), max(known))


def strip_of(times: Sequence[int], counts: Sequence[int]) -> str:
    """Return bars of counts below such lines, at the same times; "" when nothing was counted.

    >>> strip_of([0, 10], [1, 2])
    'M-4 118V108h8V118zM596 118V98h8V118z'
    """
    top, span = max(counts, default=0), times[-1] - times[0] if times else 0
    if top <= 0 or span <= 0:
        return ""
    wide = min(8.0, round(0.7 * LINE_WIDTH / len(times), 1))
    foot, parts = STRIP_TOP + STRIP_HEIGHT, []
    for at, count in zip(times, counts, strict=True):
        if count:
            x, height = LINE_WIDTH * (at - times[0]) / span - wide / 2, max(1.0, STRIP_HEIGHT * count / top)
            parts.append(f"M{round(x, 1):g} {foot}V{round(foot - height, 1):g}h{wide:g}V{foot}z")
    return "".join(parts)


def share_bars(before: float, now: float) -> tuple[str, str]:
    """Return two bars that lie one before the other, in a picture 100 wide and 12 high; shares are of its width.

    >>> share_bars(0.5, 0.0)
    ('M0 1h50v10H0z', '')
    """
    return (
        f"M0 1h{round(100 * before, 1):g}v10H0z" if before > 0 else "",
        f"M0 4h{round(100 * now, 1):g}v4H0z" if now > 0 else "",
    )


def _line(
    times: Iterable[int], values: Iterable[float | None], place: Callable[[int, float], tuple[float, float]]
) -> str:
    parts, command = [], "M"
    for at, value in zip(times, values, strict=False):
        if value is None:
            command = "M"
            continue
        x, y = place(at, value)
        parts.append(f"{command}{x:g} {y:g}")
        command = "L"
    return "".join(parts)


def _path(values: Sequence[float], top: float, width: float) -> str:
    """Return rectangles as one path; what is there at all is at least one unit high."""
    parts = []
    for place, value in enumerate(values):
        if value > 0:
            x, y = place * STEP + (STEP - width) / 2, HEIGHT - max(1.0, round(HEIGHT * value / top, 1))
            parts.append(f"M{x:g} {HEIGHT}V{y:g}h{width:g}V{HEIGHT}z")
    return "".join(parts)
