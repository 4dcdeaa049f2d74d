"""Is a column's feed broken, rather than the world moved? A broken feed has a shape of its own.

Values in another unit are the reference, stretched; a flipped sign is the reference, mirrored; two columns exchanged
are each other's reference; a renamed category takes over the exact share of a name that vanished. So a column is
called broken only when it is very unlike its own reference *and* very like such an image of it. Drift is the first
without the second.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from boucle.core.check import Check
from boucle.core.i18n import _
from boucle.core.profile import Profile
from boucle.core.schema import Schema
from boucle.monitoring.bins import deviations

LEAST_ROWS = 30
FAR_KS = 0.5  # a column nearer than this to its own reference is not called broken
VERY_FAR_KS = 0.8  # nor one nearer than this the reference in a unit of near size: prices double, too
NEAR_KS = 0.1  # an image of the reference must fit so well, beside what chance gives at 99.9 % (1.95 / sqrt(m))
MISSING_JUMP = 0.2
RENAMED_SHARE = 0.02
MOST_SWAPPED = 100
# current = factor * reference + offset; unknown factors are named too when they are at least FREE_FACTOR
USUAL = {
    (1.8, 32.0): "°C → °F",
    (1 / 1.8, -32 / 1.8): "°F → °C",
    (1.0, 273.15): "°C → K",
    (1.0, -273.15): "K → °C",
    (1.609344, 0.0): "miles → km",
    (1 / 1.609344, 0.0): "km → miles",
    (2.2046226, 0.0): "kg → lb",
    (1 / 2.2046226, 0.0): "lb → kg",
    (2.54, 0.0): "inches → cm",
    (1 / 2.54, 0.0): "cm → inches",
    (3.2808399, 0.0): "m → feet",
    (0.3048, 0.0): "feet → m",
    (60.0, 0.0): "× 60 (hours → minutes → seconds)",
    (1 / 60, 0.0): "÷ 60 (seconds → minutes → hours)",
    (3600.0, 0.0): "hours → seconds",
    (1 / 3600, 0.0): "seconds → hours",
    (-1.0, 0.0): "",
    **{(10.0**power, 0.0): f"× {10**power:,}" for power in (1, 2, 3, 6, 9)},
    **{(10.0**-power, 0.0): f"÷ {10**power:,}" for power in (1, 2, 3, 6, 9)},
}
FREE_FACTOR = 5.0


@dataclass(frozen=True, eq=False)
class _Column:
    """A numeric column of a profile: ``cdf`` (n_edges,) is the share at or below each of ``edges``."""

    n: int
    mean: float
    sd: float
    low: float
    high: float
    edges: Any
    cdf: Any


@dataclass(frozen=True)
class _Image:
    """The reference, stretched and moved; ``misfit`` is how badly it fits, in [0, 1]: the largest gap of the CDFs."""

    factor: float
    offset: float
    misfit: float


def feed_checks(schema: Schema, reference: Profile, current: Profile) -> tuple[Check, ...]:
    """Return a check ``feed:<column>`` for each column of the schema: ``fail`` when its feed looks broken.

    Windows of under 30 rows pass. A column that stands still warns: slow ones may.
    """
    if min(reference.n_rows, current.n_rows) < LEAST_ROWS:
        return tuple(_passed(column.name) for column in schema.columns)
    places = {part.column: place for place, part in enumerate(reference.grid.parts) if not part.aspect}
    dates = {column.name for column in schema.columns if column.type == "datetime"}
    numbers = _numbers(reference, current, {name: at for name, at in places.items() if name not in dates})
    swapped = _swapped(numbers) | _swapped_levels(reference, current, places)
    found = {}
    for column in schema.columns:
        place = places.get(column.name, _first(reference, column.name))
        if place is None:
            continue
        check = _missing(column.name, reference, current, place)
        if check is None and column.name in swapped:
            check = _swap_check(column.name, swapped[column.name])
        if check is None and column.name in numbers:
            check = _number(column.name, *numbers[column.name])
        elif check is None and reference.grid.parts[place].kind == "level" and not reference.grid.parts[place].aspect:
            check = _renamed(column.name, reference, current, place)
        found[column.name] = check or _passed(column.name)
    return tuple(found.values())


def _passed(name: str) -> Check:
    return Check(f"feed:{name}", "pass", observed=_("nothing points to a broken feed"))


def _first(reference: Profile, name: str) -> int | None:
    return next((place for place, part in enumerate(reference.grid.parts) if part.column == name), None)


def _numbers(reference: Profile, current: Profile, places: dict[str, int]) -> dict[str, tuple[_Column, _Column]]:
    spreads = deviations(reference), deviations(current)
    found = {}
    for name, place in places.items():
        if reference.grid.parts[place].kind == "number":
            before, now = (
                _column(profile, place, float(spread[place]))
                for profile, spread in zip((reference, current), spreads, strict=True)
            )
            if before.n >= LEAST_ROWS and now.n >= LEAST_ROWS:
                found[name] = (before, now)
    return found


def _column(profile: Profile, place: int, sd: float) -> _Column:
    counts = profile.counts[profile.part(place)]
    n = int(counts.sum())
    edges = np.array(profile.grid.parts[place].edges)
    mean = profile.mean(place)
    return _Column(
        n, mean, sd, float(profile.low[place]), float(profile.high[place]), edges, np.cumsum(counts)[:-1] / max(n, 1)
    )


def _missing(name: str, reference: Profile, current: Profile, place: int) -> Check | None:
    before, now = (int(profile.missing[place]) / profile.n_rows for profile in (reference, current))
    if now - before < MISSING_JUMP:
        return None
    return Check(
        f"feed:{name}",
        "fail",
        observed=_("{name} is missing in {now:.0%} of the rows").format(name=name, now=now),
        expected=_("{before:.1%}, as in the reference").format(before=before),
        advice=_(
            "Part of the senders no longer fill {name}: look at which rows lack it, and ask who sends them."
        ).format(name=name),
        evidence={"kind": "missing", "missing_rate": now, "reference_missing_rate": before},
    )


def _number(name: str, before: _Column, now: _Column) -> Check | None:
    if now.low == now.high:
        return _frozen(name, before, now)
    if not before.sd > 0 or _own_gap(before, now) < FAR_KS:
        return None
    gap = _own_gap(before, now)
    images = [
        _image(before, now, factor, offset)
        for factor, offset in _candidates(before, now)
        if gap >= VERY_FAR_KS or not _is_near(factor)
    ]
    fitting = sorted((image for image in images if image is not None), key=_known_first)
    return _image_check(name, fitting[0]) if fitting else None


def _known_first(image: _Image) -> tuple[bool, float]:
    """A unit that has a name is believed before a factor that fits a little better."""
    return (image.factor, image.offset) not in USUAL, image.misfit


def _candidates(before: _Column, now: _Column) -> Iterator[tuple[float, float]]:
    yield from USUAL
    stretched = now.sd / before.sd
    if not stretched > 0:  # so narrow that its spread is lost in rounding
        return
    for factor in (stretched, -stretched):
        if max(stretched, 1 / stretched) >= FREE_FACTOR and abs(now.mean - factor * before.mean) < 0.5 * now.sd:
            yield factor, 0.0
    moved = now.mean - before.mean
    if abs(moved) >= 6 * before.sd and abs(np.log(stretched)) < np.log(1.1):
        yield 1.0, moved


def _image(before: _Column, now: _Column, factor: float, offset: float) -> _Image | None:
    """Return the image when the current column is the reference times ``factor`` plus ``offset``, else None."""
    chance = (1 / before.n + 1 / now.n) ** 0.5
    stretched = now.sd / (abs(factor) * before.sd)
    mean = (now.mean - offset) / factor
    ends = sorted(((now.low - offset) / factor, (now.high - offset) / factor))
    span = before.high - before.low
    # a heavy tail makes a spread uncertain, as does a short window; a near unit is like drift and must fit closely
    widest, tolerance = (1.1, 0.05 + 4 * chance) if _is_near(factor) else (2.5, 0.3 + 4 * chance)
    fits = (
        1 / widest - chance < stretched < widest + 2 * chance
        and abs(mean - before.mean) < tolerance * before.sd
        and ends[0] > before.low - 0.25 * span
        and ends[1] < before.high + 0.25 * span
    )
    if not fits:
        return None
    misfit = float(np.abs(now.cdf - _cdf_of_image(before, now.edges, factor, offset)).max(initial=0.0))
    # beyond the grid there are no bins to compare: the moments then speak alone, and tell how well they fit
    misfit = max(misfit, min(1.0, abs(mean - before.mean) / before.sd * 0.1 + abs(np.log(stretched)) * 0.05))
    return _Image(factor, offset, misfit) if misfit < NEAR_KS + 1.95 * chance else None


def _is_near(factor: float) -> bool:
    return 1 / FREE_FACTOR < abs(factor) < FREE_FACTOR and factor != -1.0


def _cdf_of_image(before: _Column, at: Any, factor: float, offset: float) -> Any:
    known = np.concatenate([[before.low], before.edges, [before.high]])
    shares = np.concatenate([[0.0], before.cdf, [1.0]])
    order = np.argsort(known, kind="stable")
    found = np.interp((at - offset) / factor, known[order], np.maximum.accumulate(shares[order]), left=0.0, right=1.0)
    return found if factor > 0 else 1.0 - found


def _own_gap(before: _Column, now: _Column) -> float:
    return float(np.abs(now.cdf - before.cdf).max(initial=0.0))


def _image_check(name: str, image: _Image) -> Check:
    words = USUAL.get((image.factor, image.offset), "")
    if image.factor == -1.0 and image.offset == 0.0:
        kind, observed = "sign", _("{name} has its sign flipped").format(name=name)
    elif image.factor == 1.0:
        kind = "unit" if words else "offset"
        observed = (
            _("{name} is the reference moved by {offset:+.6g} {words}")
            .format(name=name, offset=image.offset, words=words)
            .rstrip()
        )
    else:
        kind = "unit"
        observed = _("{name} looks like the reference in another unit: {words}").format(
            name=name, words=words or _("times {factor:.4g}").format(factor=image.factor)
        )
    return Check(
        f"feed:{name}",
        "fail",
        observed=observed,
        expected=_("values in the unit of the reference"),
        advice=_("Ask who sends {name} what changed. This is a broken feed, not drift: do not retrain on it.").format(
            name=name
        ),
        evidence={"kind": kind, "factor": image.factor, "offset": image.offset, "misfit": image.misfit, "words": words},
    )


def _frozen(name: str, before: _Column, now: _Column) -> Check | None:
    edges = np.concatenate([[0.0], before.cdf, [1.0]])
    place = int(np.searchsorted(before.edges, now.low, side="left"))
    share = float(edges[place + 1] - edges[place])
    if before.low == before.high or now.n * np.log(max(share, 1e-9)) > np.log(1e-6):
        return None
    return Check(
        f"feed:{name}",
        "warn",
        observed=_("{name} stands still at {value:.6g} in {n} rows").format(name=name, value=now.low, n=now.n),
        expected=_("values from {low:.6g} to {high:.6g}").format(low=before.low, high=before.high),
        advice=_("Look whether the sensor or the join behind {name} still gives new values.").format(name=name),
        evidence={"kind": "frozen", "value": now.low, "n_rows": now.n},
    )


def _renamed(name: str, reference: Profile, current: Profile, place: int) -> Check | None:
    """Levels vanished, and unseen ones took their share, no more and no less."""
    bins = reference.part(place)
    r, c = reference.counts[bins].astype(float), current.counts[bins].astype(float)
    n_r, n_c = r.sum(), c.sum()
    if n_r < LEAST_ROWS or n_c < LEAST_ROWS:
        return None
    expected = r[:-2] / n_r * n_c
    gone = (expected >= 10) & (c[:-2] <= 0.02 * expected)
    share, unseen = float(r[:-2][gone].sum() / n_r), float(c[-1] / n_c)
    chance = 4 * (max(share * (1 - share), unseen * (1 - unseen)) * (1 / n_c + 1 / n_r)) ** 0.5
    if share < RENAMED_SHARE or unseen < RENAMED_SHARE or abs(share - unseen) > chance + 0.02 * share:
        return None
    names = [level for level, is_gone in zip(reference.grid.parts[place].levels, gone.tolist(), strict=True) if is_gone]
    return Check(
        f"feed:{name}",
        "fail",
        observed=_("{names} of {name} vanished, and unknown values took the same share ({unseen:.1%})").format(
            names=", ".join(repr(level) for level in names[:5]), name=name, unseen=unseen
        ),
        expected=_("{share:.1%}, as in the reference").format(share=share),
        advice=_("A category was probably renamed: send the old name, or map the new one onto it."),
        evidence={"kind": "renamed", "levels": names[:20], "share": share, "unseen_rate": unseen},
    )


def _swapped(numbers: dict[str, tuple[_Column, _Column]]) -> dict[str, tuple[str, float]]:
    """Return, by column, the one whose values it holds (and the misfit), where two columns hold each other's."""
    far = [
        name
        for name, (before, now) in numbers.items()
        if before.sd > 0 and now.sd > 0 and _own_gap(before, now) >= FAR_KS
    ]
    found: dict[str, tuple[str, float]] = {}
    if len(far) > MOST_SWAPPED:  # all of the row moved: nobody swapped two of its columns
        return found
    for place, one in enumerate(far):
        for other in far[place + 1 :]:
            images = [_image_of(numbers[b][0], numbers[a][1]) for a, b in ((one, other), (other, one))]
            if all(image is not None for image in images):
                found[one], found[other] = (other, images[0].misfit), (one, images[1].misfit)  # type: ignore[union-attr]
    return found


def _image_of(before: _Column, now: _Column) -> _Image | None:
    return _image(before, now, 1.0, 0.0)


def _swapped_levels(reference: Profile, current: Profile, places: dict[str, int]) -> dict[str, tuple[str, float]]:
    """Two columns of levels that hold, both at once, next to nothing but unknown values."""
    strange = []
    for name, place in places.items():
        if reference.grid.parts[place].kind == "level" and reference.present(place) >= LEAST_ROWS:
            c = current.counts[current.part(place)]
            if c.sum() >= LEAST_ROWS and c[-1] >= 0.9 * c.sum():
                strange.append((name, float(1 - c[-1] / c.sum())))
    if len(strange) != 2:
        return {}
    (one, first), (other, second) = strange
    return {one: (other, first), other: (one, second)}


def _swap_check(name: str, found: tuple[str, float]) -> Check:
    other, misfit = found
    return Check(
        f"feed:{name}",
        "fail",
        observed=_("{name} and {other} seem to be swapped").format(name=name, other=other),
        expected=_("each column its own values"),
        advice=_("Look at the order of the columns where the rows are made: names and values do not agree."),
        evidence={"kind": "swapped", "with": other, "misfit": misfit},
    )
