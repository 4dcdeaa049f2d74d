"""Since when? Where in a row of steps a part began to be different."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from scipy import special

from boucle.core.grid import PartKind
from boucle.core.report import Span
from boucle.core.series import Series
from boucle.monitoring.steps import MINUTE

MOST_GROUPS = 16
LEAST_SIDE_ROWS = 20
FALSE_CHANGES = 0.001
WHOLE_STEPS, NEAR_STEPS = 128, 64


def since(series: Series, part: str) -> int | None:
    """Return the begin of the step with which a part began to differ (UTC microseconds), None when it did not.

    See ``change_point``; the counts are those of at most 16 groups of neighbouring bins and of missing cells. The
    groups hold equal shares of all steps together, which knows nothing of where a change might be.
    """
    return since_each(series, (part,)).get(part)


def located(series: Series, parts: Iterable[str], until: int) -> dict[str, int]:
    """Return the same, looked for in all that is kept before ``until``: first in 128 steps, then in 64 near the find.

    A column that moved weeks ago is dated then, and not by the noise of the last days.
    """
    times = series.times
    if not times or until <= times[0]:
        return {}
    length = max((until - times[0]) // WHOLE_STEPS, 1)
    found = since_each(_coarser(series, Span(times[0], until), WHOLE_STEPS), parts)
    near: dict[int, list[str]] = {}
    for part, at in found.items():
        near.setdefault(at, []).append(part)
    for at, of_step in near.items():
        found |= since_each(_coarser(series, Span(at - length, at + length), NEAR_STEPS), of_step)
    return found


def _coarser(series: Series, span: Span, n_steps: int) -> Series:
    """Return a series of some steps of equal length, of minutes at least; those without rows are left out."""
    length = -(-max((span.stop - span.start) // n_steps, MINUTE) // MINUTE) * MINUTE
    steps = ((at, series.within(Span(at, min(at + length, span.stop)))) for at in range(span.start, span.stop, length))
    return Series(series.grid, ((at, profile) for at, profile in steps if profile.n_rows))


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
