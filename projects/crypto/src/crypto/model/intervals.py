"""The interval around a forecast: how wide it is relative to other hours (a width), and how wide in all (conformal).

A width is a positive number for each window, in any unit; the interval is ``forecast ± quantile * width * last
close``. The quantile is that of split conformal prediction: the errors of windows that the network did not learn
from, each divided by its width, are put in order, and the one that 90 % of them do not exceed is taken (H.
Papadopoulos, K. Proedrou, V. Vovk, A. Gammerman, "Inductive confidence machines for regression", ECML 2002; J. Lei,
M. G'Sell, A. Rinaldo, R. Tibshirani, L. Wasserman, "Distribution-free predictive inference for regression", JASA
2018, whose locally weighted form divides by a width). Coverage is exact when hours are exchangeable. They are not:
quiet and wild months follow each other, and a width that follows them keeps coverage near what was asked.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from crypto.features import Floats, Windows
from crypto.model.evaluation import winkler
from crypto.model.inputs import Inputs, ReturnInputs
from crypto.model.moves import ExpectedMove, fit_expected_move

LEVEL = 0.9  # share of the next closes that the interval should hold
EWMA_HOURS = 12.0


class ConstantWidth(nn.Module):
    """The same share of the price at all hours: what the others are compared with."""

    name = "constant"

    def forward(self, timestamp: Tensor, ohlc: Tensor, outputs: Tensor) -> Tensor:  # noqa: ARG002 - one call for all
        """Return ones, float64 (n,)."""
        return torch.ones_like(ohlc[:, 0, 0])


class EwmaHourWidth(nn.Module):
    """The expected move: the mean absolute return of the last half day or so, times the factor of the coming hour."""

    name = "ewma_hour"

    def __init__(self, expected: ExpectedMove) -> None:
        super().__init__()
        self.expected = expected

    def forward(self, timestamp: Tensor, ohlc: Tensor, outputs: Tensor) -> Tensor:  # noqa: ARG002
        """Return the expected absolute return of the coming hour, float64 (n,)."""
        move: Tensor = self.expected(timestamp, ohlc)
        return move


class LstmWidth(nn.Module):
    """The scale that the network learned beside the forecast: so many expected moves."""

    name = "lstm"

    def __init__(self, expected: ExpectedMove) -> None:
        super().__init__()
        self.expected = expected

    def forward(self, timestamp: Tensor, ohlc: Tensor, outputs: Tensor) -> Tensor:
        """Return the scale of the Laplace distribution as a share of the price, float64 (n,)."""
        move: Tensor = self.expected(timestamp, ohlc)
        return move * torch.exp(outputs[:, 1].to(torch.float64))


Width = ConstantWidth | EwmaHourWidth | LstmWidth


def fit_widths(train: Windows, inputs: Inputs) -> tuple[Width, ...]:
    """Return the widths that this target may have; the level's network has no scale of its own."""
    widths = (ConstantWidth(), EwmaHourWidth(fit_expected_move(train, EWMA_HOURS)))
    return (*widths, LstmWidth(inputs.expected)) if isinstance(inputs, ReturnInputs) else widths


def conformal_quantile(scores: Floats, level: float = LEVEL) -> float:
    """Return the ``ceil((n + 1) * level)``-th smallest score: the next one is at most that with chance ``level``.

    Raises ValueError when there are too few scores for the level: 9 at least for 90 %.

    >>> conformal_quantile(np.arange(1.0, 20.0), 0.9)
    18.0
    """
    rank = math.ceil((len(scores) + 1) * level - 1e-9)
    if rank > len(scores):
        needed = math.ceil(level / (1 - level) - 1e-9)
        raise ValueError(
            f"An interval of {level:.0%} needs {needed} windows to be calibrated on, not {len(scores)}. "
            "Give more candles or a larger val_share."
        )
    return float(np.partition(scores, rank - 1)[rank - 1])


@dataclass(frozen=True, eq=False)
class Calibration:
    """What widths are judged by: the validation windows' forecasts and outcomes, as shares of the last close.

    ``center`` and ``outcome`` are the forecast and the true change relative to the last close, (n,), oldest first.
    """

    center: Floats
    outcome: Floats

    def quantile(self, width: Floats, level: float = LEVEL) -> float:
        """Return the factor of a width (n,) at which the interval holds ``level`` of the outcomes."""
        return conformal_quantile(np.abs(self.outcome - self.center) / width, level)

    def score(self, width: Floats, level: float = LEVEL) -> float:
        """Return the Winkler score of a width by cross-fitting: each half of the windows, calibrated on the other.

        The halves are the older and the newer, so that the width must carry from one time to another.
        """
        half = len(width) // 2
        older, newer = slice(half), slice(half, None)
        scores = [self._scored(width, fitted, scored, level) for fitted, scored in ((older, newer), (newer, older))]
        return float(np.concatenate(scores).mean())

    def _scored(self, width: Floats, fitted: slice, scored: slice, level: float) -> Floats:
        quantile = Calibration(self.center[fitted], self.outcome[fitted]).quantile(width[fitted], level)
        reach = quantile * width[scored]
        center = self.center[scored]
        return winkler(center - reach, center + reach, self.outcome[scored], level)


def best_width(
    calibration: Calibration, widths: dict[str, Floats], level: float = LEVEL
) -> tuple[str, dict[str, float]]:
    """Return the name of the width with the lowest cross-fitted Winkler score, and every width's score.

    The network was stopped early on the same windows, which favours its own width a little; the test part, which
    nothing here sees, tells what it is worth.
    """
    scores = {name: calibration.score(width, level) for name, width in widths.items()}
    return min(scores, key=lambda name: scores[name]), scores
