"""Rows and targets to fit models on, and how far the graph of a fitted model is from it."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from faithful import Found, compared


def rows(n_rows: int, seed: int) -> Any:
    """Return random rows of five columns, one of them large and off centre."""
    drawn = np.random.default_rng(seed).normal(size=(n_rows, 5))
    return drawn * [1.0, 3.0, 1.0, 0.5, 2.0] + [0.0, 10.0, 0.0, -1.0, 0.0]


ROWS = rows(300, 0)
UNSEEN = np.vstack([rows(300, 1), rows(20, 2) * 1e3])
NUMBER = ROWS[:, 0] + ROWS[:, 1] / 6 + np.sin(2 * ROWS[:, 2]) + np.random.default_rng(3).normal(size=300) / 3
TWO = np.digitize(NUMBER, [np.median(NUMBER)])
THREE = np.digitize(NUMBER, np.quantile(NUMBER, [0.3, 0.6]))
FIVE = np.array(list("abcde"))[np.digitize(NUMBER, np.quantile(NUMBER, [0.2, 0.4, 0.6, 0.8]))]
COUNTS = np.clip(np.round(np.abs(ROWS)), 0, 5)
CLASSES = {"two": TWO, "three": THREE, "five": FIVE}


def fit(model: Any, *data: Any) -> Any:
    """Return the fitted model, whatever it warns of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(*data)


def gaps(model: Any, target: Any = None, example: Any = ROWS, unseen: Any = UNSEEN, *, dtype: str = "float64") -> Found:
    """Return how far the graph of a model, fitted on the example, is from it on these and on unseen rows."""
    data = (example.astype(dtype),) if target is None else (example.astype(dtype), target)
    return compared(fit(model, *data), example.astype(dtype), unseen.astype(dtype))
