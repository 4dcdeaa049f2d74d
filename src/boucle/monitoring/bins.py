"""Where the bins of all parts lie, as arrays: so that a measure of twenty columns is a few numpy calls, not twenty."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from boucle.core.grid import Grid, Part
from boucle.core.profile import Profile

PEOPLE_GROUPS = 10  # PSI and Jensen-Shannon of numbers are told over tenths of the reference, as is the custom


@dataclass(frozen=True, eq=False)
class Layout:
    """Arrays over all bins (B) and all parts (P) of a grid.

    ``starts`` (P,) and ``part_of`` (B,) say which bins belong to which part; ``low`` and ``high`` (B,) are the bounds
    of the bins of numbers, -inf and inf at the ends; ``is_number`` (P,); ``kept`` (P tuples) are the places of the
    bins that hold ordinary values, levels by name: without ``other`` and ``unseen``. ``is_cut`` (P bools) says that
    the reference held more levels than the part has.
    """

    starts: Any
    sizes: Any
    part_of: Any
    low: Any
    high: Any
    is_number: Any
    kept: tuple[Any, ...]
    is_cut: tuple[bool, ...]

    def total(self, of_bins: Any) -> Any:
        """Add up an array over bins (B,) for each part (P,)."""
        return np.add.reduceat(of_bins, self.starts) if len(self.starts) else np.zeros(0)

    def running(self, of_bins: Any) -> Any:
        """Return the running sums over the bins of each part (B,), the bin itself included."""
        running = np.cumsum(of_bins)
        before = np.concatenate([[0.0], running])[self.starts]
        return running - before[self.part_of]


def layout(grid: Grid) -> Layout:
    """Return the arrays of a grid; made once for each grid object.

    They are kept in the object itself, as ``cached_property`` does: a grid as a key of a cache would be hashed, all
    its thousands of edges, at every look.
    """
    found: Layout = once(grid, "_layout", lambda: _made(grid))
    return found


def once(owner: object, name: str, make: Callable[[], Any]) -> Any:
    """Return what follows from a grid or a reference alone, made at the first look and kept in it."""
    held = vars(owner)
    if name not in held:
        held[name] = make()
    return held[name]


def groups(layout_: Layout, reference: Profile, least: Any) -> tuple[Any, Any, Any]:
    """Pool neighbouring bins until each group holds at least ``least`` (P,) values of the reference.

    Returns the places of the bins in order, the begins of the groups in it, and the part of each group. Nothing of
    the current window decides, nor is any level set apart for being rare (levels are taken in the order of their
    names): the count at which a group closes is a stopping time, so by Wald's identity its expected share of the
    current window is its share of the reference, whatever the distribution. Groups of rare levels picked *because*
    they are rare would be biased: there, the reference was unlucky.
    """
    order, starts, owners, place = [], [], [], 0
    for part in range(len(layout_.kept)):
        kept = strong_bins(layout_, reference, part)
        begins = _begins(reference.counts[kept].tolist(), float(least[part]))
        order.append(kept)
        starts += [place + begin for begin in begins]
        owners += [part] * len(begins)
        place += len(kept)
    return np.concatenate(order), np.array(starts, np.int64), np.array(owners, np.int64)


def strong(counts: Any) -> Any:
    """Return which kept levels (a boolean mask) would have been kept whatever the luck of the draw; one at least.

    The levels of a part that was cut are those that the reference held most often, so the last of them were lucky:
    they are compared together with the levels that were cut off, never one by one.
    """
    last = float(counts[counts > 0].min()) if (counts > 0).any() else 0.0
    found = counts >= max(last + 4 * last**0.5, 1.0)
    return found if found.any() else counts == counts.max()


def strong_bins(layout_: Layout, reference: Profile, part: int) -> Any:
    """Return the places of the ordinary bins of a part, less the levels that were kept by luck."""
    kept = layout_.kept[part]
    return kept[strong(reference.counts[kept])] if layout_.is_cut[part] else kept


def pooled(profile: Profile, order: Any, starts: Any) -> Any:
    """Return the counts of groups."""
    return np.add.reduceat(profile.counts[order], starts)


def deviations(reference: Profile) -> Any:
    """Return the standard deviation of each part (P,); NaN for levels, and where the reference holds nothing."""
    found = layout(reference.grid)
    present = found.total(reference.counts)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = found.total(reference.sums) / present
        spread = reference.squares / present - mean**2
    # what is left of two great numbers that cancel is rounding, not spread
    spread = np.where(spread > 1e-13 * mean**2, spread, 0.0)
    return np.where(found.is_number & (present > 0), np.sqrt(np.where(spread > 0, spread, 0.0)), np.nan)


def _begins(counts: list[int], least: float) -> list[int]:
    begins, begin, held = [], 0, 0
    for place, count in enumerate(counts):
        held += count
        if held >= least and held > 0:
            begins.append(begin)
            begin, held = place + 1, 0
    return begins or [0]  # what is left over at the end belongs to the last group


def _made(grid: Grid) -> Layout:
    sizes = np.array([part.n_bins for part in grid.parts], np.int64)
    starts = np.array(grid.offsets[:-1], np.int64)
    low, high = np.full(grid.n_bins, -np.inf), np.full(grid.n_bins, np.inf)
    for part, start in zip(grid.parts, starts.tolist(), strict=True):
        if part.kind == "number":
            low[start + 1 : start + part.n_bins] = part.edges
            high[start : start + part.n_bins - 1] = part.edges
    is_number = np.array([part.kind == "number" for part in grid.parts], bool)
    kept = tuple(_kept(part, start) for part, start in zip(grid.parts, starts.tolist(), strict=True))
    is_cut = tuple(bool(part.others) for part in grid.parts)
    return Layout(starts, sizes, np.repeat(np.arange(len(sizes)), sizes), low, high, is_number, kept, is_cut)


def _kept(part: Part, start: int) -> Any:
    if part.kind == "number":
        return np.arange(start, start + part.n_bins)
    named = sorted(range(len(part.levels)), key=part.levels.__getitem__)
    return start + np.array(named or [0], np.int64)
