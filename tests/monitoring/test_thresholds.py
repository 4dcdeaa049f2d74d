"""Run lengths against published ones, and against playing them."""

import numpy as np
import pytest
from scipy import stats

from boucle.monitoring.signals import score
from boucle.monitoring.thresholds import (
    average_run_length,
    normal,
    run_length_wanted,
    sampled,
    simulated_run_length,
    threshold,
    threshold_for,
)

# Two-sided runs of Montgomery, Introduction to Statistical Quality Control, table 9.4 and of Hawkins & Olwell (1998):
# a one-sided run in control is twice as long.
PUBLISHED = [
    (0.5, 4.0, 2 * 168),
    (0.5, 5.0, 2 * 465),
    (0.25, 8.01, 2 * 370),
    (0.75, 3.34, 2 * 370),
    (1.0, 2.52, 2 * 370),
]


@pytest.mark.parametrize(("k", "h", "run"), PUBLISHED)
def test_run_lengths_in_control_are_the_published_ones(k: float, h: float, run: float) -> None:
    assert average_run_length(k, h) == pytest.approx(run, rel=0.015)


def test_the_run_length_out_of_control_is_the_published_one() -> None:
    def shifted(x: object) -> object:
        return stats.norm.cdf(x, loc=1.0)

    assert average_run_length(0.5, 5.0, shifted) == pytest.approx(10.4, abs=0.05)


def test_the_chain_agrees_with_playing_it() -> None:
    rng = np.random.default_rng(4)
    played = simulated_run_length(0.5, 3.0, rng.standard_normal, streams=2_000, longest=2_000)
    assert average_run_length(0.5, 3.0) == pytest.approx(played, rel=0.02)


def test_scores_that_were_drawn_give_the_run_of_their_distribution() -> None:
    drawn = np.random.default_rng(5).standard_normal(200_000)
    assert average_run_length(0.5, 4.0, sampled(drawn)) == pytest.approx(average_run_length(0.5, 4.0), rel=0.05)


def test_a_threshold_gives_the_run_it_was_asked_for() -> None:
    for run in (100.0, 10_000.0, 1_000_000.0):
        assert average_run_length(0.5, threshold(0.5, run), normal) == pytest.approx(run, rel=0.01)


def test_more_signals_and_rarer_alarms_raise_the_threshold() -> None:
    assert run_length_wanted(1_000_000, 50, 9) == 180_000
    assert threshold_for(0.5, 1_000_000, 50, 20) > threshold_for(0.5, 1_000_000, 50, 9)
    assert threshold_for(0.5, 10_000_000, 50, 9) > threshold_for(0.5, 1_000_000, 50, 9)


@pytest.mark.parametrize(
    ("shares", "rises"),
    [
        ([1 / 8] * 8, False),
        ([0.6, 0.3, 0.1], False),
        ([0.575, 0.425], False),
        ([0.75, 0.25], True),
        ([1 / 6] * 6, True),
    ],
    ids=["eight bins", "three levels", "two labels", "errors", "absolute errors"],
)
def test_the_real_scores_run_as_long_as_normal_ones_from_a_short_baseline_on(shares: list[float], rises: bool) -> None:
    rng = np.random.default_rng(11)
    alarms, n_blocks, k, h = 0, 0, 0.5, 3.0
    for _stream in range(30):
        base, level = rng.multinomial(500, shares).astype(float), 0.0
        for block in rng.multinomial(50, shares, 300).astype(float):
            level = max(0.0, level + score(block.tolist(), base.tolist(), rises) - k)
            base += block
            n_blocks += 1
            if level > h:
                alarms, level = alarms + 1, 0.0
    assert n_blocks / alarms > 0.7 * average_run_length(k, h)
