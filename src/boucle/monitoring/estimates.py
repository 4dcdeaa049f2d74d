"""Estimates: how good the answers are before anybody says what came true.

A classifier tells how sure it is. Where it was right as often as it said, so far, the sureness of today's answers tells
how many of them are right (confidence-based performance estimation; NannyML's CBPE, of Garg et al. 2022 and others).
So the scores are calibrated on the labelled rows by isotonic regression, and the expected confusion matrix is a sum
over score bins. A regressor does not tell; its error is fitted by the size of its prediction. Both hold as long as
the relation of score and truth stays as it was: a change of concept shows in the labels only. That is why each estimate
is kept beside what came true (see ``honesty``).

Everything is fitted on profiles and applied to profiles: no row is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, sqrt
from typing import Any, Literal

import numpy as np

from boucle.core.check import Check
from boucle.core.counting import level_of
from boucle.core.i18n import _, ngettext
from boucle.core.profile import Profile
from boucle.core.report import QualityPoint
from boucle.core.signature import Signature
from boucle.monitoring.counted import Counted
from boucle.monitoring.metrics import IN_UNIT, area, confusion, is_better_higher, naive_scale

LEAST_LABELLED = 100  # labelled rows before scores are calibrated or errors fitted
LEAST_OF_EACH = 10  # of them of either class
LEAST_POINTS = 5  # steps with both figures before honesty is judged
TOLERANCE = 0.03  # of figures from 0 to 1
RELATIVE_TOLERANCE = 0.10  # of the others
_POOLS = 40
_PRIOR_ROWS = 10.0

Way = Literal["raw", "scores", "classes", "errors", "none"]


@dataclass(frozen=True)
class Calibration:
    """What was learnt from the labelled rows so far; a JSON document through ``core.document``.

    ``way`` says what is estimated from: ``scores`` of two classes calibrated at the points ``at`` -> ``rates``;
    ``classes``: how often each predicted class turned out to be each class (``rates``, row by row, in the order of
    ``names``); ``errors``: the mean absolute error (``rates``) and the mean squared one (``squares``) of predictions
    of the size ``at``;
    ``raw``: too few labels, the model's probabilities are taken at their word; ``none``: nothing can be estimated.
    """

    way: Way
    n_labelled: int = 0
    at: tuple[float, ...] = ()
    rates: tuple[float, ...] = ()
    squares: tuple[float, ...] = ()
    names: tuple[str, ...] = ()
    scale: float | None = None


def calibrated(quality: Profile, signature: Signature) -> Calibration:
    """Return what the labelled rows of a quality profile (all those of a version so far) teach.

    Needs 100 labelled rows, of two classes 10 of each; with fewer the probabilities are taken as they are (``raw``).
    """
    counted = Counted(quality)
    if signature.task == "regression":
        return _fitted_errors(counted)
    positives, negatives = counted.n("score_of_positives"), counted.n("score_of_negatives")
    n_told = counted.n("correct")
    if signature.probabilities and signature.classes is not None and len(signature.classes) == 2:
        if positives + negatives < LEAST_LABELLED or min(positives, negatives) < LEAST_OF_EACH:
            return Calibration("raw", positives + negatives)
        at, rates = _isotonic(counted)
        return Calibration("scores", positives + negatives, at, rates)
    if n_told < LEAST_LABELLED:
        return Calibration("none", n_told)
    names, matrix = confusion(quality)
    said = matrix.sum(axis=0)
    shares = np.where(said > 0, matrix / np.maximum(said, 1), 0.0)
    return Calibration(
        "classes" if matrix.sum() else "none", n_told, rates=tuple(shares.T.ravel().tolist()), names=names
    )


def estimated(answers: Profile, calibration: Calibration, signature: Signature) -> dict[str, float]:
    """Return the expected figures of the answers of a window, by name as ``metrics.realised`` has them.

    Of two classes: accuracy, precision, recall, f1, balanced_accuracy, auc and brier. Of more: accuracy and f1, which
    follow the mix of predicted classes only. Of a regressor: mae, rmse and mase; predictions beyond those with labels
    get the error of the nearest that has some. {} when nothing can be told.
    """
    counted = Counted(answers)
    if calibration.way in ("raw", "scores"):
        return _of_two(counted, calibration, signature)
    if calibration.way == "classes":
        return _of_classes(counted, calibration)
    return _of_errors(counted, calibration) if calibration.way == "errors" else {}


def spread_of_sample(answers: Profile) -> float:
    """Return the most that a mean of shares of the rows of a window may err by chance, as a standard error."""
    n = Counted(answers).n("prediction")
    return 0.5 / sqrt(n) if n else float("inf")


def honesty(history: Sequence[QualityPoint]) -> Check:
    """Return the Check ``estimates``: past estimates against what came true, for each figure that has both.

    Warns when the mean difference over at least 5 steps is beyond 0.03 (10 % of the realised figure, when it is not
    on the scale from 0 to 1) and beyond twice its standard error.
    """
    expected = _("estimates that come true within {tolerance}").format(tolerance=TOLERANCE)
    errors = {name: _differences(history, name) for name in dict.fromkeys(point.name for point in history)}
    known = {name: pairs for name, pairs in errors.items() if len(pairs) >= LEAST_POINTS}
    if not known:
        return Check("estimates", "pass", _("too few steps have both an estimate and labels"), expected)
    evidence = {name: _summary(name, pairs) for name, pairs in known.items()}
    wrong = [name for name, found in evidence.items() if found["is_off"]]
    if not wrong:
        n = max(len(pairs) for pairs in known.values())
        observed = ngettext("estimates came true in {n} step", "estimates came true over {n} steps", n).format(n=n)
        return Check("estimates", "pass", observed, expected, evidence=evidence)
    name = max(wrong, key=lambda name: abs(evidence[name]["mean_error"]))
    is_better = (evidence[name]["mean_error"] > 0) == is_better_higher(name)
    observed = _("{metric} was estimated too well by {error} on average, over {n} steps")
    if not is_better:
        observed = _("{metric} was estimated too badly by {error} on average, over {n} steps")
    return Check(
        "estimates",
        "warn",
        observed.format(metric=name, error=f"{abs(evidence[name]['mean_error']):.3g}", n=evidence[name]["n"]),
        expected,
        _("Rely on labels for this model: its scores do not tell how often it is right any more."),
        evidence,
    )


# Two classes


def _isotonic(counted: Counted) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the mean score and the rate of positives of pools of bins, rates made to rise with the scores.

    The bins are pooled to some 40 of equal weight first, each with two rows more at the rate of all; then pools that
    violate the order are merged (pool adjacent violators, Ayer et al. 1955).
    """
    yes = counted.counts("score_of_positives").astype(float)
    rows = yes + counted.counts("score_of_negatives")
    sums = counted.sums("score_of_positives") + counted.sums("score_of_negatives")
    place = np.minimum((np.cumsum(rows) - rows / 2) * _POOLS // rows.sum(), _POOLS - 1).astype(int)
    weight, hits, scores = (np.bincount(place, of, _POOLS) for of in (rows, yes, sums))
    overall = yes.sum() / rows.sum()
    pools: list[list[float]] = []  # weight, hits, sum of scores
    for w, h, s in zip(weight, hits, scores, strict=True):
        if not w:
            continue
        pools.append([w + 2.0, h + 2.0 * overall, s * (w + 2.0) / w])
        while len(pools) > 1 and pools[-2][1] * pools[-1][0] >= pools[-1][1] * pools[-2][0]:
            last = pools.pop()
            pools[-1] = [a + b for a, b in zip(pools[-1], last, strict=True)]
    return tuple(s / w for w, _h, s in pools), tuple(h / w for w, h, _s in pools)


def _of_two(counted: Counted, calibration: Calibration, signature: Signature) -> dict[str, float]:
    names = [level_of(name) for name in signature.classes or ()]
    score = f"probability.{names[-1]}" if names else ""
    rows = counted.counts(score).astype(float)
    if len(names) != 2 or not rows.sum():
        return {}
    scores = counted.centres(score)
    rates = np.interp(scores, calibration.at, calibration.rates) if calibration.way == "scores" else scores
    n, said = float(rows.sum()), counted.of_levels("prediction")
    n_said = said.get(names[1], 0) / max(sum(said.values()), 1) * n
    before = np.cumsum(rows[::-1])[::-1] - rows  # rows with a higher score: those are predicted positive first
    taken = np.clip(n_said - before, 0.0, rows)
    true = float(rows @ rates)
    hits = float(taken @ rates)
    found = {
        "accuracy": (hits + (n - n_said) - (true - hits)) / n,
        "precision": _ratio(hits, n_said),
        "recall": _ratio(hits, true),
        "f1": _ratio(2 * hits, n_said + true),
        "balanced_accuracy": (_ratio(hits, true) + _ratio(n - n_said - true + hits, n - true)) / 2,
        "auc": area(rows * rates, rows * (1.0 - rates))[0],
        "brier": float(rows @ (rates * (1.0 - scores) ** 2 + (1.0 - rates) * scores**2)) / n,
    }
    return {name: value for name, value in found.items() if isfinite(value)}


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else float("nan")


# More classes, and regressors


def _of_classes(counted: Counted, calibration: Calibration) -> dict[str, float]:
    size = len(calibration.names)
    shares = np.asarray(calibration.rates).reshape(size, size)  # by predicted class: what it turned out to be
    counts = counted.of_levels("prediction")
    said = np.array([float(counts.get(name, 0)) for name in calibration.names])
    known = said * (shares.sum(axis=1) > 0)  # of a class never predicted before nothing is known
    if not known.sum():
        return {}
    matrix = (known[:, None] * shares).T
    hits, true = np.diag(matrix)[:-1], matrix.sum(axis=1)[:-1]
    both = true + known[:-1]
    occurs = both > 0
    return {"accuracy": float(hits.sum() / known.sum()), "f1": float(np.mean(2 * hits[occurs] / both[occurs]))}


def _fitted_errors(counted: Counted) -> Calibration:
    """Return mean errors by bin of the prediction, drawn to the mean of all by 10 rows of it."""
    part, n = counted.part("prediction"), counted.n("absolute_error")
    if part is None or n < LEAST_LABELLED:
        return Calibration("none", n)
    names = [f"error_at_{k}" for k in range(part.n_bins)]
    rows = np.array([counted.n(name) for name in names], dtype=float)
    sums, squares = (np.array([of(name) for name in names]) for of in (counted.total, counted.squares))
    weight = rows + _PRIOR_ROWS
    rates = (sums + _PRIOR_ROWS * sums.sum() / n) / weight
    means = (squares + _PRIOR_ROWS * squares.sum() / n) / weight
    scale = naive_scale(counted)
    known = scale if isfinite(scale) else None
    at, rates, means = (values[rows > 0].tolist() for values in (counted.centres("prediction"), rates, means))
    return Calibration("errors", n, tuple(at), tuple(rates), tuple(means), scale=known)


def _of_errors(counted: Counted, calibration: Calibration) -> dict[str, float]:
    rows = counted.counts("prediction").astype(float)
    n = float(rows.sum())
    if not n:
        return {}
    sizes = counted.centres("prediction")
    mae = float(rows @ np.interp(sizes, calibration.at, calibration.rates)) / n
    found = {"mae": mae, "rmse": sqrt(float(rows @ np.interp(sizes, calibration.at, calibration.squares)) / n)}
    return {**found, "mase": mae / calibration.scale} if calibration.scale else found


# Honesty


def _differences(history: Sequence[QualityPoint], name: str) -> list[tuple[float, float]]:
    points = [p for p in history if p.name == name and p.n_labelled > 0]
    return [(p.estimated, p.realised) for p in points if p.estimated is not None and p.realised is not None]


def _summary(name: str, pairs: list[tuple[float, float]]) -> dict[str, Any]:
    estimates, truths = (np.array(values) for values in zip(*pairs, strict=True))
    differences = estimates - truths
    mean, error = float(differences.mean()), float(differences.std(ddof=1) / sqrt(len(pairs)))
    realised = float(truths.mean())
    tolerance = TOLERANCE if name in IN_UNIT else RELATIVE_TOLERANCE * abs(realised)
    is_off = abs(mean) > tolerance and abs(mean) > 2 * error
    return {"n": len(pairs), "mean_error": mean, "standard_error": error, "realised": realised, "is_off": is_off}
