"""Judging: all checks of one window, from its profiles and what they are compared with."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace

from boucle.core.check import Check
from boucle.core.i18n import _
from boucle.core.profile import Profile
from boucle.core.report import Span
from boucle.core.schema import Schema
from boucle.core.signature import Signature
from boucle.core.watching import WatchPolicy
from boucle.monitoring.data_tests import data_tests, failures, refusals, volume
from boucle.monitoring.drift import drift
from boucle.monitoring.drift_checks import drift_checks, untested
from boucle.monitoring.feeds import feed_checks
from boucle.monitoring.grids import OUTCOME
from boucle.monitoring.quality import Labelled, quality_checks

ANSWERS = "answers"
OF_SLICES = frozenset({"feed", "drift", "missing", "constant"})  # the rest says of all rows what it says of a slice


@dataclass(frozen=True)
class Basis:
    """What windows of a version are judged by. ``features`` is the profile of the reference rows (None: none came).

    ``answers`` is that of the first answers in service, None while they are too few: a model answers the rows it was
    fitted on with more confidence than any other, so those would be no fair baseline.
    """

    schema: Schema
    signature: Signature
    policy: WatchPolicy
    features: Profile | None = None
    answers: Profile | None = None


@dataclass(frozen=True)
class Seen:
    """The profiles of one window (of one slice); None where nothing was counted.

    ``is_whole`` is False while the version has been in service for less than the window: three days are not compared
    with a reference of whole weeks. ``step`` holds the features of the newest step alone, ``usual_steps`` gives those
    of the same hours of the days before. ``own`` is the column that makes the slice: its values are all one.
    """

    window: Span
    features: Profile | None = None
    answers: Profile | None = None
    traffic: Profile | None = None
    usual_rows: float | None = None
    is_whole: bool = True
    step: Profile | None = None
    usual_steps: Callable[[], Iterable[Profile]] = tuple
    own: str = ""


def window_checks(basis: Basis, seen: Seen) -> tuple[Check, ...]:
    """Return the checks of rows and answers of a window: log, data tests, feeds, drift of inputs and of answers.

    A window of fewer rows than the policy's ``least_rows`` is not judged: neither good nor bad. A column whose feed
    looks broken is not said to drift, too. A slice has feeds, drift, missing cells and constant columns only.
    """
    found = [*_log(seen.traffic), *_requests(seen)]
    if seen.features is None or basis.features is None or seen.features.n_rows < basis.policy.least_rows:
        return tuple(found)
    feeds = [check for check in _feeds(basis, seen) if _column_of(check) != seen.own]
    broken = {_column_of(check) for check in feeds if check.is_failed} | {seen.own}
    found += [*feeds, *_tests(basis, seen, broken)]
    if seen.is_whole:
        found += _drift(basis, seen, broken)
    if seen.own:
        return tuple(check for check in found if check.name.partition(":")[0] in OF_SLICES)
    return (*found, *(_answers(basis, seen) if seen.is_whole else ()))


def late_checks(basis: Basis, labelled: Labelled) -> tuple[Check, ...]:
    """Return the checks that need ground truth, of a window whose outcomes have come."""
    return quality_checks(labelled, basis.signature)


def _feeds(basis: Basis, seen: Seen) -> list[Check]:
    """Return the feeds of the window. What breaks in its newest step is told at once, before the window is full of it.

    A step is shorter than what the reference covers: at night a column may always be empty. So it speaks only where
    the same hours of days before were found whole, or where no rhythm of the day looks so: a unit that has a name, a
    flipped sign, columns swapped, a category renamed. Of a window that is not whole only those are said, too.
    """
    assert basis.features is not None  # noqa: S101  # asked by the caller
    assert seen.features is not None  # noqa: S101
    of_window = feed_checks(basis.schema, basis.features, seen.features)
    found = {check.name: check for check in of_window if seen.is_whole or not check.is_failed or _is_sure(check)}
    if seen.step is None or not _is_enough(basis, seen.step):
        return list(found.values())
    new = [check for check in feed_checks(basis.schema, basis.features, seen.step) if check.is_failed]
    usual = [profile for profile in seen.usual_steps() if _is_enough(basis, profile)] if new else []
    before = [check for profile in usual for check in feed_checks(basis.schema, basis.features, profile)]
    known = {check.name for check in before if check.is_failed}
    found.update({check.name: check for check in new if (usual or _is_sure(check)) and check.name not in known})
    return list(found.values())


def _is_sure(feed: Check) -> bool:
    kind = feed.evidence.get("kind")
    return kind in ("sign", "swapped", "renamed") or (kind == "unit" and bool(feed.evidence.get("words")))


def _is_enough(basis: Basis, profile: Profile) -> bool:
    return bool(profile.grid.parts) and profile.n_rows >= basis.policy.least_rows


def _column_of(check: Check) -> str:
    return check.name.partition(":")[2]


def _tests(basis: Basis, seen: Seen, broken: Collection[str]) -> Iterable[Check]:
    """Return the data tests, less those of columns whose feed is said to be broken already, or that are the slice."""
    assert basis.features is not None  # noqa: S101  # asked by the caller
    assert seen.features is not None  # noqa: S101
    checks = data_tests(basis.schema, basis.features, seen.features, basis.policy)
    of_rows = [volume(seen.features.n_rows, seen.usual_rows)] if seen.usual_rows is not None else []
    return (*(check for check in checks if _column_of(check) not in broken), *of_rows)


def _drift(basis: Basis, seen: Seen, broken: Collection[str]) -> Iterable[Check]:
    assert basis.features is not None  # noqa: S101  # asked by the caller
    assert seen.features is not None  # noqa: S101
    grid = basis.features.grid
    skip = {part.name for part in grid.parts if part.column in broken} | untested(basis.schema, grid, seen.window)
    return drift_checks(drift(basis.features, seen.features, basis.policy.false_alarms, skip))


def _answers(basis: Basis, seen: Seen) -> Iterable[Check]:
    """Return the drift of the answers, under names of their own: a column may be called ``prediction``, too."""
    if basis.answers is None or seen.answers is None:
        return ()
    checks = drift_checks(drift(basis.answers, seen.answers, basis.policy.false_alarms))
    return (replace(check, name=ANSWERS + check.name.removeprefix("drift")) for check in checks)


def _requests(seen: Seen) -> Iterable[Check]:
    """Return what became of the requests, however few rows came of them: when all are refused, none did."""
    answered, refused, failed = (requests(seen.traffic, outcome) for outcome in ("answered", "refused", "failed"))
    if answered + refused + failed:
        yield refusals(answered + refused + failed, refused)
        yield failures(answered + refused + failed, failed)


def _log(traffic: Profile | None) -> Iterable[Check]:
    if traffic is None or not traffic.n_rows:
        return
    lost = requests(traffic, "lost")
    if not lost:
        yield Check("log", "pass", _("every answer was written down"))
        return
    yield Check(
        "log",
        "fail",
        _("{n} answers could not be written down").format(n=lost),
        _("none"),
        _("Free some room on the gateway's disk; what was answered meanwhile is not in the inference log."),
        {"n_lost": lost},
    )


def requests(traffic: Profile | None, outcome: str) -> int:
    """Return how many requests of a window came to an outcome (of ``lost``: answers)."""
    if traffic is None:
        return 0
    place = traffic.grid.index(OUTCOME)
    levels = traffic.grid.parts[place].levels
    return int(traffic.counts[traffic.part(place)][levels.index(outcome)])
