"""Since when? Where in a row of steps a part began to be different."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from scipy import special

from boucle.core.grid import PartKind
from boucle.core.series import Series

MOST_GROUPS = 16
LEAST_SIDE_ROWS = 20
FALSE_CHANGES = 0.001


def since(series: Series, part: str) -> int | None:
    """Return the begin of the step with which a part began to differ (UTC microseconds), None when it did not.

    See ``change_point``; the counts are those of at most 16 groups of neighbouring bins and of missing cells. The
    groups hold equal shares of all steps together, which knows nothing of where a change might be.
    """
    return since_each(series, (part,)).get(part)


def since_each(series: Series, parts: Iterable[str]) -> dict[str, int]:
    """Return the same of several parts, those that did not change left out; the steps are read once for all."""
    places = {part: series.grid.index(part) for part in parts}
    times = series.times
    if len(times) < 2 or not places:
        return {}
    bins = {part: slice(*series.grid.offsets[place : place + 2]) for part, place in places.items()}
    steps: dict[str, list[Any]] = {part: [] for part in places}
    for _time, profile in series.steps:
        for part, place in places.items():
            steps[part].append(np.append(profile.counts[bins[part]], profile.missing[place]))
    found = {}
    for part, place in places.items():
        at = change_point(_grouped(np.array(steps[part], float), series.grid.parts[place].kind))
        if at is not None:
            found[part] = times[at]
    return found


def change_point(counts: Any) -> int | None:
    """Return the first step after the most likely change, None when chance explains it.

    ``counts`` is (n_steps, n_groups). Each way to cut the steps in two is scored by the likelihood ratio that both
    sides have the same shares, ``G = 2 sum n log(share / share of all)``; the best cut is believed when even after
    Bonferroni over the cuts its chance is under one in a thousand (Csörgő and Horváth 1997, section 1.2; careful, for
    neighbouring cuts are alike). Cuts with under 20 rows on a side are not looked at.

    >>> change_point(np.array([[50, 50]] * 5 + [[90, 10]] * 5))
    5
    >>> change_point(np.array([[50, 50]] * 10)) is None
    True
    """
    counts = np.asarray(counts, float)
    counts = counts[:, counts.sum(axis=0) > 0]
    if counts.shape[1] < 2 or len(counts) < 2:
        return None
    left = np.cumsum(counts, axis=0)[:-1]
    total = counts.sum(axis=0)
    right = total - left
    scores = 2 * (_likelihood(left) + _likelihood(right) - _likelihood(total[None, :]))
    allowed = np.minimum(left.sum(axis=1), right.sum(axis=1)) >= LEAST_SIDE_ROWS
    if not allowed.any():
        return None
    scores = np.where(allowed, scores, -1.0)
    best = int(np.argmax(scores))
    chance = special.chdtrc(counts.shape[1] - 1, scores[best]) * int(allowed.sum())
    return best + 1 if chance < FALSE_CHANGES else None


def _likelihood(counts: Any) -> Any:
    """Return the sum of n log(share) of each row."""
    n = counts.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(counts > 0, counts * np.log(counts / n), 0.0).sum(axis=1)


def _grouped(steps: Any, kind: PartKind) -> Any:
    """Return the counts of groups of bins in each step, the missing cells last: (n_steps, 17)."""
    each, missing = steps[:, :-1], steps[:, -1]
    total = each.sum(axis=0)
    if each.shape[1] <= MOST_GROUPS:
        group = np.arange(each.shape[1])
    elif kind == "number":
        middle = (np.cumsum(total) - total / 2) / max(total.sum(), 1)
        group = np.minimum((middle * MOST_GROUPS).astype(int), MOST_GROUPS - 1)
    else:  # the most frequent levels, and the rest together
        group = np.minimum(np.argsort(np.argsort(-total, kind="stable"), kind="stable"), MOST_GROUPS - 1)
    merged = np.zeros((len(each), MOST_GROUPS + 1))
    for column, to in enumerate(group.tolist()):
        merged[:, to] += each[:, column]
    merged[:, -1] = missing
    return merged
