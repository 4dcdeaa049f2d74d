"""Data tests: is the window as the schema and the reference say? Judged on profiles, so rows are not needed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from boucle.core.check import Check, Status
from boucle.core.grid import Part
from boucle.core.i18n import _
from boucle.core.profile import Profile
from boucle.core.schema import ColumnSchema, Schema
from boucle.core.watching import WatchPolicy
from boucle.monitoring.drift import LEAST_ROWS
from boucle.monitoring.rates import rate_p

RANGE_SLACK = 0.1  # of the reference's range, at either end
LEAST_NEW_SHARE = 0.005  # of values out of range or unheard of that are worth a word
LEAST_MISSING_RISE = 0.01
LEAST_WRONG, WRONG_WARN, WRONG_FAIL = 3, 0.01, 0.1  # requests, and shares of them
VOLUME_FACTOR = 5.0  # times more, or fewer, rows than usual


def data_tests(schema: Schema, reference: Profile, current: Profile, policy: WatchPolicy) -> tuple[Check, ...]:
    """Return the data tests of a window: ``range:``, ``categories:``, ``missing:`` and ``constant:<column>``.

    Missing rates are tested so that a window without change fails any of them with a chance of at most
    ``policy.false_alarms`` (Bonferroni over the columns). A window of under 20 rows passes all tests of columns: so
    little shows nothing.
    """
    places = {part.name: place for place, part in enumerate(reference.grid.parts)}
    level = policy.false_alarms / max(len(schema.columns), 1)
    found: list[Check] = []
    for column in schema.columns:
        place = places.get(column.name, places.get(f"{column.name}.length"))
        if place is not None:
            found += _of_column(_Window(column, place, reference, current), level)
    return tuple(found)


@dataclass(frozen=True, eq=False)
class _Window:
    column: ColumnSchema
    place: int
    reference: Profile
    current: Profile

    @property
    def part(self) -> Part:
        return self.reference.grid.parts[self.place]

    @property
    def is_value(self) -> bool:
        return not self.part.aspect

    def counts(self, profile: Profile) -> Any:
        return profile.counts[profile.part(self.place)]

    def missing_rate(self, profile: Profile) -> float:
        return int(profile.missing[self.place]) / max(profile.n_rows, 1)


def _of_column(window: _Window, level: float) -> list[Check]:
    found = [_missing(window, level)]
    if window.is_value and window.part.kind == "number" and window.column.type != "datetime":
        found.append(_range(window))
    if window.is_value and window.part.kind == "level" and window.column.type == "category":
        found.append(_categories(window))
    if window.is_value and window.column.type != "datetime":
        found.append(_constant(window))
    return found


def _missing(window: _Window, level: float) -> Check:
    name, reference, current = window.column.name, window.reference, window.current
    before, now = window.missing_rate(reference), window.missing_rate(current)
    hits = (
        (int(reference.missing[window.place]), reference.n_rows),
        (int(current.missing[window.place]), current.n_rows),
    )
    p = float(rate_p(*hits, one_sided=True)) if reference.n_rows else 1.0
    bad = p <= level and now - before >= LEAST_MISSING_RISE and current.n_rows >= LEAST_ROWS
    return Check(
        f"missing:{name}",
        "fail" if bad else "pass",
        observed=_("{now:.1%} of {n} rows lack {name}").format(now=now, n=current.n_rows, name=name),
        expected=_("about {before:.1%}, as in the reference").format(before=before),
        advice=_("Ask who fills {name} what changed.").format(name=name) if bad else "",
        evidence={"missing_rate": now, "reference_missing_rate": before, "p_value": p, "n_rows": current.n_rows},
    )


def _range(window: _Window) -> Check:
    """Values beyond the reference's range and a tenth of it: one warns, half a percent of the rows fails."""
    name, place, current = window.column.name, window.place, window.current
    low, high = float(window.reference.low[place]), float(window.reference.high[place])
    slack = RANGE_SLACK * ((high - low) or abs(high) or 1.0)
    seen_low, seen_high = float(current.low[place]), float(current.high[place])
    counts, before = window.counts(current), window.counts(window.reference)
    # the outer bins of a grid lie wholly outside what the reference held; how many of theirs keep to the slack is
    # not known, so their share is the most that can be outside
    outside = (int(counts[0]) if not before[0] else 0) + (int(counts[-1]) if not before[-1] and len(counts) > 1 else 0)
    share = outside / max(int(counts.sum()), 1)
    beyond = low <= high and (seen_low < low - slack or seen_high > high + slack)
    bad = beyond and current.n_rows >= LEAST_ROWS
    seen = seen_low <= seen_high
    return Check(
        f"range:{name}",
        ("fail" if share >= LEAST_NEW_SHARE else "warn") if bad else "pass",
        observed=_("{name} from {low:.6g} to {high:.6g}; {share:.1%} outside the reference").format(
            name=name, low=seen_low, high=seen_high, share=share
        )
        if seen
        else _("no value of {name}").format(name=name),
        expected=_("from {low:.6g} to {high:.6g}").format(low=low - slack, high=high + slack) if low <= high else "",
        advice=_("Look at the extreme rows: a wrong unit, a code for missing (-999), or a new kind of case?")
        if bad
        else "",
        evidence={
            "low": seen_low if seen else None,
            "high": seen_high if seen else None,
            "reference_low": low if low <= high else None,
            "reference_high": high if low <= high else None,
            "share_outside": share,
        },
    )


def _categories(window: _Window) -> Check:
    name = window.column.name
    counts, before = window.counts(window.current), window.counts(window.reference)
    n, n_new = int(counts.sum()), int(counts[-1])
    share = n_new / max(n, 1)
    bad = n_new >= 3 and share >= LEAST_NEW_SHARE and share > 2 * before[-1] / max(int(before.sum()), 1)
    return Check(
        f"categories:{name}",
        "warn" if bad and n >= LEAST_ROWS else "pass",
        observed=_("{n} of {total} values of {name} are new ({share:.1%})").format(
            n=n_new, total=n, name=name, share=share
        ),
        expected=_("the {n} categories of the reference").format(n=len(window.part.levels) + len(window.part.others)),
        advice=_("Look at the new categories: a new spelling, or new cases that the model never saw?") if bad else "",
        evidence={"n_unseen": n_new, "unseen_rate": share, "n_rows": window.current.n_rows},
    )


def _constant(window: _Window) -> Check:
    """One value only, where the reference made that nearly impossible: p^n under one in a million."""
    name, place = window.column.name, window.place
    counts, before = window.counts(window.current), window.counts(window.reference)
    n, n_before = int(counts.sum()), int(before.sum())
    kinds = int((counts > 0).sum())
    is_number = window.part.kind == "number"
    is_one = (
        window.current.low[place] == window.current.high[place] if is_number else kinds == 1 and not counts[-2:].any()
    )
    share = float(before[int(counts.argmax())]) / max(n_before, 1) if n else 1.0
    varied = n_before > 0 and int((before > 0).sum()) > 1
    bad = n >= LEAST_ROWS and bool(is_one) and varied and share**n < 1e-6
    return Check(
        f"constant:{name}",
        "warn" if bad else "pass",
        observed=_("{n} rows hold one and the same value of {name}").format(n=n, name=name)
        if bad
        else _("{name} varies, or too few rows came to tell").format(name=name),
        expected=_("several values, as in the reference"),
        advice=_("Look whether the source of {name} stands still, or a default took its place.").format(name=name)
        if bad
        else "",
        evidence={"n_rows": n, "reference_share": share},
    )


def freshness(now: int, newest: int, silent_after_s: int) -> Check:
    """Return the check ``freshness``: the newest row (UTC microseconds) may be so many seconds old, no more."""
    age_s = max(0.0, (now - newest) / 1e6)  # a clock that ran backwards makes no row late
    bad = age_s > silent_after_s
    at = datetime.fromtimestamp(newest / 1e6, UTC).isoformat(timespec="seconds")
    return Check(
        "freshness",
        "fail" if bad else "pass",
        observed=_("the newest row came at {at}, {age:.0f} s ago").format(at=at, age=age_s),
        expected=_("a row at least every {limit} s").format(limit=silent_after_s),
        advice=_("Ask the callers whether they still call, and look whether the gateway answers.") if bad else "",
        evidence={"newest": newest, "age_s": age_s, "silent_after_s": silent_after_s},
    )


def volume(n_rows: int, usual: float) -> Check:
    """Warn at a fifth or five times the usual; small numbers are not judged, for they vary by themselves."""
    few = usual >= 50 and n_rows < usual / VOLUME_FACTOR
    many = n_rows >= 50 and n_rows > max(usual, 10) * VOLUME_FACTOR
    return Check(
        "volume",
        "warn" if few or many else "pass",
        observed=_("{n} rows came, where about {usual:.0f} are usual").format(n=n_rows, usual=usual),
        expected=_("about {usual:.0f}, as usual in such a window").format(usual=usual),
        advice=_("Look at the callers: is one of them gone, or sending its rows again?") if few or many else "",
        evidence={"n_rows": n_rows, "usual_rows": usual},
    )


def refusals(n_requests: int, n_refused: int) -> Check:
    """Warn when 1 % of the requests of a window were refused for a type or a missing column, fail at 10 %."""
    words = (
        _("{n} of {total} requests were refused ({share:.1%})"),
        _("A column of their rows has a wrong type or is missing: read the answers 422 that the callers got."),
    )
    return _share("refusals", n_requests, n_refused, words)


def failures(n_requests: int, n_failed: int) -> Check:
    """Warn when 1 % of the requests of a window ended with an error of the server, fail at 10 %."""
    words = (
        _("{n} of {total} requests failed ({share:.1%})"),
        _("The model raised, was not loaded or gave no answer in time: read the gateway's log, or roll back."),
    )
    return _share("failures", n_requests, n_failed, words)


def _share(name: str, n_requests: int, n: int, words: tuple[str, str]) -> Check:
    """Judge how many of the requests went wrong; under three show nothing."""
    observed, advice = words
    share = n / n_requests
    status: Status = "pass"
    if n >= LEAST_WRONG and share >= WRONG_WARN:
        status = "fail" if share >= WRONG_FAIL else "warn"
    return Check(
        name,
        status,
        observed=observed.format(n=n, total=n_requests, share=share),
        expected=_("under {limit:.0%}").format(limit=WRONG_WARN),
        advice="" if status == "pass" else advice,
        evidence={"n_requests": n_requests, "n": n, "share": share},
    )
