"""Figures by hand, and by counting."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.model.evaluation import WEEK_MS, Forecasts, coverage, growth, metrics, naive_ratio, paired_test, winkler


def forecasts(n: int = 4, *, prediction: float = 101.0, truth: float = 102.0) -> Forecasts:
    ones = np.ones(n)
    return Forecasts(
        timestamp=np.arange(n, dtype=np.int64) * 3_600_000,
        last_close=100 * ones,
        prediction=prediction * ones,
        low=99 * ones,
        high=103 * ones,
        constant_low=96 * ones,
        constant_high=101 * ones,
        next_close=truth * ones,
    )


def test_metrics_by_hand() -> None:
    found = metrics(forecasts(), level=0.9)

    # interval 4 wide holds 102; the constant one is 5 wide and misses by 1, which costs 2 / 0.1
    assert found == pytest.approx(
        {
            "mae": 1.0,
            "naive_mae": 2.0,
            "naive_ratio": 0.5,
            "winkler": 0.04,
            "winkler_constant": 0.25,
            "winkler_ratio": 0.16,
            "coverage": 1.0,
        }
    )


def test_a_bound_counts_as_inside() -> None:
    assert coverage(np.array([1.0, 1.0]), np.array([2.0, 2.0]), np.array([2.0, 2.1])) == 0.5


def test_no_error_beside_none_is_a_ratio_of_one_and_any_error_is_infinitely_worse() -> None:
    flat = np.array([5.0])

    assert naive_ratio(flat, flat, flat) == 1.0
    assert math.isinf(naive_ratio(np.array([6.0]), flat, flat))


@given(st.floats(-3, 3), st.floats(-3, 3))
def test_the_true_quantiles_score_best(low_shift: float, high_shift: float) -> None:
    truth = np.linspace(-10, 10, 4001)  # uniform: the central 90 % lies within -9 and 9
    at = np.ones_like(truth)

    true = winkler(-9 * at, 9 * at, truth, 0.9).mean()

    assert winkler((-9 + low_shift) * at, (9 + high_shift) * at, truth, 0.9).mean() >= true - 1e-9


def test_growth_compares_with_naive_of_the_same_week() -> None:
    told = forecasts(400)
    told.prediction[168:336] = 104.0  # as wrong as naive in the second week

    found = growth(told, trained_until=-1)

    assert found == {"naive_ratio_week_1": 0.5, "naive_ratio_week_2": 1.0}  # 64 hours are too few for a third


def test_weeks_are_counted_from_the_end_of_training() -> None:
    assert list(growth(forecasts(), trained_until=-WEEK_MS)) == ["naive_ratio_week_2"]


def test_fewer_than_eight_windows_make_no_claim() -> None:
    test = paired_test(np.zeros(7), np.ones(7))

    assert (test.p_value, test.shows_skill) == (None, False)


def test_the_paired_test_by_hand() -> None:
    differences = np.array([-1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0])

    # ranks against: 1 of 36; sums of 0 or 1 come from 2 of 256 signs
    assert paired_test(-differences, np.zeros(8)).p_value == pytest.approx(2 / 256)


@pytest.mark.parametrize("n", [8, 11])
def test_the_paired_test_counts_the_signs_that_are_as_good(n: int) -> None:
    """Every one of the 2^n ways to give the differences their signs, by the definition."""
    difference = np.random.default_rng(3).normal(-0.3, size=n)
    ranks = np.abs(difference).argsort().argsort() + 1
    signs = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
    expected = (signs @ ranks <= ranks[difference > 0].sum()).mean()

    assert paired_test(difference, np.zeros(n)).p_value == pytest.approx(expected)


def test_windows_without_a_difference_are_left_out() -> None:
    difference = np.array([-1.0, -2.0, -3.0, -4.0, -5.0, -6.0, -7.0, -8.0])

    test = paired_test(np.append(difference, [0.0, 0.0]), np.zeros(10))

    assert (test.n, test.better) == (10, 8)
    assert test.p_value == pytest.approx(1 / 2**8)


def test_equal_windows_are_no_skill() -> None:
    assert not paired_test(np.ones(10), np.ones(10)).shows_skill
