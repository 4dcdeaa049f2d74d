"""How much the price may be expected to move in the coming hour: the yardstick of inputs, targets and intervals."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from crypto.features import Floats, Windows
from crypto.model import calendar

OPEN, HIGH, LOW, CLOSE = range(4)
_FEW = 20  # candles: an hour of the day seen less often keeps the factor 1
_LEAST_FACTOR = 0.1
_FLOOR = 0.05  # of the mean move of the training part: the least that is expected


def last_close(ohlc: Tensor) -> Tensor:
    """Return the close of the newest row of each window, (n,): the naive forecast."""
    return ohlc[:, -1, CLOSE]


def returns(ohlc: Tensor) -> Tensor:
    """Return the log of each close over the close before, (n, sequence_length); the first is 0."""
    logs = torch.log(ohlc[..., CLOSE])
    return torch.cat([torch.zeros_like(logs[:, :1]), logs[:, 1:] - logs[:, :-1]], dim=1)


def tensors(windows: Windows) -> tuple[Tensor, Tensor, Tensor]:
    """Return timestamps, ohlc and next close as tensors."""
    return (
        torch.from_numpy(windows.timestamps),
        torch.from_numpy(windows.ohlc),
        torch.from_numpy(windows.next_close),
    )


class ExpectedMove(nn.Module):
    """The recent mean absolute return times the factor of the coming hour of the day.

    Returns are divided by their own hour's factor, averaged with weights that fall by ``1 - 2 / (span + 1)`` a row
    (J.P. Morgan, "RiskMetrics technical document", 1996, with absolute values instead of squares), and multiplied by
    the factor of the hour that begins ``step_ms`` after the newest. ``factors`` (24,) are relative: 1 is the average
    hour. ``floor`` is the least that the average may be, a share of the price. ``n_returns`` is one less than the rows
    of a window.
    """

    factors: Tensor
    floor: Tensor
    weights: Tensor

    def __init__(self, factors: Floats, floor: float, step_ms: int, span: float, n_returns: int) -> None:
        super().__init__()
        self.step_ms = step_ms
        weights = (1 - 2 / (span + 1)) ** np.arange(n_returns - 1, -1, -1, dtype=np.float64)
        self.register_buffer("weights", torch.from_numpy(weights / weights.sum()))
        self.register_buffer("factors", torch.as_tensor(factors, dtype=torch.float64))
        self.register_buffer("floor", torch.tensor(floor, dtype=torch.float64))

    def forward(self, timestamp: Tensor, ohlc: Tensor) -> Tensor:
        """Return the expected absolute return of the coming hour, a share of the price, float64 (n,)."""
        change = returns(ohlc)[:, 1:].abs()
        usual = self.factors[calendar.hour_of_day(timestamp[:, 1:])]
        recent = (change / usual * self.weights).sum(dim=1)
        coming = self.factors[calendar.hour_of_day(timestamp[:, -1] + self.step_ms)]
        return torch.maximum(recent, self.floor) * coming


def fit_expected_move(train: Windows, span: float) -> ExpectedMove:
    """Return the expected move with the hours of these windows, which should be the training part."""
    timestamp, ohlc, _next = tensors(train)
    change = returns(ohlc[:, -2:])[:, -1].abs().numpy()  # each row once
    hours = calendar.hour_of_day(timestamp[:, -1]).numpy()
    mean = float(change.mean()) or 1.0
    factors = np.ones(24)
    for hour in range(24):
        here = change[hours == hour]
        if len(here) >= _FEW:
            factors[hour] = max(float(here.mean()) / mean, _LEAST_FACTOR)
    step_ms = int(np.median(np.diff(train.timestamps[:, -2:], axis=1)))
    return ExpectedMove(factors, _FLOOR * mean, step_ms, span, ohlc.shape[1] - 1)
