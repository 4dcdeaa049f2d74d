"""A row of small bars, drawn on the server as SVG rectangles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

HEIGHT, STEP = 20, 4


@dataclass(frozen=True)
class Bar:
    """One rectangle of 3 units in a picture ``HEIGHT`` high; an empty minute has a bar of height 0.5."""

    x: int
    y: float
    height: float


def bars(counts: Sequence[int]) -> tuple[Bar, ...]:
    """Return one bar for each count, scaled to the largest; none when nothing was counted.

    >>> bars([0, 4])
    (Bar(x=0, y=19.5, height=0.5), Bar(x=4, y=0.0, height=20.0))
    """
    largest = max(counts, default=0)
    if largest == 0:
        return ()
    heights = [max(0.5, round(HEIGHT * count / largest, 1)) for count in counts]
    return tuple(Bar(STEP * i, HEIGHT - height, height) for i, height in enumerate(heights))
