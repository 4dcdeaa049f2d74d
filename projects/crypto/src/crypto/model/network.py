"""The network: an LSTM over the rows of a window, and a linear head on its last state."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

_MOST_LOG = 8.0  # of a scale's logarithm, either way


class LSTMRegressor(nn.Module):
    """Read ``(n, rows, number_of_features)`` and answer ``(n, n_outputs)`` in the units of the scaled target.

    One output is the value. Two are the value and the log of the scale of its error. ``starts_at_zero`` sets the
    head to zero: before the first step the answer is "no change" with a scale of one, so that a return model starts
    as the naive forecast and only moves away from it for a reason. ``most`` bounds the value: of a change that is
    bounded to ``d`` scales and worth nothing, Laplace errors grow by ``d + exp(-d) - 1``, 2 % for 0.2 and less for
    the smaller changes that are usual.
    """

    def __init__(
        self,
        number_of_features: int,
        hidden_size: int,
        number_of_layers: int = 1,
        dropout_rate: float = 0.0,
        *,
        n_outputs: int = 1,
        starts_at_zero: bool = False,
        most: float | None = None,
    ) -> None:
        super().__init__()
        dropout = dropout_rate if number_of_layers > 1 else 0.0
        self.lstm = nn.LSTM(number_of_features, hidden_size, number_of_layers, dropout=dropout, batch_first=True)
        self.head = nn.Linear(hidden_size, n_outputs)
        self.most = most
        if starts_at_zero:
            nn.init.zeros_(self.head.weight)
            nn.init.zeros_(self.head.bias)

    def forward(self, rows: Tensor) -> Tensor:
        """Return one answer for each window, float32."""
        states, _ = self.lstm(rows)
        answer: Tensor = self.head(states[:, -1])
        if self.most is None:
            return answer
        value = self.most * torch.tanh(answer[:, :1] / self.most)
        return torch.cat([value, answer[:, 1:].clamp(-_MOST_LOG, _MOST_LOG)], dim=1)

    def forecast_no_change(self) -> None:
        """Set the value to zero for good; the scale stays as it was learned."""
        with torch.no_grad():
            self.head.weight[0] = 0.0
            self.head.bias[0] = 0.0


def laplace_nll(outputs: Tensor, target: Tensor) -> Tensor:
    """Return the mean negative log likelihood of a Laplace distribution.

    ``log(2 b) + |y - m| / b``, with ``outputs`` = (m, log b), shape (n, 2), and ``target`` = y, shape (n,). The best
    constant b is the mean absolute error, which is why the scale it learns suits an interval of absolute width.
    """
    center, log_scale = outputs[:, 0], outputs[:, 1]
    return (math.log(2) + log_scale + (target - center).abs() * torch.exp(-log_scale)).mean()
