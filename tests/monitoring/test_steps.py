"""Windows are judged once each, in order, when they are whole."""

from __future__ import annotations

from boucle.core.report import Span
from boucle.core.watching import WatchPolicy
from boucle.monitoring.steps import MINUTE, SECOND, whole_until, windows_due

HOUR = 60 * MINUTE
POLICY = WatchPolicy(window_s=24 * 3600, step_s=3600)
MINUTES = [0, MINUTE, 59 * MINUTE, HOUR, 5 * HOUR, 5 * HOUR + MINUTE]


def test_each_step_with_rows_is_judged_when_later_rows_are_there() -> None:
    due = windows_due(MINUTES, 0, whole_until(5 * HOUR + MINUTE, 10**18, quiet_s=1), POLICY)
    assert due == (Span(-23 * HOUR, HOUR), Span(-22 * HOUR, 2 * HOUR))


def test_an_hour_without_traffic_is_no_window() -> None:
    due = windows_due(MINUTES, 2 * HOUR, 100 * HOUR, POLICY)
    assert [window.stop for window in due] == [6 * HOUR]


def test_the_last_step_is_whole_when_nothing_came_for_a_while() -> None:
    assert whole_until(5 * HOUR, 7 * HOUR, quiet_s=120) == 7 * HOUR
    assert whole_until(5 * HOUR, 7 * HOUR, quiet_s=10) == 5 * HOUR


def test_a_row_whose_clock_ran_ahead_makes_nothing_whole_that_lies_ahead() -> None:
    assert whole_until(5 * HOUR, HOUR, quiet_s=120) == HOUR
    assert whole_until(5 * HOUR, HOUR, quiet_s=0) == HOUR


def test_nothing_is_judged_twice() -> None:
    first = windows_due(MINUTES, 0, 100 * HOUR, POLICY)
    assert windows_due(MINUTES, first[-1].stop, 100 * HOUR, POLICY) == ()


def test_minutes_before_the_epoch_belong_to_the_step_they_lie_in() -> None:
    assert windows_due([-30 * SECOND], -HOUR, HOUR, POLICY) == (Span(-24 * HOUR, 0),)
