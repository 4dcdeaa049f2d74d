"""Windows for the tests of the model: a random walk with quiet and wild days, or the real candles."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import torch

from crypto.candles import as_candles
from crypto.model.data import Parts, split_windows
from crypto.model.parameters import ModelParameters
from series import HOUR_MS, hourly

torch.set_num_threads(1)  # as training does
TINY = ModelParameters("return", max_epochs=1, hidden_size=4, train_batch_size=128, rows=12)
TINY_LEVEL = dataclasses.replace(TINY, target="level", number_of_features=9, number_of_layers=2, rows=120)


def walk(n: int = 1300, seed: int = 0) -> pd.DataFrame:
    """Return hourly candles of a random walk near 40,000 whose steps are three times larger every third day."""
    rng = np.random.default_rng(seed)
    wild = np.where(np.arange(n) // 24 % 3 == 0, 3.0, 1.0)
    close = 40_000 * np.exp(np.cumsum(rng.laplace(size=n) * 0.002 * wild))
    candles = hourly(close.tolist())
    candles["high"] = candles[["open", "close"]].max(axis=1) * (1 + 0.002 * wild * rng.random(n))
    candles["low"] = candles[["open", "close"]].min(axis=1) * (1 - 0.002 * wild * rng.random(n))
    return as_candles(candles)


def traded(n: int = 1300, seed: int = 0) -> pd.DataFrame:
    """Return the walk with volumes: larger on wild days, a share of them bought by takers, none in some hours."""
    rng = np.random.default_rng(seed + 1)
    candles = walk(n, seed)
    wild = np.where(np.arange(n) // 24 % 3 == 0, 3.0, 1.0)
    candles["volume"] = rng.lognormal(size=n) * wild * (np.arange(n) % 50 != 7)
    candles["tb_base_av"] = candles["volume"] * rng.random(n)
    return candles


def parts(n: int = 1300, **options: Any) -> Parts:
    """Return the walk's windows: to train, to validate, to test."""
    return split_windows(walk(n), **options)


def hours(start: str, n: int = 120) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the beginnings of ``n`` hours from this time on, milliseconds since 1970."""
    return int(np.datetime64(start, "ms").astype(np.int64)) + HOUR_MS * np.arange(n, dtype=np.int64)
