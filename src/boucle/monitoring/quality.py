"""Quality of a window: what came true against what was to be expected, without crying wolf.

A window is looked at each hour and overlaps the one before, so a plain 5 % test would fail each week. A figure fails
only when it is worse by an effect that matters (0.02 on the scale from 0 to 1; 5 % otherwise; 10 % of a log-loss or
Brier score, which move more) *and* by more than chance allows at ``alpha`` per look, 0.0002 by default, divided by the
number of figures tested (Bonferroni). So set, no check failed in 112 simulated weeks of hourly looks at a day's window
of a model as good as ever (120 and 1,200 labelled rows each, 2,000 in the baseline); at 0.001 six did in 80 weeks.
The patience of alerts comes on top.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import isfinite, sqrt
from typing import Any

from scipy.special import ndtri

from boucle.core.check import Check
from boucle.core.i18n import _
from boucle.core.profile import Profile
from boucle.core.report import Metric, Quality
from boucle.core.signature import Signature
from boucle.monitoring.counted import Counted
from boucle.monitoring.estimates import Calibration, estimated, spread_of_sample
from boucle.monitoring.metric_names import metric_title
from boucle.monitoring.metrics import IN_UNIT, Z, is_better_higher, realised

ALPHA = 0.0002
LEAST_LABELLED = 50  # in the window, before a figure is judged
LEAST_BASELINE = 100  # labelled rows that can be a baseline
LEAST_ANSWERS = 100  # answers in the window, before an estimate is judged
UNIT_EFFECT, RELATIVE_EFFECT, LOSS_EFFECT = 0.02, 0.05, 0.10
ESTIMATE_EFFECT = 0.03  # of an estimated figure from 0 to 1; it is a guess, so it must say more
MOST_UNKNOWN = 0.01
HOUR_US = 3_600_000_000
JUDGED = (
    *("accuracy", "f1", "auc", "log_loss", "brier", "mae", "rmse", "interval_coverage"),
    *("label_precision", "label_recall", "label_coverage"),
)
ESTIMATED = ("accuracy", "auc", "mae")
_ALSO_KNOWN_AS = {"roc_auc": "auc", "f1_score": "f1", "logloss": "log_loss", "brier_score": "brier"}


@dataclass(frozen=True)
class Labelled:
    """What the quality of one window is judged on.

    ``quality`` is the quality profile of the window, ``answers`` that of all its answers (None: not looked at).
    ``baseline`` and ``baseline_answers`` are the profiles of the first labelled rows in service and of the answers of
    the reference; ``stated`` are the metrics that the notebook sent, used where the baseline is too small.
    ``n_unknown`` truths told in the window name no prediction.
    """

    quality: Profile
    answers: Profile | None = None
    baseline: Profile | None = None
    baseline_answers: Profile | None = None
    calibration: Calibration | None = None
    stated: Mapping[str, float] = field(default_factory=dict)
    n_unknown: int = 0
    alpha: float = ALPHA


def quality_of(labelled: Labelled, signature: Signature) -> Quality:
    """Return the figures of a window with their expected and estimated values, label coverage and median lag.

    Figures that are estimated but not realised yet are there too. Coverage is over the rows answered; without
    ``answers`` it is 1 for any labelled row.
    """
    found = {metric.name: metric for metric in realised(labelled.quality, signature)}
    for name, value in _estimates(labelled.answers, labelled, signature).items():
        metric = found.get(name, Metric(name, higher_is_better=is_better_higher(name)))
        found[name] = replace(metric, estimated=value)
    expected = _expected(labelled, signature)
    n_labelled, n_answers = labelled.quality.n_rows, labelled.answers.n_rows if labelled.answers else 0
    return Quality(
        tuple(replace(m, expected=expected[name].realised) if name in expected else m for name, m in found.items()),
        label_coverage=min(1.0, n_labelled / n_answers) if n_answers else float(n_labelled > 0),
        n_labelled=n_labelled,
        label_lag_s=_median_lag(labelled.quality),
        n_unknown=labelled.n_unknown,
    )


def quality_checks(labelled: Labelled, signature: Signature) -> tuple[Check, ...]:
    """Return ``quality:<figure>``, ``estimate:<figure>`` and ``labels`` for a window.

    A quality check fails when its figure is worse than expected, surely and by an effect that matters; an estimate
    only ever warns; ``labels`` warns when over 1 % of the truths told name no prediction. A window with under 50
    labelled rows has no quality check, so that an alert neither opens nor closes for want of labels.
    """
    checks = [_labels_check(labelled, signature)]
    found = {metric.name: metric for metric in realised(labelled.quality, signature)}
    expected = _expected(labelled, signature)
    names = [name for name in JUDGED if name in found and name in expected]
    if labelled.quality.n_rows >= LEAST_LABELLED:
        alpha = labelled.alpha / max(len(names), 1)
        checks += [_quality_check(found[name], expected[name], alpha, labelled.quality.n_rows) for name in names]
    return (*checks, *_estimate_checks(labelled, signature))


def effect_of(name: str, expected: float) -> float:
    """Return by how much a figure must be worse to matter, in its unit."""
    if name in ("log_loss", "brier"):
        return LOSS_EFFECT * abs(expected)
    return UNIT_EFFECT if name in IN_UNIT else RELATIVE_EFFECT * abs(expected)


def _expected(labelled: Labelled, signature: Signature) -> dict[str, Metric]:
    """Return what was to be expected: the notebook's figures, replaced by those of the first labels in service."""
    stated = {_ALSO_KNOWN_AS.get(name, name): value for name, value in labelled.stated.items() if isfinite(value)}
    found = {name: Metric(name, realised=value) for name, value in stated.items()}
    if signature.interval_level is not None:
        found["interval_coverage"] = Metric("interval_coverage", realised=signature.interval_level)
    if labelled.baseline is not None and labelled.baseline.n_rows >= LEAST_BASELINE:
        found.update({metric.name: metric for metric in realised(labelled.baseline, signature)})
    return found


def _quality_check(metric: Metric, expected: Metric, alpha: float, n: int) -> Check:
    value, before = metric.realised or 0.0, expected.realised or 0.0
    worse = before - value if metric.higher_is_better else value - before
    error = sqrt(
        _error(metric, is_up=metric.higher_is_better) ** 2 + _error(expected, is_up=not metric.higher_is_better) ** 2
    )
    bound = effect_of(metric.name, before)
    chance = float(-ndtri(alpha)) * error
    evidence: dict[str, Any] = {"realised": value, "expected": before, "n": n, "effect": bound, "chance": chance}
    evidence |= {"low": metric.low, "high": metric.high}
    observed = _("{metric} is {value} on {n} labelled rows").format(
        metric=metric_title(metric.name), value=f"{value:.4g}", n=n
    )
    told = _("{value}, and not worse by {bound}").format(value=f"{before:.4g}", bound=f"{max(bound, chance):.2g}")
    if worse <= bound or worse <= chance or metric.low is None:
        return Check(f"quality:{metric.name}", "pass", observed, told, evidence=evidence)
    advice = _("See which columns drifted and which slices lost most; try a refit on the newest labelled rows.")
    return Check(f"quality:{metric.name}", "fail", observed, told, advice, evidence)


def _error(metric: Metric, *, is_up: bool) -> float:
    """Return a standard error from the side of the interval that faces the other figure; 0 when there is none."""
    bound = metric.high if is_up else metric.low
    return 0.0 if bound is None or metric.realised is None else abs(bound - metric.realised) / Z


def _estimates(answers: Profile | None, labelled: Labelled, signature: Signature) -> dict[str, float]:
    calibration = labelled.calibration or Calibration("raw")
    return estimated(answers, calibration, signature) if answers is not None else {}


def _estimate_checks(labelled: Labelled, signature: Signature) -> list[Check]:
    if labelled.answers is None or labelled.baseline_answers is None or labelled.answers.n_rows < LEAST_ANSWERS:
        return []
    now = _estimates(labelled.answers, labelled, signature)
    before = _estimates(labelled.baseline_answers, labelled, signature)
    return [
        _estimate_check(name, now[name], before[name], labelled) for name in ESTIMATED if name in now and name in before
    ]


def _estimate_check(name: str, now: float, before: float, labelled: Labelled) -> Check:
    worse = before - now if is_better_higher(name) else now - before
    bound = ESTIMATE_EFFECT if name in IN_UNIT else RELATIVE_EFFECT * abs(before)
    if name in IN_UNIT and labelled.answers is not None:
        bound = max(bound, float(-ndtri(labelled.alpha)) * spread_of_sample(labelled.answers))
    is_raw = labelled.calibration is None or labelled.calibration.way == "raw"
    evidence = {"estimated": now, "expected": before, "bound": bound, "is_calibrated": not is_raw}
    observed = _("{metric} is estimated at {value}, before labels").format(
        metric=metric_title(name), value=f"{now:.4g}"
    )
    if is_raw:
        observed = _(
            "{metric} is estimated at {value} from the model's own probabilities, too few labels to check them"
        )
        observed = observed.format(metric=metric_title(name), value=f"{now:.4g}")
    told = _("{value}, and not worse by {bound}").format(value=f"{before:.4g}", bound=f"{bound:.2g}")
    if worse <= bound:
        return Check(f"estimate:{name}", "pass", observed, told, evidence=evidence)
    advice = _("The rows moved to where the model is less sure. Send labels soon to see whether it errs more.")
    return Check(f"estimate:{name}", "warn", observed, told, advice, evidence)


def _labels_check(labelled: Labelled, signature: Signature) -> Check:
    quality = quality_of(labelled, signature)
    evidence = {
        "coverage": quality.label_coverage,
        "n_labelled": quality.n_labelled,
        "lag_s": quality.label_lag_s,
        "n_unknown": quality.n_unknown,
    }
    expected = _("labels whose ids are those of predictions")
    observed = _("{n} rows are labelled, {share} of those answered").format(
        n=quality.n_labelled, share=f"{quality.label_coverage:.0%}"
    )
    if quality.n_unknown <= MOST_UNKNOWN * max(quality.n_labelled, 1):
        return Check("labels", "pass", observed, expected, evidence=evidence)
    observed = _("{n} labels name no prediction that is kept").format(n=quality.n_unknown)
    advice = _("Send the id of each row as the answer told it: the prediction id, a colon and the row from 0.")
    return Check("labels", "warn", observed, expected, advice, evidence)


def labels_come(at: int, newest: int, longest_us: int, window_us: int) -> Check:
    """Return the check ``labels:freshness``: outcomes come as they came so far, or they do not any more.

    ``newest`` is the newest minute with an outcome, ``longest_us`` the longest wait for one until now: twice as long,
    and a window, is too long at ``at`` (UTC us). Failed, the share of labelled rows is as good as none.
    """
    waited_us, limit_us = at - newest, 2 * longest_us + window_us
    observed = _("the newest row with an outcome is {hours:.1f} h old").format(hours=waited_us / HOUR_US)
    expected = _("{hours:.1f} h at most: twice the longest wait so far, and a window").format(hours=limit_us / HOUR_US)
    evidence: dict[str, Any] = {"waited_s": waited_us / 1e6, "limit_s": limit_us / 1e6}
    if waited_us <= limit_us:
        return Check("labels:freshness", "pass", observed, expected, evidence=evidence)
    advice = _("Ask who sends the ground truth: without it nobody knows whether the answers are still right.")
    return Check("labels:freshness", "fail", observed, expected, advice, evidence | {"coverage": 0.0})


def _median_lag(quality: Profile) -> float | None:
    """Return the median lag, as the mean of the bin that holds it."""
    counted = Counted(quality)
    counts = counted.counts("lag_s")
    if not counts.sum():
        return None
    place = int((counts.cumsum() * 2 >= counts.sum()).argmax())
    return float(counted.centres("lag_s")[place])
