"""The interval: calibrated where the network did not learn, by the width that scores best there."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from crypto.model.data import fit_inputs
from crypto.model.intervals import Calibration, best_width, conformal_quantile, fit_widths
from crypto.model.moves import tensors
from windows import TINY, TINY_LEVEL, parts

RNG = np.random.default_rng(5)


@given(st.integers(9, 400), st.sampled_from([0.5, 0.8, 0.9]))
def test_the_quantile_holds_its_share_and_not_one_score_more(n: int, level: float) -> None:
    scores = np.random.default_rng(n).permutation(np.arange(1.0, n + 1))

    quantile = conformal_quantile(scores, level)

    assert (scores <= quantile).sum() >= (n + 1) * level - 1e-9
    assert (scores < quantile).sum() < (n + 1) * level


def test_too_few_windows_are_refused_with_the_number_needed() -> None:
    with pytest.raises(ValueError, match=r"An interval of 90% needs 9 windows to be calibrated on, not 8\."):
        conformal_quantile(np.arange(8.0), 0.9)


def test_coverage_is_exact_on_average_when_hours_are_exchangeable() -> None:
    held = []
    for _ in range(400):
        errors = RNG.laplace(size=60)
        quantile = Calibration(np.zeros(59), errors[:59]).quantile(np.ones(59), 0.9)
        held.append(abs(errors[59]) <= quantile)

    assert np.mean(held) == pytest.approx(0.9, abs=0.05)


def test_the_width_that_follows_the_errors_wins() -> None:
    scale = np.tile([1.0, 1.0, 4.0], 500)
    calibration = Calibration(np.zeros(1500), RNG.laplace(size=1500) * scale)

    name, scores = best_width(calibration, {"constant": np.ones(1500), "lstm": scale})

    assert name == "lstm"
    assert scores["lstm"] < 0.9 * scores["constant"]


def test_a_width_that_follows_nothing_loses_to_the_constant_one() -> None:
    calibration = Calibration(np.zeros(1500), RNG.laplace(size=1500))

    name, _scores = best_width(calibration, {"constant": np.ones(1500), "lstm": RNG.uniform(0.2, 3, 1500)})

    assert name == "constant"


def test_the_unit_of_a_width_is_nothing_to_its_score() -> None:
    calibration, width = Calibration(np.zeros(300), RNG.laplace(size=300)), RNG.uniform(1, 2, 300)

    assert calibration.score(width) == pytest.approx(calibration.score(width * 1000))


def test_the_level_has_no_width_of_its_own() -> None:
    told = parts()

    names = [[width.name for width in fit_widths(told.train, fit_inputs(told, one))] for one in (TINY, TINY_LEVEL)]

    assert names == [["constant", "ewma_hour", "lstm"], ["constant", "ewma_hour"]]


def test_widths_are_wider_in_wild_hours() -> None:
    told = parts()
    inputs = fit_inputs(told, TINY)
    ewma = fit_widths(told.train, inputs)[1]
    timestamp, ohlc, _next = tensors(told.test)
    wild = ohlc.clone()
    wild[:, -12::2] *= 1.05

    outputs = torch.zeros((len(ohlc), 2))

    assert (ewma(timestamp, wild, outputs) > 2 * ewma(timestamp, ohlc, outputs)).all()
