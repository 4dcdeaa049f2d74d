"""New rows of profiles become blocks, each once, whatever the looks."""

import json
from typing import Any

import numpy as np
import pytest

from boucle.core.grid import Grid, Part
from boucle.core.profile import Profile
from boucle.core.reference import Reference
from boucle.core.report import Span
from boucle.core.series import Series
from boucle.core.watching import WatchPolicy
from boucle.monitoring.feeding import HOUR, ConceptWatch, LateFeed, StepFeed
from boucle.monitoring.signals import Grouping

MINUTE = 60_000_000
FEATURES = Grid((Part("price", "number", edges=(1.0, 2.0, 3.0)),))
QUALITY = Grid((Part("truth", "level", levels=("no", "yes")), Part("correct", "number", edges=(0.5,))))
PARTS = (Grouping("price", "input", (0, 1, 2, 3, 3)),)


def profile(grid: Grid, n: int, *counts: int) -> Profile:
    empty = Profile.empty(grid)
    found = np.array([*counts, *([0] * (grid.n_bins - len(counts)))], dtype=np.int64)
    return Profile(grid, n, found, empty.sums, empty.missing, empty.squares, empty.low, empty.high)


def even(n: int) -> Profile:
    return profile(FEATURES, 4 * n, n, n, n, n)


def test_steps_are_pooled_until_they_hold_fifty_rows() -> None:
    series = Series(FEATURES, [(at * MINUTE, even(5)) for at in range(7)] + [(7 * MINUTE, even(2500))])
    found = list(StepFeed(PARTS).take(series, 8 * MINUTE))
    assert [(block.start // MINUTE, block.stop // MINUTE, block.n) for block in found] == [
        (0, 3, 60),
        (3, 6, 60),
        (6, 8, 10_020),
    ]


def test_each_row_is_given_once_however_often_one_looks() -> None:
    steps: list[tuple[int, Profile]] = []
    feed, rows = StepFeed(PARTS), 0
    for at in range(30):
        steps.append((at * MINUTE, even(3)))
        rows += sum(block.n for block in feed.take(Series(FEATURES, steps), (at + 1) * MINUTE))
        state, feed = json.loads(json.dumps(feed.state())), StepFeed(PARTS)
        feed.restore(state)
    assert rows + feed.state()["pending"]["n"] == 30 * 12


def test_labels_that_come_late_for_hours_already_looked_at_are_given_then() -> None:
    parts = (Grouping("truth", "label", (0, 1, 2, 2, 2)), Grouping("correct", "error", (1, 0, 0)))
    feed = LateFeed(parts)
    early = Series(QUALITY, [(0, profile(QUALITY, 30, 10, 20, 0, 0, 3, 27))])
    assert list(feed.take(early, HOUR)) == []
    late = [(0, profile(QUALITY, 90, 40, 50, 0, 0, 9, 81)), (HOUR, profile(QUALITY, 10, 5, 5, 0, 0, 1, 9))]
    found = list(feed.take(Series(QUALITY, late), 2 * HOUR))
    assert [(block.n, block.counts["correct"]) for block in found] == [(90, [81.0, 9.0])]
    assert list(feed.take(Series(QUALITY, late), 2 * HOUR)) == []


class Counting:
    """A detector that raises an alarm when more than half of a block is wrong."""

    def __init__(self, state: dict[str, Any]) -> None:
        self.n = int(state.get("n", 0))

    def update(self, value: float) -> bool:
        self.n += 1
        return value > 0.5

    def state(self) -> dict[str, Any]:
        return {"n": self.n}


def watch(*detectors: str) -> ConceptWatch:
    reference = Reference({"features": FEATURES, "quality": QUALITY}, {"features": even(500)})
    return ConceptWatch(reference, WatchPolicy(detectors=("cusum", *detectors)), {"counting": Counting})


def test_rows_and_outcomes_are_watched_by_their_own_clocks() -> None:
    watched = watch("counting")
    rows = [(at * MINUTE, even(20)) for at in range(60)]
    right = [(at * MINUTE, profile(QUALITY, 60, 30, 30, 0, 0, 6, 54)) for at in range(0, 40 * 60, 60)]
    wrong = [(at * MINUTE, profile(QUALITY, 60, 30, 30, 0, 0, 50, 10)) for at in range(40 * 60, 44 * 60, 60)]
    assert not watched.advance({"features": Series(FEATURES, rows), "quality": Series(QUALITY, right)}, 40 * HOUR)
    found = watched.advance({"quality": Series(QUALITY, right + wrong)}, 44 * HOUR)
    assert [(moved.family, moved.since) for moved in found] == [("error", 40 * HOUR)]
    statuses = {check.name: check.status for check in watched.checks(Span(30 * HOUR, 44 * HOUR))}
    assert statuses == {
        "concept:input:price": "pass",
        "concept:label": "pass",
        "concept:error": "warn",
        "concept:counting": "warn",
    }


def test_it_goes_on_from_a_document() -> None:
    first, second = watch("counting"), watch("counting")
    quality = Series(QUALITY, [(at * HOUR, profile(QUALITY, 60, 30, 30, 0, 0, 6, 54)) for at in range(20)])
    first.advance({"quality": quality}, 20 * HOUR)
    second.restore(json.loads(json.dumps(first.state(), allow_nan=False)))
    assert second.state() == first.state()
    assert second.advance({"quality": quality}, 20 * HOUR) == ()


def test_dates_are_no_signal_for_time_moves_on() -> None:
    parts = (Part("asked_at", "number"), Part("asked_at", "level", "hour", levels=("0", "1")), Part("price", "number"))
    watched = ConceptWatch(Reference({"features": Grid(parts)}), WatchPolicy(), {})
    assert [check.name for check in watched.checks(Span(0, 1))] == ["concept:input:price"]


@pytest.mark.parametrize("rows", [0, 1])
def test_hardly_any_rows_change_nothing(rows: int) -> None:
    watched = watch()
    assert not watched.advance({"features": Series(FEATURES, [(0, profile(FEATURES, rows, rows))])}, MINUTE)
    assert all(check.status == "pass" for check in watched.checks(Span(0, MINUTE)))
