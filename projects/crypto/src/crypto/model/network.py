"""The network: an LSTM over the rows of a window, and a linear head on its last state."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from crypto.model.parameters import RETURN, ModelParameters

_MOST_LOG = 8.0  # of a scale's logarithm, either way


class LSTMRegressor(nn.Module):
    """Read ``(n, rows, number_of_features)`` and answer in the units of the scaled target.

    For the level ``(n, 1)``, the value. For the return ``(n, 2)``, the value and the log of the scale of its error,
    from a head set to zero: before the first step the answer is "no change" with a scale of one, so that the network
    starts as the naive forecast and only moves away from it for a reason. ``most_change`` bounds the value: what
    can be learned of the direction comes and goes, and a change of ``d`` scales that is worth nothing makes Laplace
    errors grow by ``d + exp(-d) - 1`` (0.1 % for 0.05, 2 % for 0.2), one of the wrong sign by more.
    """

    def __init__(self, parameters: ModelParameters) -> None:
        super().__init__()
        told, is_return = parameters, parameters.target == RETURN
        dropout = told.dropout_rate if told.number_of_layers > 1 else 0.0
        shape = told.number_of_features, told.hidden_size, told.number_of_layers
        self.lstm = nn.LSTM(*shape, dropout=dropout, batch_first=True)
        self.head = nn.Linear(told.hidden_size, 2 if is_return else 1)
        self.most = told.most_change if is_return else None
        if is_return:
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
