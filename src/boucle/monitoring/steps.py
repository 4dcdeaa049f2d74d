"""Which windows are to be judged now: every step that has rows, once, in order, when it is whole."""

from __future__ import annotations

from collections.abc import Iterable

from boucle.core.report import Span
from boucle.core.watching import WatchPolicy

SECOND = 1_000_000
MINUTE = 60 * SECOND
QUIET_S = 90
MOST_STEPS = 2_000


def whole_until(newest: int, now: int, quiet_s: float) -> int:
    """Return until when nothing more is expected, UTC microseconds.

    Rows of the minute that begins at ``newest`` are there: all before it is whole. When nothing came for a while
    (``quiet_s`` seconds by the clock of the platform), so is all until ``now``: a silence ends the last step too.
    Nothing is whole that lies ahead: a row whose clock ran ahead ends no step.
    """
    return now if quiet_s >= QUIET_S else min(newest, now)


def windows_due(times: Iterable[int], judged_until: int, until: int, policy: WatchPolicy) -> tuple[Span, ...]:
    """Return the windows to judge, oldest first: they end with a step that holds rows and is over by ``until``.

    ``times`` are the begins of the minutes that hold rows. Steps without rows are passed over: an hour without
    traffic is no window. Of a long absence the newest 2,000 steps are caught up.

    >>> policy = WatchPolicy(window_s=7200, step_s=3600)
    >>> windows_due([0, 60 * SECOND, 7200 * SECOND], 0, 7300 * SECOND, policy)
    (Span(start=-3600000000, stop=3600000000),)
    """
    step, length = policy.step_s * SECOND, policy.window_s * SECOND
    stops = sorted({(time // step + 1) * step for time in times})
    due = [stop for stop in stops if judged_until < stop <= until]
    return tuple(Span(stop - length, stop) for stop in due[-MOST_STEPS:])
