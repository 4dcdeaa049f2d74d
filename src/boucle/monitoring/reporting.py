"""Reporting: what is known of a window in one Report, the same for pages, files, notebooks and commands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from boucle.core.alert import Alert
from boucle.core.check import Check
from boucle.core.i18n import _
from boucle.core.profile import Profile
from boucle.core.report import ColumnReport, Quality, Span, Traffic
from boucle.core.series import Series
from boucle.monitoring.changes import located
from boucle.monitoring.drift import Drift, drift
from boucle.monitoring.drift_checks import untested
from boucle.monitoring.grids import LATENCY, OUTCOME
from boucle.monitoring.judging import ANSWERS, Basis, Seen, requests
from boucle.monitoring.windows import Judged, column_reports

MOST_DATED = 20  # parts whose beginning is looked for
STEPS_SHOWN = 48
NAMED_BY_TEXT = frozenset({"quality", "estimate", "labels"})
_RANKS = {"fail": 0, "warn": 1, "pass": 2}
_WORDS = (
    "feed",
    "log",
    "freshness",
    "failures",
    "quality",
    "refusals",
    "drift",
    "answers",
    "expectation",
    "concept",
    "estimate",
)


def feature_columns(basis: Basis, seen: Seen, checks: Iterable[Check], series: Series) -> tuple[ColumnReport, ...]:
    """Return the inputs of a window beside the reference, worst first, with since when the worst ones moved."""
    if basis.features is None or seen.features is None:
        return ()
    grid = basis.features.grid
    skip = untested(basis.schema, grid, seen.window) | {part.name for part in grid.parts if part.column == seen.own}
    found = drift(basis.features, seen.features, basis.policy.false_alarms, skip)
    return column_reports(
        basis.features, seen.features, Judged(found, tuple(checks), _since(found, series, seen.window.stop))
    )


def answer_columns(basis: Basis, current: Profile | None, checks: Iterable[Check]) -> tuple[ColumnReport, ...]:
    """Return the answers of a window beside the first ones in service; () while those are too few."""
    if basis.answers is None or current is None:
        return ()
    found = drift(basis.answers, current, basis.policy.false_alarms)
    own = tuple(check for check in checks if check.name.startswith(ANSWERS))
    return column_reports(basis.answers, current, Judged(found, own))


def traffic_of(series: Series, window: Span) -> Traffic:
    """Return requests, refusals, latencies and rows lost of a window, and its rows and errors in 48 steps."""
    whole = series.within(window)
    if not whole.grid.parts or not whole.n_rows:
        return Traffic()
    p50, p99 = (_quantile(whole, share) for share in (0.5, 0.99))
    step = max(-(-(window.stop - window.start) // STEPS_SHOWN), 1)
    starts = range(window.start, window.stop, step)
    steps = [(start, series.within(Span(start, min(start + step, window.stop)))) for start in starts]
    per_step = tuple(
        (start, _served(part), requests(part, "refused") + requests(part, "failed")) for start, part in steps
    )
    counts = {name: requests(whole, name) for name in ("answered", "refused", "failed", "lost")}
    return Traffic(
        n_requests=counts["answered"] + counts["refused"] + counts["failed"],
        n_refused=counts["refused"],
        n_failed=counts["failed"],
        n_lost=counts["lost"],
        p50_ms=p50,
        p99_ms=p99,
        per_step=per_step,
    )


@dataclass(frozen=True)
class Found:
    """What a summary tells of."""

    checks: Sequence[Check] = ()
    alerts: Sequence[Alert] = ()
    quality: Quality | None = None
    slices: Mapping[str, str] = field(default_factory=dict)
    n_rows: int = 0
    least_rows: int = 0
    n_waiting: int = 0


def summary(found: Found) -> tuple[str, ...]:
    """Return sentences, most important first: alerts, broken feeds, quality, drift, slices; or that all is well."""
    told = []
    n_open = sum(alert.is_open for alert in found.alerts)
    if n_open == 1:
        told.append(_("One alert is open."))
    elif n_open:
        told.append(_("{n} alerts are open.").format(n=n_open))
    told += [_sentence(check) for check in sorted(found.checks, key=_gravest) if _is_told(check)][:8]
    bad = [where for where, status in found.slices.items() if status != "pass"]
    if bad:
        told.append(_("These slices need a look: {slices}.").format(slices=", ".join(bad[:5])))
    if not found.n_rows:
        told.append(_("No row came in this window: there is nothing to judge."))
    elif found.n_rows < found.least_rows:
        few = _("{n} rows came: too few to judge drift (the policy wants {least}).")
        told.append(few.format(n=found.n_rows, least=found.least_rows))
    elif not told:
        told.append(_("Nothing moved: the window is like its reference."))
    if found.quality is not None and found.quality.n_labelled:
        told.append(
            _("The outcome of {n} rows is known ({share} of those answered).").format(
                n=found.quality.n_labelled, share=f"{found.quality.label_coverage:.0%}"
            )
        )
    if found.n_waiting:
        told.append(_("{n} outcomes wait for their prediction.").format(n=found.n_waiting))
    return tuple(told)


def worst_of(checks: Iterable[Check]) -> str:
    """Return the worst status of some checks."""
    return min((check.status for check in checks), key=_RANKS.__getitem__, default="pass")


def worst_first(checks: Iterable[Check]) -> tuple[Check, ...]:
    """Return checks in the order in which they are told."""
    return tuple(sorted(checks, key=_gravest))


def _gravest(check: Check) -> tuple[int, int, str]:
    head = check.name.partition(":")[0]
    return _RANKS[check.status], _WORDS.index(head) if head in _WORDS else len(_WORDS), check.name


def _is_told(check: Check) -> bool:
    """True for what a summary tells: whatever is bad, less the columns that an overall check counts already."""
    head, _colon, subject = check.name.partition(":")
    return check.status != "pass" and not (subject and head in ("drift", ANSWERS, "concept"))


def _sentence(check: Check) -> str:
    head, _colon, subject = check.name.partition(":")
    text = check.observed.rstrip(".")
    names_itself = not subject or subject in text or head in NAMED_BY_TEXT
    return (text if names_itself else _("{title}: {subject}").format(title=subject, subject=text)) + "."


def _since(found: Drift, series: Series, until: int) -> dict[str, int]:
    return located(series, [part.name for part in found.flagged[:MOST_DATED]], until)


def _quantile(traffic: Profile, share: float) -> float | None:
    """Return a latency in milliseconds: the mean of the bin that holds the quantile."""
    place = traffic.grid.index(LATENCY)
    counts, sums = traffic.counts[traffic.part(place)], traffic.sums[traffic.part(place)]
    total = int(counts.sum())
    if not total:
        return None
    at = int((counts.cumsum() >= share * total).argmax())
    return float(sums[at] / counts[at])


def _served(traffic: Profile) -> int:
    place = traffic.grid.index(OUTCOME)
    return int(traffic.counts[traffic.part(place)][0])
