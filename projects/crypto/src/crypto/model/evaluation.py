"""What a forecaster is judged by. Pure functions of numpy arrays; the benchmark, the gate and the card share them.

Errors are measured in the comparison currency, intervals as shares of the last close, so that scores of different
times and pairs can be averaged. "Naive" is the last close, forecast again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import wilcoxon

Floats = npt.NDArray[np.float64]
WEEK_MS = 7 * 86_400_000
FEWEST_WINDOWS = 8  # no claim of skill on fewer


@dataclass(frozen=True, eq=False)
class Forecasts:
    """Forecasts and what came, one for each window, oldest first; prices in the comparison currency, (n,).

    ``low`` and ``high`` bound the interval; ``constant_low`` and ``constant_high`` that of constant relative width
    around the same forecast, calibrated on the same windows. ``timestamp`` is that of the newest candle of the
    window, milliseconds since 1970.
    """

    timestamp: npt.NDArray[np.int64]
    last_close: Floats
    prediction: Floats
    low: Floats
    high: Floats
    constant_low: Floats
    constant_high: Floats
    next_close: Floats


def mae(prediction: Floats, truth: Floats) -> float:
    """Return the mean absolute error.

    >>> mae(np.array([1.0, 2.0]), np.array([2.0, 4.0]))
    1.5
    """
    return float(np.abs(prediction - truth).mean())


def naive_ratio(prediction: Floats, naive: Floats, truth: Floats) -> float:
    """Return the error over that of the naive forecast; 1.0 when both are without error, infinity when naive is.

    >>> naive_ratio(np.array([11.0]), np.array([8.0]), np.array([10.0]))
    0.5
    """
    ours, theirs = mae(prediction, truth), mae(naive, truth)
    if theirs == 0:
        return 1.0 if ours == 0 else math.inf
    return ours / theirs


def winkler(low: Floats, high: Floats, truth: Floats, level: float = 0.9) -> Floats:
    """Return the score of each interval: its width, plus ``2 / (1 - level)`` times how far outside the truth lies.

    Lower is better, and the true quantiles score best (R. L. Winkler, "A decision-theoretic approach to interval
    estimation", JASA 1972; T. Gneiting and A. E. Raftery, "Strictly proper scoring rules, prediction, and
    estimation", JASA 2007, section 6.2).

    >>> winkler(np.array([1.0, 1.0]), np.array([3.0, 3.0]), np.array([2.0, 3.5]), 0.9).round(9).tolist()
    [2.0, 12.0]
    """
    outside = np.maximum(low - truth, 0) + np.maximum(truth - high, 0)
    return np.asarray(high - low + 2 / (1 - level) * outside)


def coverage(low: Floats, high: Floats, truth: Floats) -> float:
    """Return the share of truths within their interval, bounds included."""
    return float(((low <= truth) & (truth <= high)).mean())


def metrics(forecasts: Forecasts, level: float = 0.9) -> dict[str, float]:
    """Return mae, naive_mae, naive_ratio, winkler, winkler_constant, winkler_ratio and coverage.

    The two Winkler scores are means over windows, as shares of the last close.
    """
    told, close = forecasts, forecasts.last_close
    ours = winkler(told.low / close, told.high / close, told.next_close / close, level)
    constant = winkler(told.constant_low / close, told.constant_high / close, told.next_close / close, level)
    return {
        "mae": mae(told.prediction, told.next_close),
        "naive_mae": mae(close, told.next_close),
        "naive_ratio": naive_ratio(told.prediction, close, told.next_close),
        "winkler": float(ours.mean()),
        "winkler_constant": float(constant.mean()),
        "winkler_ratio": float(ours.mean() / constant.mean()),
        "coverage": coverage(told.low, told.high, told.next_close),
    }


def growth(forecasts: Forecasts, trained_until: int) -> dict[str, float]:
    """Return naive_ratio_week_1, ..: the error over naive's of the same week, by distance from training.

    ``trained_until``: milliseconds since 1970 of the last candle that training or calibration saw. Naive of the same
    week, because dollars would mix in how wild the week was. A week with less than half of the first one's windows
    is left out.
    """
    week = (forecasts.timestamp - trained_until) // WEEK_MS
    found: dict[str, float] = {}
    for number in np.unique(week):
        chosen = week == number
        if number >= 0 and (number == 0 or chosen.sum() * 2 >= (week == 0).sum()):
            parts = (forecasts.prediction[chosen], forecasts.last_close[chosen], forecasts.next_close[chosen])
            found[f"naive_ratio_week_{int(number) + 1}"] = naive_ratio(*parts)
    return found


def gate(bounds: Mapping[str, float]) -> dict[str, str]:
    """Return the bounds of the parameters' ``gate`` as they are told to boucle.

    >>> gate({"max_loss": 2.5, "max_naive_ratio": 1.005})
    {'loss': '<= 2.5', 'naive_ratio': '<= 1.005'}
    """
    return {"loss": f"<= {bounds['max_loss']:g}", "naive_ratio": f"<= {bounds['max_naive_ratio']:g}"}


@dataclass(frozen=True)
class PairedTest:
    """Wilcoxon's signed-rank test: ``n`` windows, in how many ours was ``better``, and the chance of it by luck.

    ``p_value`` is one-sided, for "ours is lower"; None when there are fewer than 8 windows, or no difference.
    """

    n: int
    better: int
    p_value: float | None

    @property
    def shows_skill(self) -> bool:
        """True when at least 8 windows say so at the 5 % level."""
        return self.p_value is not None and self.p_value < 0.05


def paired_test(ours: Floats, theirs: Floats) -> PairedTest:
    """Return whether ours is lower than theirs over windows, one score each (F. Wilcoxon, "Individual comparisons by
    ranking methods", 1945), by the exact distribution of the rank sum, as scipy has it.

    Windows, not hours: the hours of a window share a model, and neighbouring hours share a market. Windows without
    a difference are left out; equal differences share their rank, and half a rank counts against ours.

    >>> paired_test(np.arange(8.0), np.arange(8.0) + np.arange(1.0, 9.0)).p_value == 1 / 2**8
    True
    """
    difference = np.asarray(ours, np.float64) - np.asarray(theirs, np.float64)
    better = int((difference < 0).sum())
    told = difference[difference != 0]
    if len(difference) < FEWEST_WINDOWS or not len(told):
        return PairedTest(len(difference), better, None)
    return PairedTest(len(difference), better, float(wilcoxon(told, alternative="less", method="exact").pvalue))
