"""The cumulative sum itself, by hand."""

import json
import math

from boucle.monitoring.cusum import Cusum


def test_the_sum_follows_pages_recursion() -> None:
    found = Cusum(k=0.5, h=4.0)
    levels = []
    for score in (1.0, -2.0, 3.0, 0.5, 2.5):
        found.update(score)
        levels.append(found.level)
    assert levels == [0.5, 0.0, 2.5, 2.5, 4.5]
    assert found.is_raised


def test_since_is_when_the_sum_last_left_zero() -> None:
    found = Cusum(k=0.5, h=10.0)
    for at, score in enumerate((3.0, -9.0, 0.0, 2.0, 2.0)):
        found.update(score, at)
    assert found.since == 3


def test_a_block_that_cannot_be_compared_changes_nothing() -> None:
    found = Cusum(k=0.5, h=4.0, level=2.0, since=7)
    assert not found.update(math.nan, 8)
    assert (found.level, found.since) == (2.0, 7)


def test_it_goes_on_from_its_state() -> None:
    first = Cusum(k=0.5, h=4.0)
    first.update(3.0, 5)
    second = Cusum(k=0.5, h=4.0)
    second.restore(json.loads(json.dumps(first.state())))
    assert second.update(2.6, 6)
    assert second.since == 5


def test_after_a_restart_it_begins_at_zero() -> None:
    found = Cusum(k=0.5, h=1.0)
    found.update(9.0, 1)
    found.restart()
    assert (found.level, found.since, found.is_raised) == (0.0, None, False)
