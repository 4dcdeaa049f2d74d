"""Tests of boucle.monitoring.changes: when a part began to move."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from boucle.core.counting import count
from boucle.core.freezing import freeze
from boucle.core.schema import infer
from boucle.core.series import Series
from boucle.core.table import Column, Table
from boucle.monitoring.changes import change_point, located, since

HOUR = 3_600 * 1_000_000


def _series(steps: list[Any]) -> Series:
    def table(values: Any) -> Table:
        return Table({"x": Column("float", values)})

    reference = table(np.random.default_rng(0).standard_normal(2_000))
    grid = freeze(reference, infer(reference))
    return Series(grid, [(i * HOUR, count(grid, table(values))) for i, values in enumerate(steps)])


@pytest.mark.parametrize("at", [3, 12, 20])
def test_the_hour_of_a_shift_is_found(at: int) -> None:
    rng = np.random.default_rng(at)
    steps = [rng.standard_normal(100) + (1.0 if hour >= at else 0.0) for hour in range(24)]

    assert since(_series(steps), "x") == at * HOUR


def test_the_hour_from_which_cells_are_missing_is_found() -> None:
    rng = np.random.default_rng(7)
    steps = [
        np.where(rng.random(100) < (0.4 if hour >= 9 else 0.0), np.nan, rng.standard_normal(100)) for hour in range(24)
    ]

    assert since(_series(steps), "x") == 9 * HOUR


def test_steps_that_are_alike_have_no_change_in_400_series() -> None:
    rng = np.random.default_rng(8)

    found = [change_point(rng.multinomial(50, np.full(16, 1 / 16), size=24)) for _ in range(400)]

    assert sum(place is not None for place in found) <= 3


def test_the_change_is_the_cut_with_the_largest_g_of_all() -> None:
    rng = np.random.default_rng(9)
    counts = np.concatenate([rng.multinomial(80, [0.5, 0.3, 0.2], 7), rng.multinomial(80, [0.3, 0.3, 0.4], 5)])

    by_hand = [
        stats.chi2_contingency(
            [counts[:cut].sum(axis=0), counts[cut:].sum(axis=0)], correction=False, lambda_="log-likelihood"
        ).statistic
        for cut in range(1, 12)
    ]

    assert change_point(counts) == int(np.argmax(by_hand)) + 1


def test_nothing_is_found_in_one_step_or_none() -> None:
    assert since(_series([]), "x") is None
    assert since(_series([np.zeros(50)]), "x") is None


@pytest.mark.parametrize("at", [100, 500, 1_000])
def test_a_change_of_weeks_ago_is_dated_within_the_hour(at: int) -> None:
    rng = np.random.default_rng(at)
    steps = [rng.standard_normal(20) + (1.0 if hour >= at else 0.0) for hour in range(50 * 24)]

    found = located(_series(steps), ["x"], 50 * 24 * HOUR)

    assert abs(found["x"] - at * HOUR) <= HOUR


def test_what_comes_after_the_time_asked_is_not_looked_at() -> None:
    rng = np.random.default_rng(1)
    steps = [rng.standard_normal(20) + (1.0 if hour >= 300 else 0.0) for hour in range(600)]

    assert located(_series(steps), ["x"], 290 * HOUR) == {}
    assert located(_series([]), ["x"], HOUR) == {}
