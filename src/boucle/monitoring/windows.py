"""A window's columns for people: each part beside its reference, worst first, with a histogram that can be read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from boucle.core.check import Check
from boucle.core.grid import Part
from boucle.core.i18n import _
from boucle.core.profile import Profile
from boucle.core.report import ColumnReport, Histogram
from boucle.monitoring.drift import Drift, PartDrift, worst_first

MOST_BARS = 20
NUMBER_BARS = 12
TOP_LEVELS = 12
_RANKS = {"fail": 0, "warn": 1, "pass": 2}


@dataclass(frozen=True)
class Judged:
    """What was found in a window: its checks (``drift:<part>``, ``range:<column>`` ...) and since when parts moved."""

    drift: Drift
    checks: tuple[Check, ...] = ()
    since: Mapping[str, int] = field(default_factory=dict)


def column_reports(reference: Profile, current: Profile, judged: Judged) -> tuple[ColumnReport, ...]:
    """Return a report for each part of the grid, worst first: failed, warned, then by how far it moved."""
    tested = {part.name: part for part in judged.drift.parts}
    by_column = _by_subject(judged.checks)
    found = []
    for place, part in enumerate(reference.grid.parts):
        own = list(by_column.get(part.name, ()))
        if part.aspect in ("length", "hour"):  # the column itself has no part: its checks are told with the first
            own += [check for check in by_column.get(part.column, ()) if check not in own]
        report = _report(place, (reference, current), tested.get(part.name), tuple(own), judged.since.get(part.name))
        found.append((_order(report, tested.get(part.name)), place, report))
    return tuple(report for _order_, _place, report in sorted(found, key=lambda item: item[:2]))


def histogram(reference: Profile, current: Profile, place: int) -> Histogram:
    """Return a histogram of at most 20 bars of a part: shares of all rows, missing ones included as a bar of levels.

    Numbers with at most 12 bins that hold anything keep them; others are drawn in 12 bars of equal width between the
    2nd and the 98th percentile of both windows together, the ends put into the outer bars. Levels: the most frequent
    of either window, then ``other``, ``unseen`` and ``missing`` where there are any.
    """
    part = reference.grid.parts[place]
    if part.kind == "number":
        return _of_number(part, reference, current, place)
    return _of_level(part, reference, current, place)


def _report(
    place: int, profiles: tuple[Profile, Profile], moved: PartDrift | None, checks: tuple[Check, ...], since: int | None
) -> ColumnReport:
    reference, current = profiles
    status = min((check.status for check in checks), key=_RANKS.__getitem__, default="pass")
    far: dict[str, Any] = {}
    if moved is not None:
        far = {name: getattr(moved, name) for name in ("p_value", "wasserstein", "jensen_shannon", "psi", "ks")}
    return ColumnReport(
        name=reference.grid.parts[place].name,
        status=status,
        missing_rate=int(current.missing[place]) / max(current.n_rows, 1),
        reference_missing_rate=int(reference.missing[place]) / max(reference.n_rows, 1),
        histogram=histogram(reference, current, place),
        checks=checks,
        since=since,
        **far,
    )


def _order(report: ColumnReport, moved: PartDrift | None) -> tuple[Any, ...]:
    return (_RANKS[report.status], *(worst_first(moved) if moved is not None else (True, 0.0, 1.0)))


def _by_subject(checks: Iterable[Check]) -> dict[str, list[Check]]:
    found: dict[str, list[Check]] = {}
    for check in checks:
        _word, colon, subject = check.name.partition(":")
        if colon:
            found.setdefault(subject, []).append(check)
    return found


def _of_level(part: Part, reference: Profile, current: Profile, place: int) -> Histogram:
    sides = []
    for profile in (reference, current):
        counts = np.append(profile.counts[profile.part(place)], profile.missing[place])
        sides.append(counts / max(float(profile.n_rows), 1.0))
    before, now = sides
    n_levels = len(part.levels)
    weight = np.maximum(before[:n_levels], now[:n_levels])
    is_ordered = part.aspect in ("hour", "weekday")
    top = (
        np.arange(n_levels) if is_ordered and n_levels <= MOST_BARS else np.argsort(-weight, kind="stable")[:TOP_LEVELS]
    )
    if is_ordered and n_levels > MOST_BARS:  # 24 hours, two by two
        return _pairs(part, before, now)
    top = top if is_ordered else top[np.argsort(-before[top], kind="stable")]
    rest = np.setdiff1d(np.arange(n_levels + 1), top)
    bars = [(part.levels[i], float(before[i]), float(now[i])) for i in top.tolist()]
    tail = [
        (_("other"), float(before[rest].sum()), float(now[rest].sum())),
        (_("unseen"), float(before[n_levels + 1]), float(now[n_levels + 1])),
        (_("missing"), float(before[-1]), float(now[-1])),
    ]
    bars += [bar for bar in tail if bar[1] or bar[2]]
    labels, left, right = zip(*bars, strict=True) if bars else ((), (), ())
    return Histogram(tuple(labels), tuple(left), tuple(right))


def _pairs(part: Part, before: Any, now: Any) -> Histogram:
    n = len(part.levels)
    starts = np.arange(0, n, 2)
    labels = tuple(f"{part.levels[i]}–{part.levels[min(i + 1, n - 1)]}" for i in starts.tolist())
    left, right = (np.add.reduceat(side[:n], starts) for side in (before, now))
    return Histogram(labels, tuple(left.tolist()), tuple(right.tolist()))


def _of_number(part: Part, reference: Profile, current: Profile, place: int) -> Histogram:
    bounds = _bounds(part, reference, current, place)
    if len(bounds) < 2:
        return Histogram((), (), ())
    left, right = (_spread(profile, part, place, bounds) for profile in (reference, current))
    labels = tuple(_("{low} to {high}").format(low=_short(low), high=_short(high)) for low, high in pairwise(bounds))
    return Histogram(labels, tuple(left.tolist()), tuple(right.tolist()), tuple(bounds))


def _bounds(part: Part, reference: Profile, current: Profile, place: int) -> list[float]:
    """Return the bounds of the bars: round ones of equal width over what lies between outliers."""
    lows = [float(p.low[place]) for p in (reference, current) if np.isfinite(p.low[place])]
    highs = [float(p.high[place]) for p in (reference, current) if np.isfinite(p.high[place])]
    if not lows:
        return []
    low, high = min(lows), max(highs)
    inner = [_quantiles(profile, part, place) for profile in (reference, current) if profile.present(place)]
    if inner and len(part.edges) > NUMBER_BARS:
        low, high = min(pair[0] for pair in inner), max(pair[1] for pair in inner)
    if not high > low:
        margin = abs(low) * 0.05 or 0.5
        return [low - margin, high + margin]
    step = _nice((high - low) / NUMBER_BARS)
    first, last = np.floor(low / step), np.ceil(high / step)
    return [float(f"{place_ * step:.12g}") for place_ in np.arange(first, last + 1)]


def _quantiles(profile: Profile, part: Part, place: int) -> tuple[float, float]:
    knots, shares = _cdf(profile, part, place)
    low, high = np.interp([0.02, 0.98], shares, knots).tolist()
    return float(low), float(high)


def _cdf(profile: Profile, part: Part, place: int) -> tuple[Any, Any]:
    """Return values and the share of the present cells at or below each, linear between the edges."""
    counts = profile.counts[profile.part(place)].astype(float)
    low, high = float(profile.low[place]), float(profile.high[place])
    knots = np.concatenate([[low], np.clip(part.edges, low, high), [high]])
    shares = np.concatenate([[0.0], np.cumsum(counts) / max(counts.sum(), 1.0)])
    return knots, shares


def _spread(profile: Profile, part: Part, place: int, bounds: list[float]) -> Any:
    """Return the share of the rows in each bar; what lies beyond the outer bounds belongs to the outer bars."""
    present = profile.present(place)
    if not present:
        return np.zeros(len(bounds) - 1)
    knots, shares = _cdf(profile, part, place)
    keep = np.append(knots[1:] != knots[:-1], True)  # of equal values the last share holds
    at = np.interp(bounds, knots[keep], shares[keep], left=0.0, right=1.0)
    at[0], at[-1] = 0.0, 1.0
    return np.diff(at) * present / max(profile.n_rows, 1)


def _nice(width: float) -> float:
    """Return the next larger of 1, 2, 2.5, 5 times a power of ten."""
    power = 10.0 ** np.floor(np.log10(width))
    return float(power * next(step for step in (1.0, 2.0, 2.5, 5.0, 10.0) if step * power >= width * (1 - 1e-9)))


def _short(value: float) -> str:
    return f"{value:.6g}"
