"""How far two windows lie apart, in the measures that people know, from profiles alone.

Missing cells are left out of all of them (their rate is told apart). Every measure is NaN for a part of which one of
the two profiles holds nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from boucle.core.profile import Profile
from boucle.monitoring.bins import PEOPLE_GROUPS, Layout, deviations, groups, layout, once

LEAST_SHARE = 1e-4  # what PSI takes an empty bin to hold: its logarithm has no limit


@dataclass(frozen=True, eq=False)
class Distances:
    """One number for each part, shape (n_parts,).

    ``wasserstein`` is in standard deviations of the reference (numbers only; NaN when the reference is constant),
    ``ks`` the largest difference of the distribution functions at the bin edges (numbers only), ``psi`` and
    ``jensen_shannon`` (base 2, a distance in [0, 1]) are over ten groups of equal share of the reference for numbers,
    over the levels, ``other`` and ``unseen`` for levels; NaN for a number that is constant in the reference, of which
    ``ks`` tells how much moved.
    """

    wasserstein: Any
    ks: Any
    psi: Any
    jensen_shannon: Any


def distances(reference: Profile, current: Profile) -> Distances:
    """Return all measures of all parts.

    >>> from boucle.core.grid import Grid, Part
    >>> grid = Grid((Part("colour", "level", levels=("blue", "red")),))
    >>> def of(blue, red):
    ...     empty = Profile.empty(grid)
    ...     return Profile(grid, blue + red, np.array([blue, red, 0, 0]), *[getattr(empty, name) for name in
    ...                    ("sums", "missing", "squares", "low", "high")])
    >>> round(float(distances(of(50, 50), of(50, 50)).jensen_shannon[0]), 6)
    0.0
    >>> round(float(distances(of(100, 0), of(0, 100)).jensen_shannon[0]), 6)
    1.0
    """
    psi, divergence = _over_groups(reference, current)
    sd = deviations(reference)
    with np.errstate(divide="ignore", invalid="ignore"):
        normed = np.where(sd > 0, wasserstein(reference, current) / sd, np.nan)
    return Distances(normed, kolmogorov(reference, current), psi, np.sqrt(divergence))


def wasserstein(reference: Profile, current: Profile) -> Any:
    """Return the Wasserstein-1 distance of each numeric part (n_parts,), in the part's own unit.

    It is the area between the two distribution functions F and G. Within a bin (a, b], partial integration gives the
    signed area exactly: ``b (F - G)(b) - a (F - G)(a) - (mean share of F's sums - that of G's)``; its absolute value
    is the area where the functions do not cross inside the bin. Where F - G changes its sign within a bin, the values
    of each window in it are taken to lie at their mean: exact for bins that hold one distinct value.
    """
    at = layout(reference.grid)
    with np.errstate(divide="ignore", invalid="ignore"):
        held = [np.maximum(at.total(profile.counts), 1)[at.part_of] for profile in (reference, current)]
        r, c = reference.counts / held[0], current.counts / held[1]
        sums = reference.sums / held[0] - current.sums / held[1]
        gap = at.running(r - c)
        before = gap - (r - c)
        upper = np.where(np.isfinite(at.high), at.high, 0.0) * gap  # at the very ends the functions agree
        lower = np.where(np.isfinite(at.low), at.low, 0.0) * before
        area = np.abs(upper - lower - sums)
        crossed = (before * gap < 0) & np.isfinite(at.low) & np.isfinite(at.high)
        if crossed.any():
            area[crossed] = np.maximum(area[crossed], _of_atoms(at, crossed, (before, gap), (reference, current), r))
    return np.where(at.is_number & _both(at, reference, current), at.total(area), np.nan)


def _of_atoms(at: Layout, bins: Any, gaps: tuple[Any, Any], profiles: tuple[Profile, Profile], r: Any) -> Any:
    """Return the area in some bins when the values of each window lie at their mean."""
    before, after = (gap[bins] for gap in gaps)
    means = [profile.sums[bins] / profile.counts[bins] for profile in profiles]
    of_r, of_c = (np.where(np.isfinite(mean), mean, other) for mean, other in (means, means[::-1]))
    first, second = np.minimum(of_r, of_c), np.maximum(of_r, of_c)
    between = np.where(of_r <= of_c, before + r[bins], after - r[bins])
    return (
        np.abs(before) * (first - at.low[bins])
        + np.abs(between) * (second - first)
        + np.abs(after) * (at.high[bins] - second)
    )


def kolmogorov(reference: Profile, current: Profile) -> Any:
    """Return the Kolmogorov-Smirnov distance of each numeric part (n_parts,), looked for at the bin edges."""
    at = layout(reference.grid)
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = at.running(np.nan_to_num(_shares(at, reference.counts) - _shares(at, current.counts)))
    largest = np.maximum.reduceat(np.abs(gap), at.starts) if len(at.starts) else np.zeros(0)
    return np.where(at.is_number & _both(at, reference, current), largest, np.nan)


def _over_groups(reference: Profile, current: Profile) -> tuple[Any, Any]:
    """Return PSI and the Jensen-Shannon divergence (bits) of each part."""
    at = layout(reference.grid)
    group_of = once(reference, "_people_groups", lambda: _people_groups(at, reference))
    n_groups = int(group_of[-1]) + 1 if len(group_of) else 0
    owner = np.zeros(n_groups, np.int64)
    owner[group_of] = at.part_of
    shares = []
    for profile in (reference, current):
        counts = np.bincount(group_of, profile.counts, n_groups)
        with np.errstate(divide="ignore", invalid="ignore"):
            shares.append(counts / at.total(profile.counts)[owner])
    firsts = group_of[at.starts]
    is_single = np.diff(np.append(firsts, n_groups)) == 1  # of a number: the reference is constant, or nearly so
    both = _both(at, reference, current) & ~(is_single & at.is_number)
    return tuple(  # type: ignore[return-value]
        np.where(both, np.add.reduceat(terms, firsts), np.nan) for terms in (_psi(*shares), _divergence(*shares))
    )


def _people_groups(at: Layout, reference: Profile) -> Any:
    """Return the group of each bin (B,): tenths of the reference for numbers, the bin itself for levels."""
    present = at.total(reference.counts)
    least = np.where(at.is_number, present / (PEOPLE_GROUPS + 0.5), 0.0)  # ties never cost more than one group
    order, starts, _owners = groups(at, reference, least)
    is_first = np.zeros(len(at.part_of), bool)
    is_first[order[starts]] = True
    is_first |= ~at.is_number[at.part_of]
    is_first[at.starts] = True
    return np.cumsum(is_first) - 1


def _psi(reference: Any, current: Any) -> Any:
    r, c = np.maximum(reference, LEAST_SHARE), np.maximum(current, LEAST_SHARE)
    empty = (reference == 0) & (current == 0)
    return np.where(empty, 0.0, (c - r) * np.log(c / r))


def _divergence(reference: Any, current: Any) -> Any:
    middle = (reference + current) / 2
    return np.maximum((_bits(reference, middle) + _bits(current, middle)) / 2, 0.0)


def _bits(share: Any, of: Any) -> Any:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(share > 0, share * np.log2(share / of), 0.0)


def _shares(at: Layout, counts: Any) -> Any:
    return counts / at.total(counts)[at.part_of]


def _both(at: Layout, reference: Profile, current: Profile) -> Any:
    return (at.total(reference.counts) > 0) & (at.total(current.counts) > 0)
