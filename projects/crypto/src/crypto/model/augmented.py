"""The one graph that leaves the project: raw candles in, the next close with its interval out.

Calendar, features, scaling, the network, the inverse of the scaling and the interval are all inside, so that no
service has to repeat them. The network works in float32: ONNX Runtime has no LSTM in float64. Everything around it
is float64, and the last close goes past the network unrounded.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from crypto.features import window_columns
from crypto.model.inputs import Inputs
from crypto.model.intervals import Width
from crypto.model.moves import last_close
from crypto.model.network import LSTMRegressor

INPUT_NAMES = ("timestamp", "ohlc")
OUTPUT_NAMES = ("prediction", "intervals")


class AugmentedModel(nn.Module):
    """``timestamp`` int64 (batch, 120) in milliseconds and ``ohlc`` float64 (batch, 120, 4), open, high, low, close.

    With volumes ``ohlc`` is (batch, 120, 6), volume and tb_base_av after the prices; `columns` names them. Returns
    ``prediction`` float64 (batch,), the next close, and ``intervals`` float64 (batch, 2), its bounds, in the
    comparison currency. A bound is never below zero.
    """

    quantile: Tensor

    def __init__(self, inputs: Inputs, network: LSTMRegressor, width: Width, quantile: float) -> None:
        super().__init__()
        self.inputs = inputs
        self.network = network
        self.width = width
        self.register_buffer("quantile", torch.tensor(quantile, dtype=torch.float64))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a candle that ``ohlc`` holds, in their order."""
        return window_columns(with_volume=self.inputs.with_volume)

    def forward(self, timestamp: Tensor, ohlc: Tensor) -> tuple[Tensor, Tensor]:
        """Return the forecasts and their intervals."""
        outputs = self.network(self.inputs(timestamp, ohlc))
        prediction = self.inputs.price(timestamp, ohlc, outputs)
        reach = self.quantile * self.width(timestamp, ohlc, outputs) * last_close(ohlc)
        low = torch.clamp(prediction - reach, min=0.0)
        return prediction, torch.stack([low, prediction + reach], dim=1)
