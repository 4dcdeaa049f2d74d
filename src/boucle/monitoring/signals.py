"""Signals: what a block of rows says about one part of a profile, as a score that is standard normal without change.

A block is compared with a baseline by counts in a few groups of bins. The tests are those of two samples, so the
baseline's own sampling error is in the score; when the block is then added to the baseline, scores in a row are
independent of each other, however short the baseline (Hawkins, Self-starting CUSUM charts, The Statistician 36,
1987). Counts of two groups are judged exactly, for blocks are small.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.special import chdtrc, gammaln, ndtr, ndtri

from boucle.core.grid import Grid, Part
from boucle.core.profile import Profile

Family = Literal["input", "prediction", "label", "error"]
Counts = list[float]

CAP = 8.0
"""Scores end here: one odd block alone raises no alarm."""

CORRECT = "correct"
"""The part of the quality profile whose first bin holds the wrong answers and whose second the right ones."""

LEAST_EXPECTED = 5.0
MOST_GROUPS = 8
LARGE_VARIANCE = 100.0
TINY = float(ndtr(-CAP))


@dataclass(frozen=True)
class Grouping:
    """How the bins of one part, and last its missing cells, are put together: bin to group, each group a number.

    >>> part = Grouping("colour", "input", (0, 1, 1, 1, 1))
    >>> part.n_groups, part.tally([30, 10, 5, 0], 5)
    (2, [30.0, 20.0])
    """

    name: str
    family: Family
    groups: tuple[int, ...]

    @property
    def n_groups(self) -> int:
        """How many groups there are."""
        return max(self.groups) + 1

    @property
    def rises(self) -> bool:
        """True when only a move to the higher groups counts: errors that become fewer are no alarm."""
        return self.family == "error"

    def tally(self, counts: Any, missing: float) -> Counts:
        """Return the counts of the groups from those of the bins. Rows without an error are left out of errors."""
        values = np.append(np.asarray(counts, dtype=float), 0.0 if self.rises else missing)
        found: Counts = np.bincount(self.groups, weights=values, minlength=self.n_groups).tolist()
        return found


def grouping(part: Part, family: Family, counts: Any, missing: float, block_rows: int) -> Grouping:
    """Put the bins of a part together so that a block of ``block_rows`` rows can be judged (at most 8 groups).

    ``counts`` (n_bins,) and ``missing`` are those of the reference. Each group is expected to hold 5 rows of a block;
    numbers keep their order; where one bin holds nearly all rows, it stands against the rest. Without reference
    counts each level is a group of its own, as far as they go.
    """
    counts = np.asarray(counts, dtype=float)
    shares = np.append(counts, missing) / max(counts.sum() + missing, 1.0)
    floor = max(LEAST_EXPECTED / block_rows, 1.0 / MOST_GROUPS)
    if part.name == CORRECT:
        groups = np.array([1, *([0] * (shares.size - 1))])
    elif counts.sum() + missing <= 0:
        groups = np.arange(shares.size) * MOST_GROUPS // max(shares.size, MOST_GROUPS)
    elif part.kind == "number":
        groups = _runs(shares, floor)
    else:
        groups = _levels(shares, floor)
    if groups.max() == 0:
        groups = (np.arange(shares.size) != shares.argmax()).astype(int)
    return Grouping(part.name, family, tuple(int(group) for group in groups))


def _runs(shares: Any, floor: float) -> Any:
    """Cut ordered bins into runs that hold the floor; missing cells stand alone when they hold it too."""
    groups, group, held = np.zeros(shares.size, dtype=int), 0, 0.0
    for place, share in enumerate(shares[:-1]):
        if held >= floor - 1e-9 or (held > 0 and share >= floor and held >= floor / 2):
            group, held = group + 1, 0.0
        groups[place] = group
        held += share
    if held < floor / 2 and group > 0:
        groups[groups == group] = group - 1
        group -= 1
    groups[-1] = group + 1 if shares[-1] >= floor / 2 else group
    return groups


def _levels(shares: Any, floor: float) -> Any:
    """Keep the frequent levels apart and put the others together."""
    frequent = [int(place) for place in np.argsort(-shares, kind="stable") if shares[place] >= floor - 1e-9]
    rest = 1.0 - float(shares[frequent].sum())
    if len(frequent) > 1 and rest < floor / 2:
        frequent.pop()
    groups = np.full(shares.size, len(frequent), dtype=int)
    for group, place in enumerate(frequent):
        groups[place] = group
    return groups


def score(block: Sequence[float], base: Sequence[float], rises: bool = False) -> float:
    """Return how unlike its baseline a block is, in [-8, 8]: standard normal without change, large after one.

    ``block`` and ``base`` are counts of the same groups. NaN when either is empty or all rows lie in one group. With
    ``rises`` only a move towards the last groups counts (Wilcoxon's rank sum over the groups), else any (the
    chi-square of homogeneity; Fisher's exact test with the mid-p for two groups).

    >>> round(score([30, 20], [500, 500]), 1), round(score([5, 45], [500, 500]), 1)
    (0.9, 5.7)
    """
    n, held = sum(block), sum(base)
    if n <= 0 or held <= 0:
        return float("nan")
    if not rises or len(block) == 2:
        block, base = _merged(block, base, min(n, held) / (n + held)) if not rises else (block, base)
        present = sum(1 for b, c in zip(block, base, strict=True) if b + c > 0)
        if present < 2:
            return float("nan")
        if len(block) == 2:
            return _two(block, base, rises)
        return _homogeneity(block, base)
    return _rank_sum(np.asarray(block, dtype=float), np.asarray(base, dtype=float))


def _merged(block: Sequence[float], base: Sequence[float], factor: float) -> tuple[Counts, Counts]:
    """Put groups together, rarest first, until each is expected to hold 5 rows of the smaller sample.

    Groups were made for the reference; after a change some of them are empty or rare.
    """
    pairs = sorted(zip(block, base, strict=True), key=lambda pair: pair[0] + pair[1])
    merged: list[tuple[float, float]] = []
    b = c = 0.0
    for place, (found, held) in enumerate(pairs):
        b, c = b + found, c + held
        if (b + c) * factor >= LEAST_EXPECTED or (place == len(pairs) - 2 and not merged):
            merged.append((b, c))
            b = c = 0.0
    if b + c > 0:
        if len(merged) > 1 and (b + c) * factor < LEAST_EXPECTED:
            b, c = b + merged[-1][0], c + merged[-1][1]
            merged.pop()
        merged.append((b, c))
    return [pair[0] for pair in merged], [pair[1] for pair in merged]


def _homogeneity(block: Sequence[float], base: Sequence[float]) -> float:
    """Pearson's chi-square of the table block × baseline; df is groups less one."""
    n, held = sum(block), sum(base)
    total, statistic, present = n + held, 0.0, 0
    for b, c in zip(block, base, strict=True):
        if b + c > 0:
            present += 1
            statistic += (b / n - c / held) ** 2 / (b + c)
    statistic *= total / (1.0 / n + 1.0 / held)
    return _capped(float(chdtrc(present - 1, statistic)))


def _two(block: Sequence[float], base: Sequence[float], rises: bool) -> float:
    """Two groups: the hypergeometric tail of the second group's count, mid-p; both sides unless it only rises."""
    upper = _upper_tail(block[1], sum(block), block[1] + base[1], sum(block) + sum(base))
    return _capped(upper if rises else min(1.0, 2.0 * min(upper, 1.0 - upper)))


def _upper_tail(x: float, n: float, marked: float, total: float) -> float:
    """P(X > x) + P(X = x) / 2 when n of ``total`` rows are drawn, ``marked`` of which are marked."""
    mean = n * marked / total
    variance = mean * (1 - marked / total) * (total - n) / max(total - 1, 1)
    if variance > LARGE_VARIANCE:
        return float(ndtr((mean - x) / variance**0.5))
    lean = x >= mean
    spread = 12.0 * variance**0.5 + 12.0
    low, high = (x, min(n, marked, x + spread)) if lean else (max(0.0, n + marked - total, x - spread), x)
    values = np.arange(low, high + 1)
    masses = np.exp(_log_choose(marked, values) + _log_choose(total - marked, n - values) - _log_choose(total, n))
    tail = float(masses.sum()) - float(masses[0 if lean else -1]) / 2
    return tail if lean else 1.0 - tail


def _log_choose(n: Any, k: Any) -> Any:
    return gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0)


def _rank_sum(block: Any, base: Any) -> float:
    """Wilcoxon's rank sum of grouped rows, ties shared: normal, for a block holds tens of rows in several groups."""
    n, held, both = block.sum(), base.sum(), block + base
    total = n + held
    ranks = np.cumsum(both) - both / 2.0
    spread = float((both * (ranks - total / 2.0) ** 2).sum()) / (total - 1)
    if spread <= 0:
        return float("nan")
    lean = float((block * ranks).sum()) / n - total / 2.0
    return float(np.clip(lean / (spread * (1.0 / n - 1.0 / total)) ** 0.5, -CAP, CAP))


def _capped(p: float) -> float:
    return min(CAP, max(-CAP, float(-ndtri(min(max(p, TINY), 1.0 - TINY)))))


def groupings(grid: Grid, profile: Profile, families: dict[str, Family], block_rows: int) -> tuple[Grouping, ...]:
    """Return how to group each part of a grid that ``families`` names (by part, else by column).

    ``profile`` holds the reference rows, or none. Counted words of a text are left out, for a row has several.
    """
    found = []
    for place, part in enumerate(grid.parts):
        family = families.get(part.name, families.get(part.column))
        if family and part.aspect != "keywords":
            missing = float(profile.missing[place])
            found.append(grouping(part, family, profile.counts[profile.part(place)], missing, block_rows))
    return tuple(found)


def tallies(profile: Profile, parts: Sequence[Grouping]) -> dict[str, Counts]:
    """Return the counts of the groups of each part, by its name."""
    found = {}
    for part in parts:
        place = profile.grid.index(part.name)
        found[part.name] = part.tally(profile.counts[profile.part(place)], float(profile.missing[place]))
    return found
