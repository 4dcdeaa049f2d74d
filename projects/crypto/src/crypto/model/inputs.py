"""What a network sees of raw candles, and how its answer becomes a price again: torch, inside the exported graph.

Training reads windows through these same modules, so that training and serving cannot differ. A module is fitted on
the training part only; its constants are buffers and travel with the graph. Windows are ``timestamp`` int64
(n, sequence_length) in milliseconds and ``ohlc`` float64 (n, sequence_length, 4): open, high, low, close. With
volumes (``preprocessing.with_volume``) ``ohlc`` has six columns, volume and tb_base_av after the prices.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from crypto.features import FEATURES, OHLC, VOLUME_FEATURES, Windows
from crypto.model import calendar
from crypto.model.moves import CLOSE, HIGH, LOW, ExpectedMove, fit_expected_move, last_close, returns, tensors

RETURN_FEATURES = (
    "return",
    "absolute_return",
    "range",
    "log_range",
    "hour_sin",
    "hour_cos",
    "is_weekend",
)
RETURN_VOLUME_FEATURES = ("log_volume", "taker_share")
VOLUME, TAKEN = (len(OHLC) + VOLUME_FEATURES.index(name) for name in ("volume", "tb_base_av"))
_LEAST_RANGE = 0.05  # moves
_LEAST_VOLUME = 0.01  # of the mean volume of the window
_FARTHEST = 20.0  # standard deviations: a jump beyond any seen is told to the network as this much


class LevelInputs(nn.Module):
    """The original chain: nine features scaled to [-1, 1]; the target is the next close on the scale of ``close``.

    ``minima`` and ``maxima`` (9,) are those of the training part, in the order of `crypto.features.FEATURES`; (11,)
    with volumes, whose `VOLUME_FEATURES` come after them. Later values leave [-1, 1], and that is what breaks the
    original: a network fitted inside it saturates outside.
    """

    minima: Tensor
    maxima: Tensor

    def __init__(self, minima: Any, maxima: Any, rows: int) -> None:
        super().__init__()
        self.rows = rows
        self.close = FEATURES.index("close")
        self.register_buffer("minima", torch.as_tensor(minima, dtype=torch.float64))
        self.register_buffer("maxima", torch.as_tensor(maxima, dtype=torch.float64))

    @property
    def number_of_features(self) -> int:
        """How many features a row has, with volumes or without."""
        return len(self.minima)

    @property
    def with_volume(self) -> bool:
        """True when windows carry volumes."""
        return self.number_of_features > len(FEATURES)

    def forward(self, timestamp: Tensor, ohlc: Tensor) -> Tensor:
        """Return the scaled features of the newest ``rows`` rows, float32 (n, rows, number_of_features)."""
        return self._scaled(self.features(timestamp, ohlc))[:, -self.rows :].to(torch.float32)

    @staticmethod
    def features(timestamp: Tensor, ohlc: Tensor) -> Tensor:
        """Return the features in raw units, float64 (n, sequence_length, 9), with volumes (n, sequence_length, 11); the
        first ``close_change`` is 0."""
        _year, month, day_of_month = calendar.civil(calendar.days_since_1970(timestamp))
        dates = (calendar.day_of_week(timestamp), day_of_month, calendar.week_of_year(timestamp), month)
        close = ohlc[..., CLOSE : CLOSE + 1]
        change = torch.cat([torch.zeros_like(close[:, :1]), close[:, 1:] - close[:, :-1]], dim=1)
        prices, volumes = ohlc[..., : len(OHLC)], [ohlc[..., len(OHLC) :]] if ohlc.shape[-1] > len(OHLC) else []
        return torch.cat([torch.stack(dates, dim=-1).to(torch.float64), prices, change, *volumes], dim=-1)

    def target(self, timestamp: Tensor, ohlc: Tensor, next_close: Tensor) -> Tensor:  # noqa: ARG002 - one call for both
        """Return the next close on the scale of ``close``, float32 (n,)."""
        minimum = self.minima[self.close]
        scaled: Tensor = 2 * (next_close - minimum) / self._span()[self.close] - 1
        return scaled.to(torch.float32)

    def price(self, timestamp: Tensor, ohlc: Tensor, outputs: Tensor) -> Tensor:  # noqa: ARG002
        """Return the forecast close, float64 (n,): the inverse by the minimum and maximum of ``close`` alone."""
        scaled = outputs[:, 0].to(torch.float64)
        return (scaled + 1) / 2 * self._span()[self.close] + self.minima[self.close]

    def _scaled(self, features: Tensor) -> Tensor:
        return 2 * (features - self.minima) / self._span() - 1

    def _span(self) -> Tensor:
        span = self.maxima - self.minima
        return torch.where(span > 0, span, torch.ones_like(span))


class ReturnInputs(nn.Module):
    """The default: seven features without a price level; the target is the next relative change of the close.

    Everything is measured in moves: ``expected`` tells how much the price may be expected to move, from the window
    alone, so that quiet and wild months, cheap and dear coins look alike. ``return`` is the log of close over the
    close before and ``range`` the log of high over low, in moves; ``log_range`` has a small floor, as a candle that
    did not move has no log. Features are then standardised with the training part's means and deviations.

    With volumes two more: ``log_volume``, the log of the volume over its mean in the window, with a small floor, as
    an hour in which nobody traded has no log; ``taker_share``, the share of the volume that takers bought, 0.5 where
    nobody traded.
    """

    means: Tensor
    deviations: Tensor

    def __init__(
        self, expected: ExpectedMove, means: Any, deviations: Any, rows: int, *, with_volume: bool = False
    ) -> None:
        super().__init__()
        self.rows = rows
        self.expected = expected
        self.with_volume = with_volume
        self.register_buffer("means", torch.as_tensor(means, dtype=torch.float64))
        self.register_buffer("deviations", torch.as_tensor(deviations, dtype=torch.float64))

    @property
    def number_of_features(self) -> int:
        """How many features a row has, with volumes or without."""
        return len(RETURN_FEATURES) + (len(RETURN_VOLUME_FEATURES) if self.with_volume else 0)

    def forward(self, timestamp: Tensor, ohlc: Tensor) -> Tensor:
        """Return the standardised features of the newest ``rows`` rows, float32 (n, rows, number_of_features)."""
        scaled = (self.features(timestamp, ohlc) - self.means) / self.deviations
        return scaled.clamp(-_FARTHEST, _FARTHEST).to(torch.float32)

    def features(self, timestamp: Tensor, ohlc: Tensor) -> Tensor:
        """Return the features before they are standardised, float64 (n, rows, 7), with volumes (n, rows, 9)."""
        move = self.expected(timestamp, ohlc)[:, None]
        change = returns(ohlc)[:, -self.rows :] / move
        span = (torch.log(ohlc[:, -self.rows :, HIGH]) - torch.log(ohlc[:, -self.rows :, LOW])) / move
        recent = timestamp[:, -self.rows :]
        angle = calendar.hour_of_day(recent).to(torch.float64) * (2 * math.pi / 24)
        is_weekend = (calendar.day_of_week(recent) >= 5).to(torch.float64)
        logs = torch.log(span + _LEAST_RANGE)
        told = [change, change.abs(), span, logs, torch.sin(angle), torch.cos(angle), is_weekend]
        return torch.stack([*told, *(self._volumes(ohlc) if self.with_volume else ())], dim=-1)

    def target(self, timestamp: Tensor, ohlc: Tensor, next_close: Tensor) -> Tensor:
        """Return the next relative change of the close in moves, float32 (n,)."""
        moves: Tensor = (next_close / last_close(ohlc) - 1) / self.expected(timestamp, ohlc)
        return moves.to(torch.float32)

    def price(self, timestamp: Tensor, ohlc: Tensor, outputs: Tensor) -> Tensor:
        """Return the forecast close, float64 (n,): the last close and the change that the network adds."""
        change: Tensor = outputs[:, 0].to(torch.float64) * self.expected(timestamp, ohlc)
        return last_close(ohlc) * (1 + change)

    def _volumes(self, ohlc: Tensor) -> tuple[Tensor, Tensor]:
        mean = ohlc[..., VOLUME].mean(dim=1, keepdim=True)
        volume, taken = ohlc[:, -self.rows :, VOLUME], ohlc[:, -self.rows :, TAKEN]
        relative = volume / torch.where(mean > 0, mean, torch.ones_like(mean))
        share = torch.where(volume > 0, taken / torch.where(volume > 0, volume, torch.ones_like(volume)), 0.5)
        return torch.log(relative + _LEAST_VOLUME), share.clamp(0.0, 1.0)


def fit_return_inputs(train: Windows, rows: int, span: float) -> ReturnInputs:
    """Return the inputs with the scale of these windows, which should be the training part."""
    timestamp, ohlc, _next = tensors(train)
    inputs = ReturnInputs(fit_expected_move(train, span), 0.0, 1.0, rows, with_volume=ohlc.shape[-1] > len(OHLC))
    features = inputs.features(timestamp, ohlc)
    deviations = features.std(dim=(0, 1))
    inputs.means = features.mean(dim=(0, 1))
    inputs.deviations = torch.where(deviations > 0, deviations, torch.ones_like(deviations))
    return inputs


Inputs = LevelInputs | ReturnInputs
