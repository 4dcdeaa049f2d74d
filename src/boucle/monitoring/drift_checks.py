"""What the drift of a window comes to, in checks: one for each part, and one over all."""

from __future__ import annotations

from boucle.core.check import Check, Status
from boucle.core.grid import Grid
from boucle.core.i18n import _, ngettext
from boucle.core.report import Span
from boucle.core.schema import Schema
from boucle.core.watching import DAY_S
from boucle.monitoring.drift import Drift, PartDrift

# a large change fails; a smaller one that is certain warns. 0.2 and 0.25 are where PSI and Jensen-Shannon are
# customarily called a large change, half a standard deviation is Cohen's medium effect
LARGE_WASSERSTEIN = 0.5
LARGE_JENSEN_SHANNON = 0.25
LARGE_RATE = 0.1
NAMED = 5


def untested(schema: Schema, grid: Grid, window: Span | None = None) -> frozenset[str]:
    """Return the parts that are not tested for drift: dates (time moves on), hours and weekdays of short windows.

    An hour of the day can move only against whole days, a weekday only against whole weeks; without a window neither
    is tested.
    """
    dates = {column.name for column in schema.columns if column.type == "datetime"}
    length_s = (window.stop - window.start) / 1e6 if window is not None else 0.0
    least_s = {"": float("inf"), "hour": float(DAY_S), "weekday": 7.0 * DAY_S}
    return frozenset(
        part.name for part in grid.parts if part.column in dates and length_s < least_s.get(part.aspect, 0.0)
    )


def drift_checks(drift: Drift) -> tuple[Check, ...]:
    """Return a check ``drift:<part>`` for each part that was tested, and ``drift`` over all, last.

    A part warns when it is flagged and fails when the change is large, too; ``drift`` is the worst of them.
    """
    parts = [_check(part, drift) for part in drift.parts]
    return (*parts, _overall(drift, parts))


def status_of(part: PartDrift) -> Status:
    """Return ``pass``, ``warn`` (moved) or ``fail`` (moved far)."""
    if not part.is_flagged:
        return "pass"
    rate = max(abs(part.missing_rate - part.reference_missing_rate), part.unseen_rate)
    far = (part.wasserstein or 0.0) >= LARGE_WASSERSTEIN or (part.jensen_shannon or 0.0) >= LARGE_JENSEN_SHANNON
    return "fail" if far or rate >= LARGE_RATE else "warn"


def _check(part: PartDrift, drift: Drift) -> Check:
    status = status_of(part)
    return Check(
        f"drift:{part.name}",
        status,
        observed=_observed(part),
        expected=_("chance alone flags any column in at most {share:.1%} of windows").format(share=drift.false_alarms),
        advice="" if status == "pass" else _advice(part),
        evidence=_evidence(part, drift),
    )


def _observed(part: PartDrift) -> str:
    if not part.is_flagged:
        return _("no drift worth telling (p = {p:.3g})").format(p=part.p_value)
    if part.cause == "missing":
        return _("{now:.1%} missing, {before:.1%} in the reference").format(
            now=part.missing_rate, before=part.reference_missing_rate
        )
    if part.cause == "unseen":
        return _("{now:.1%} of the values lie outside what the reference held").format(now=part.unseen_rate)
    if part.wasserstein is not None:
        return _("moved by {sd:.2f} standard deviations of the reference (p = {p:.2g})").format(
            sd=part.wasserstein, p=part.p_value
        )
    return _("the shares of its values moved: Jensen-Shannon distance {distance:.2f} (p = {p:.2g})").format(
        distance=part.jensen_shannon or 0.0, p=part.p_value
    )


def _advice(part: PartDrift) -> str:
    if part.cause == "missing":
        return _("Ask who fills {name} whether something changed, then look at the rows without it.").format(
            name=part.name
        )
    if part.cause == "unseen":
        return _("Look at the new values of {name}: new customers, or a new spelling?").format(name=part.name)
    return _(
        "Compare both histograms of {name}. If the world changed, look at the quality of the answers and retrain; "
        "if the feed changed, mend it."
    ).format(name=part.name)


def _evidence(part: PartDrift, drift: Drift) -> dict[str, object]:
    return {
        "p_value": part.p_value,
        "adjusted": part.adjusted,
        "cause": part.cause,
        "wasserstein": part.wasserstein,
        "jensen_shannon": part.jensen_shannon,
        "psi": part.psi,
        "ks": part.ks,
        "missing_rate": part.missing_rate,
        "reference_missing_rate": part.reference_missing_rate,
        "unseen_rate": part.unseen_rate,
        "n_reference": drift.n_reference,
        "n_current": drift.n_current,
    }


def _overall(drift: Drift, parts: list[Check]) -> Check:
    flagged = drift.flagged
    statuses = {check.status for check in parts}
    worst: Status = "fail" if "fail" in statuses else "warn" if "warn" in statuses else "pass"
    names = ", ".join(part.name for part in flagged[:NAMED]) + (" …" if len(flagged) > NAMED else "")
    moved = ngettext("{n} of {total} columns moved: {names}", "{n} of {total} columns moved: {names}", len(flagged))
    observed = moved if flagged else _("none of {total} columns moved")
    return Check(
        "drift",
        worst,
        observed=observed.format(n=len(flagged), total=len(parts), names=names),
        expected=_("a window like the reference ({n} rows)").format(n=drift.n_reference),
        advice=_("Look at the columns, worst first, and at the quality of the answers.") if flagged else "",
        evidence={
            "flagged": [part.name for part in flagged],
            "n_parts": len(parts),
            "p_value": drift.p_value,
            "n_reference": drift.n_reference,
            "n_current": drift.n_current,
        },
    )
