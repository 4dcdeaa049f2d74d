"""Thresholds of CUSUMs from the wanted number of rows between two false alarms, by computing average run lengths.

The run length of a CUSUM is the number of blocks until it raises an alarm. Its mean while nothing changes follows
from the distribution of the scores by a Markov chain over the levels of the sum, so no threshold is set by hand:
Brook & Evans, An approach to the probability distribution of CUSUM run length, Biometrika 59 (1972).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.special import ndtr

Distribution = Callable[[Any], Any]
"""The cumulative distribution of scores: an array of numbers to their probabilities."""

STATES = 160
HIGHEST = 60.0


def normal(x: Any) -> Any:
    """Return the distribution of scores that are exactly normal."""
    return ndtr(x)


def sampled(scores: Any) -> Distribution:
    """Return the distribution of scores that were drawn (a 1-d array): each of them is as likely."""
    ordered = np.sort(np.asarray(scores, dtype=float))
    return lambda x: np.searchsorted(ordered, x, side="right") / ordered.size


def average_run_length(k: float, h: float, distribution: Distribution = normal) -> float:
    """Return the mean number of scores until a one-sided CUSUM that starts at zero exceeds ``h``.

    Levels are cut into 160 states, the lowest of them half as wide. Within 1 % of the published values:

    >>> round(average_run_length(0.5, 4.0)), round(average_run_length(0.5, 5.0))
    (335, 931)
    """
    width = 2.0 * h / (2 * STATES - 1)
    steps = np.arange(-(STATES - 1), STATES) * width
    below = distribution(steps + width / 2 + k)
    inside = below - distribution(steps - width / 2 + k)
    state = np.arange(STATES)
    moves = inside[state[None, :] - state[:, None] + STATES - 1]
    moves[:, 0] = below[STATES - 1 - state]
    runs = np.linalg.solve(np.eye(STATES) - moves, np.ones(STATES))
    return float(runs[0]) if runs[0] > 0 else float("inf")


def simulated_run_length(k: float, h: float, scores: Callable[[int], Any], streams: int, longest: int) -> float:
    """Return the average run length by playing it: what the computed one is checked against.

    ``scores(n)`` draws the next score of each of ``n`` streams. A stream that raises an alarm begins again, so that
    scores over alarms estimate the mean run without cutting long ones short. inf when there was no alarm.
    """
    level = np.zeros(streams)
    alarms = 0
    for _block in range(longest):
        level = np.maximum(0.0, level + scores(streams) - k)
        raised = level > h
        alarms += int(raised.sum())
        level[raised] = 0.0
    return streams * longest / alarms if alarms else float("inf")


def run_length_wanted(false_alarm_rows: int, block_rows: int, n_signals: int) -> float:
    """Return how many blocks one signal must run so that all together keep the wanted rows between false alarms.

    Rates of false alarms add up over signals, whatever their correlation. Blocks may hold more rows than
    ``block_rows`` (a busy minute); false alarms are then rarer still.

    >>> run_length_wanted(1_000_000, 50, 9)
    180000.0
    """
    return false_alarm_rows * max(n_signals, 1) / block_rows


def threshold(k: float, run_length: float, distribution: Distribution = normal) -> float:
    """Return the ``h`` at which the average run length is the wanted one (at least 0, at most 60).

    >>> round(threshold(0.5, 930.0), 2)
    5.0
    """
    low, high = 0.0, HIGHEST
    while high - low > 1e-3:
        middle = (low + high) / 2
        low, high = (middle, high) if average_run_length(k, middle, distribution) < run_length else (low, middle)
    return high


@lru_cache(maxsize=256)
def threshold_for(k: float, false_alarm_rows: int, block_rows: int, n_signals: int) -> float:
    """Return the ``h`` of each of ``n_signals`` CUSUMs over normal scores."""
    return threshold(k, run_length_wanted(false_alarm_rows, block_rows, n_signals))
