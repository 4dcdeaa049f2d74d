"""Has a window moved against its reference? One calibrated test for each part, and one decision over all.

A number is asked four things, each a two-sample test, joined by Bonferroni with fixed weights:

* *shape*: Pearson's chi-square over groups of neighbouring bins, about ``1.3 m^0.4`` of them (Mann and Wald 1942 for
  the exponent), where ``m = nN / (n + N)``; so 100 rows are asked about 8 groups and 20,000 about 50, never 256;
* *smooth*: Neyman's smooth test of order two on the ranks (place and spread), chi-square with two degrees of freedom,
  which sees a moved mean with far fewer rows than any omnibus test;
* *missing*: the rate of missing cells;
* *unseen*: how many lie beyond all that the reference held (one at each end is what chance gives).

Where one value outweighs all others, so that ranks are far from normal, the rate of that value is asked instead.

A level is asked for its shape over levels (neighbours by name pooled until 15 are expected), for the rate of each
single level (exact however rare; in the place of *smooth*), for missing cells, for levels that the reference did not
hold (against the Good-Turing estimate of how many were to be expected: as many as the reference held exactly once),
and for ``other``. Keywords are asked one by one, for a row may hold several; the share of unknown words is asked
through them alone, for the words that made the vocabulary are not unknown to the rows they came from.

Holm's method keeps the chance that any part of a window without drift is flagged at ``false_alarms``, under any
dependence of the columns on each other. Rows are taken to be independent: rows that come in runs (a market, a
season) do differ from window to window, and are flagged for it.

What is certain need not matter. A part is flagged only when the change is also as large as ``Floors`` asks.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import special

from boucle.core.profile import Profile
from boucle.monitoring.bins import Layout, groups, layout, once, pooled, strong, strong_bins
from boucle.monitoring.distances import Distances, distances
from boucle.monitoring.rates import holm, rate_p

LEAST_ROWS = 20  # under this nothing is flagged, whatever its p-value
LEAST_EXPECTED = 15  # values of a group of levels, in either window
MOST_LEVERAGE = 0.25  # of one value in a rank statistic, in its standard deviations: above, it is not near normal
WEIGHTS = {"shape": 0.4, "smooth": 0.3, "missing": 0.15, "unseen": 0.15}
LEVEL_WEIGHTS = {"shape": 0.3, "smooth": 0.35, "missing": 0.15, "unseen": 0.1, "other": 0.1}
ASPECTS = ("shape", "smooth", "missing", "unseen", "other")


@dataclass(frozen=True)
class Floors:
    """The least change that is worth flagging, however certain.

    A shape must have moved by ``wasserstein`` standard deviations of the reference, or by a Jensen-Shannon distance of
    ``jensen_shannon`` (its chance part taken off); the share of missing cells by ``missing``, that of unseen levels
    by ``unseen``, that of ``other`` by ``other``.
    """

    wasserstein: float = 0.1
    jensen_shannon: float = 0.05
    missing: float = 0.01
    unseen: float = 0.005
    other: float = 0.02


@dataclass(frozen=True)
class PartDrift:
    """One part. ``statistic`` is the chi-square of its shape with ``freedom`` degrees of freedom.

    ``p_value`` joins all that the part was asked (each kept in ``p_values`` by its word); ``adjusted`` is Holm's, over
    the parts and only for changes of a size that matters: ``is_flagged`` when it is at most ``false_alarms``. ``cause``
    is what moved most: ``shape``, ``missing``, ``unseen`` or ``other``. Effects that are not defined are None.
    """

    name: str
    p_value: float
    adjusted: float
    is_flagged: bool
    cause: str = "shape"
    statistic: float = 0.0
    freedom: int = 0
    wasserstein: float | None = None
    jensen_shannon: float | None = None
    psi: float | None = None
    ks: float | None = None
    missing_rate: float = 0.0
    reference_missing_rate: float = 0.0
    unseen_rate: float = 0.0
    p_values: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Drift:
    """All parts in the grid's order, those not tested left out. ``p_value`` is the least adjusted one."""

    parts: tuple[PartDrift, ...]
    p_value: float
    n_reference: int
    n_current: int
    false_alarms: float = 0.01

    @property
    def is_drifted(self) -> bool:
        """True when any part is flagged."""
        return any(part.is_flagged for part in self.parts)

    @property
    def flagged(self) -> tuple[PartDrift, ...]:
        """The flagged parts, worst first."""
        return tuple(sorted((part for part in self.parts if part.is_flagged), key=worst_first))

    def part(self, name: str) -> PartDrift | None:
        """Return a part by name; None when it was not tested."""
        return next((part for part in self.parts if part.name == name), None)


def worst_first(part: PartDrift) -> tuple[bool, float, float]:
    """Order parts: flagged ones first, then by how much they moved, then by how sure that is."""
    moved = max(part.jensen_shannon or 0.0, abs(part.missing_rate - part.reference_missing_rate), part.unseen_rate)
    return not part.is_flagged, -moved, part.p_value


def drift(
    reference: Profile,
    current: Profile,
    false_alarms: float = 0.01,
    skip: Collection[str] = (),
    floors: Floors | None = None,
) -> Drift:
    """Compare a window with its reference; the parts named in ``skip`` are not tested.

    ``false_alarms`` is the share of windows without drift in which any part may be flagged. An empty window, or one
    of under 20 rows, is never flagged.

    >>> from boucle.core.grid import Grid, Part
    >>> grid = Grid((Part("colour", "level", levels=("blue", "red")),))
    >>> def of(blue, red):
    ...     empty = Profile.empty(grid)
    ...     return Profile(grid, blue + red, np.array([blue, red, 0, 0]), *[getattr(empty, name) for name in
    ...                    ("sums", "missing", "squares", "low", "high")])
    >>> drift(of(1000, 1000), of(55, 45)).is_drifted, drift(of(1000, 1000), of(90, 10)).is_drifted
    (False, True)
    """
    tested = np.array([part.name not in skip for part in reference.grid.parts], bool)
    if not tested.any():
        return Drift((), 1.0, reference.n_rows, current.n_rows, false_alarms)
    found = _Comparison(reference, current, floors or Floors())
    p_values, p_important, causes = found.joined()
    adjusted = np.ones(len(tested))
    adjusted[tested] = holm(p_important[tested])
    enough = min(reference.n_rows, current.n_rows) >= LEAST_ROWS
    flagged = (adjusted <= false_alarms) & enough & tested
    parts = tuple(
        found.part(place, (float(p_values[place]), float(adjusted[place]), bool(flagged[place]), causes[place]))
        for place in np.flatnonzero(tested).tolist()
    )
    return Drift(parts, float(adjusted.min()), reference.n_rows, current.n_rows, false_alarms)


class _Comparison:
    """The figures of all parts; one look at two profiles."""

    def __init__(self, reference: Profile, current: Profile, floors: Floors) -> None:
        self.reference, self.current, self.floors = reference, current, floors
        self.at: Layout = layout(reference.grid)
        self.present = (self.at.total(reference.counts), self.at.total(current.counts))
        self.distances: Distances = distances(reference, current)
        self.single = np.zeros(len(self.at.is_number))
        self.statistic, self.freedom, self.effect = self._shape()
        self.rates = {"missing": self._missing()}
        chance = special.chdtrc(np.maximum(self.freedom, 1), self.statistic)
        self.p: dict[str, Any] = {
            # of two groups the rate test is exact, rare ones included
            "shape": np.where(self.freedom > 1, chance, np.where(self.freedom == 1, rate_p(*self.halves), 1.0)),
            "smooth": self._smooth(),
            "missing": rate_p((reference.missing, reference.n_rows), (current.missing, current.n_rows)),
        }
        self.p["unseen"], self.p["other"] = self._novelties()
        self._keywords()

    def joined(self) -> tuple[Any, Any, list[str]]:
        """Return the p-value of each part, the same of what matters only, and what moved most."""
        number = self.at.is_number
        stacked, important = [], []
        for aspect in ASPECTS:
            weight = np.where(number, WEIGHTS.get(aspect, 0.0), LEVEL_WEIGHTS.get(aspect, 0.0))
            with np.errstate(divide="ignore", invalid="ignore"):
                p = np.where(weight > 0, np.minimum(self.p[aspect] / weight, 1.0), 1.0)
            stacked.append(p)
            important.append(np.where(self._matters(aspect), p, 1.0))
        least = np.argmin(np.array(important), axis=0)
        causes = ["shape" if ASPECTS[place] == "smooth" else ASPECTS[place] for place in least.tolist()]
        return np.min(stacked, axis=0), np.min(important, axis=0), causes

    def part(self, place: int, judged: tuple[float, float, bool, str]) -> PartDrift:
        """Return what is told of a part."""
        p_value, adjusted, is_flagged, cause = judged
        far = self.distances
        missing = self.rates["missing"]
        return PartDrift(
            name=self.reference.grid.parts[place].name,
            p_value=p_value,
            adjusted=adjusted,
            is_flagged=is_flagged,
            cause=cause,
            statistic=float(self.statistic[place]),
            freedom=int(self.freedom[place]),
            wasserstein=_number(far.wasserstein[place]),
            jensen_shannon=_number(far.jensen_shannon[place]),
            psi=_number(far.psi[place]),
            ks=_number(far.ks[place]),
            missing_rate=float(missing[1][place]),
            reference_missing_rate=float(missing[0][place]),
            unseen_rate=float(self.rates["unseen"][1][place]),
            p_values={aspect: float(self.p[aspect][place]) for aspect in ASPECTS},
        )

    def _matters(self, aspect: str) -> Any:
        if aspect in ("shape", "smooth"):
            moved = np.nan_to_num(self.distances.wasserstein) >= self.floors.wasserstein
            effect = np.maximum(self.effect, self.single) if aspect == "smooth" else self.effect
            return moved | (effect >= self.floors.jensen_shannon)
        before, now = self.rates[aspect]
        return np.abs(now - before) >= getattr(self.floors, aspect)

    def _missing(self) -> tuple[Any, Any]:
        reference, current = self.reference, self.current
        return reference.missing / max(reference.n_rows, 1), current.missing / max(current.n_rows, 1)

    def _shape(self) -> tuple[Any, Any, Any]:
        """Return chi-square, degrees of freedom and effect (a Jensen-Shannon distance) of each part."""
        n_r, n_c = (present.astype(float) for present in self.present)
        with np.errstate(divide="ignore", invalid="ignore"):
            m = np.nan_to_num(n_r * n_c / (n_r + n_c))
            by_number = n_r / np.clip(np.round(1.3 * m**0.4), 2, 64)
            by_level = np.maximum(LEAST_EXPECTED, LEAST_EXPECTED * n_r / n_c)
        order, starts, owner = groups(self.at, self.reference, np.where(self.at.is_number, by_number, by_level))
        r, c = (pooled(profile, order, starts).astype(float) for profile in (self.reference, self.current))
        firsts = np.searchsorted(owner, np.arange(len(n_r)))
        held_r, held_c = np.add.reduceat(r, firsts), np.add.reduceat(c, firsts)
        self.halves = (r[firsts], held_r), (c[firsts], held_c)
        with np.errstate(divide="ignore", invalid="ignore"):
            tilt = np.sqrt(held_r / held_c)[owner]
            terms = np.where(r + c > 0, (tilt * c - r / tilt) ** 2 / (r + c), 0.0)
            statistic = np.nan_to_num(np.add.reduceat(terms, firsts))
            scale = np.where((held_r > 0) & (held_c > 0), 1 / held_r + 1 / held_c, 0.0)
        freedom = np.where(scale > 0, np.bincount(owner, minlength=len(n_r)) - 1, 0)
        surplus = np.maximum(statistic - freedom, 0.0) * scale
        return statistic, freedom, np.sqrt(surplus / (8 * np.log(2)))

    def _smooth(self) -> Any:
        """Return the p-value of Neyman's smooth test of order two on the mid-ranks of the reference (numbers)."""
        at, (n_r, n_c) = self.at, self.present
        x, freedom = np.zeros(len(n_r)), np.zeros(len(n_r), np.int64)
        with np.errstate(divide="ignore", invalid="ignore"):
            now = np.nan_to_num(self.current.counts / n_c[at.part_of])
            for scores, heaviest in once(self.reference, "_scores", lambda: _scores(at, self.reference)):
                used = heaviest <= MOST_LEVERAGE * np.sqrt(np.minimum(n_r, n_c))  # NaN where there is no such score
                x += np.where(used, at.total(now * scores) ** 2, 0.0)
                freedom += used
            per_row = np.nan_to_num(1 / (1 / n_r + 1 / n_c))
        p = special.chdtrc(np.maximum(freedom, 1), x * per_row)
        both = (n_r > 0) & (n_c > 0)
        single = np.where(freedom == 0, self._mode(), np.where(freedom > 0, p, 1.0))
        return np.where(both & at.is_number, single, np.where(both, self._single(), 1.0))

    def _mode(self) -> Any:
        """Return the p-value of the rate of the reference's most frequent bin of each part."""
        bins = [part.start + int(self.reference.counts[part].argmax()) for part in self._slices()]
        r, c = self.reference.counts[bins], self.current.counts[bins]
        return rate_p((r, self.present[0]), (c, self.present[1]))

    def _single(self) -> Any:
        """Return the p-value of the level whose rate moved most, Bonferroni's; and let its effect count."""
        found = np.ones(len(self.at.is_number))
        places = np.flatnonzero(~self.at.is_number)
        if not len(places):
            return found
        bins = [strong_bins(self.at, self.reference, place) for place in places.tolist()]
        sizes = np.array([len(of_part) for of_part in bins])
        starts, owner, every = np.cumsum(sizes) - sizes, np.repeat(places, sizes), np.concatenate(bins)
        r, c = self.reference.counts[every], self.current.counts[every]
        n_r, n_c = (np.maximum(present[owner], 1.0) for present in self.present)
        each = rate_p((r, n_r), (c, n_c))
        found[places] = np.minimum(np.minimum.reduceat(each, starts) * sizes, 1.0)
        middle = np.clip((r / n_r + c / n_c) / 2, 1e-12, 1 - 1e-12)
        # the Jensen-Shannon distance of two cells, to first order; only of levels that did move
        far = np.abs(c / n_c - r / n_r) / np.sqrt(8 * np.log(2) * middle * (1 - middle))
        moved = each <= np.repeat(np.minimum.reduceat(each, starts), sizes)
        self.single[places] = np.maximum.reduceat(np.where(moved, far, 0.0), starts)
        return found

    def _slices(self) -> list[slice]:
        return [self.reference.part(place) for place in range(len(self.at.is_number))]

    def _novelties(self) -> tuple[Any, Any]:
        """Return the p-values of what the reference did not hold (too much) and of other levels (either way)."""
        expected, unseen = self._outside()
        others = np.zeros((2, len(expected)))
        for place in np.flatnonzero(~self.at.is_number).tolist():
            (expected[place], unseen[place]), others[:, place] = self._rest(place)
        trials = np.array(self.present, float)
        rows = np.array([self.reference.n_rows - self.reference.missing, self.current.n_rows - self.current.missing])
        trials = np.where([part.aspect == "keywords" for part in self.reference.grid.parts], rows, trials)
        n_r, n_c = np.maximum(trials, 1.0)
        self.rates["unseen"], self.rates["other"] = (expected / n_r, unseen / n_c), tuple(others / np.stack([n_r, n_c]))
        p = rate_p((np.minimum(expected, n_r), trials[0]), (unseen, trials[1]), one_sided=True)
        p = np.where(unseen >= 3, p, 1.0)  # one new word, or two, are no burst
        return p, rate_p((np.minimum(others[0], n_r), trials[0]), (np.minimum(others[1], n_c), trials[1]))

    def _outside(self) -> tuple[Any, Any]:
        """Return how many numbers beyond the reference's range were to be expected (one an end), and were found."""
        first, last = self.at.starts, self.at.starts + self.at.sizes - 1
        ends = [np.where(self.at.is_number & (self.reference.counts[end] == 0), end, -1) for end in (first, last)]
        empty = self.at.sizes > 1
        expected = sum(np.where((end >= 0) & empty, 1.0, 0.0) for end in ends)
        found = sum(np.where((end >= 0) & empty, self.current.counts[end], 0.0) for end in ends)
        # how many words a text holds that nobody had written is asked of its keywords, where it can be expected
        asked = np.array([part.aspect != "unknown_words" for part in self.reference.grid.parts], bool)
        return expected * asked, found * asked

    def _rest(self, place: int) -> tuple[tuple[float, float], tuple[float, float]]:
        """Return (expected, found) of unseen levels and of other ones, expected by Good and Turing (Good 1953)."""
        bins = self.reference.part(place)
        r, c = self.reference.counts[bins], self.current.counts[bins]
        kept, other, unseen = r[:-2], float(r[-2]), float(r[-1])
        n_others = len(self.reference.grid.parts[place].others)
        if not n_others:
            return (unseen + float((kept == 1).sum()), float(c[-1])), (0.0, 0.0)
        # how many of `others` were seen once is not known: all, or what a geometric law of their mean count gives
        once = n_others * min(1.0, n_others / max(other, 1.0))
        if self.reference.grid.parts[place].aspect == "keywords":
            return (unseen + once, float(c[-1])), (0.0, 0.0)
        weak = ~strong(kept)
        # those that have just enough rows to be strong were lucky: less one of them `other` would seem to have grown
        least = float(kept[~weak].min())
        width = max(1.0, least**0.5)
        lucky = float(kept[~weak & (kept < least + width)].sum()) / width
        expected = other + unseen + float(kept[weak].sum()) + lucky
        return (unseen + once, float(c[-1])), (expected, float(c[-2] + c[-1] + c[:-2][weak].sum()))

    def _keywords(self) -> None:
        """Ask for each keyword apart: a row may hold several, so their counts are not shares of one whole."""
        for place, part in enumerate(self.reference.grid.parts):
            if part.aspect == "unknown_words":
                self.p["shape"][place] = self.p["smooth"][place] = 1.0
            if part.aspect != "keywords":
                continue
            bins = self.reference.part(place)
            rows = [profile.n_rows - int(profile.missing[place]) for profile in (self.reference, self.current)]
            r, c = (profile.counts[bins][: len(part.levels)] for profile in (self.reference, self.current))
            if part.others and len(r):
                r, c = r[strong(r)], c[strong(r)]
            self.p["smooth"][place] = 1.0
            each = rate_p((r, rows[0]), (c, rows[1])) if len(r) else np.ones(1)
            self.p["shape"][place] = min(1.0, float(each.min()) * len(each))
            gap = np.abs(c / max(rows[1], 1) - r / max(rows[0], 1))
            self.effect[place] = float(gap[np.argmin(each)]) if len(r) else 0.0


def _scores(at: Layout, reference: Profile) -> list[tuple[Any, Any]]:
    """Return place and spread as scores of the mid-ranks (B,), of mean 0 and variance 1 and not correlated in the
    reference, each with the largest (P,); NaN for a part that has none: two values have a place, but no spread."""
    with np.errstate(divide="ignore", invalid="ignore"):
        weights = np.nan_to_num(reference.counts / at.total(reference.counts)[at.part_of])
        a = at.running(weights) - weights / 2 - 0.5
        squares = a * a
        m2, m3, m4 = (at.total(weights * power) for power in (squares, squares * a, squares * squares))
        m2 = np.where(m2 > 1e-9, m2, np.nan)
        rest = m4 - m2**2 - m3**2 / m2
        first = a / np.sqrt(m2)[at.part_of]
        second = squares - m2[at.part_of] - (m3 / m2)[at.part_of] * a
        second /= np.sqrt(np.where(rest > 1e-9, rest, np.nan))[at.part_of]
    found = []
    for scores in (first, second):
        heaviest = np.maximum.reduceat(np.where(weights > 0, np.abs(scores), 0.0), at.starts)
        there = np.isfinite(scores[at.starts])
        found.append((np.nan_to_num(scores), np.where(there, heaviest, np.nan)))
    return found


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
