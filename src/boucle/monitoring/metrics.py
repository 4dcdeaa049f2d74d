"""Metrics: quality figures from a quality profile alone, each with what it may be by chance.

Whatever is a mean of rows (accuracy, log-loss, Brier, MAE, RMSE, bias, R2, coverage, precision, recall, F1) is exact:
a profile keeps counts, sums and sums of squares. AUC and the calibration error read score histograms; the rows that
share a bin count as ties, which moves the AUC by half of their share at most.

The 95 % intervals: Wilson (1927) for proportions; the normal one for means, from the sums of squares; DeLong et al.
(1988) for the AUC, on the binned scores; F1 = 2J/(1+J) where J = TP/(TP+FP+FN) is a proportion, so its interval is
that of Wilson carried over. Means over classes take the classes as independent. Without a stated one there is none.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite, sqrt
from typing import Any, NamedTuple

import numpy as np

from boucle.core.profile import Profile
from boucle.core.report import Metric
from boucle.core.signature import Signature
from boucle.monitoring.counted import Counted

Z = 1.959963984540054  # two-sided 95 %
N_CALIBRATION_BINS = 10
LOWER_IS_BETTER = frozenset(
    ("log_loss", "brier", "calibration_error", "mae", "rmse", "mape", "mase", "naive_ratio", "interval_width")
)
IN_UNIT = frozenset(  # figures on the scale from 0 to 1
    ("accuracy", "balanced_accuracy", "precision", "recall", "f1", "auc", "calibration_error", "interval_coverage")
) | {"label_precision", "label_recall", "label_coverage", "precision_at_n", "brier"}


class Figure(NamedTuple):
    """A value and its 95 % interval, None when there is none."""

    value: float
    low: float | None = None
    high: float | None = None


def realised(profile: Profile, signature: Signature) -> tuple[Metric, ...]:
    """Return the figures of the labelled rows of a quality profile; those that cannot be told are left out.

    Of two classes, precision, recall and F1 are those of the last class; of more they are means over the classes
    that occur (macro). A row whose truth is no known class counts as wrong.
    """
    counted = Counted(profile)
    if signature.task == "classification":
        figures = {**_correct(counted), **_confusion(counted), **_scores(counted), **_labels(counted)}
    else:
        figures = {**_errors(counted, signature), **_events(counted, "score_of_positives", "score_of_negatives")}
    return tuple(_metric(name, figure) for name, figure in figures.items() if isfinite(figure.value))


def proportion(k: float, n: float) -> Figure:
    """Return k/n with the interval of Wilson (1927).

    >>> [round(x, 4) for x in proportion(8, 10)]
    [0.8, 0.4902, 0.9433]
    """
    if n <= 0:
        return Figure(float("nan"))
    p, z2 = k / n, Z * Z
    middle, half = (
        (p + z2 / (2 * n)) / (1 + z2 / n),
        Z * sqrt(max(0.0, p * (1 - p)) / n + z2 / (4 * n * n)) / (1 + z2 / n),
    )
    return Figure(p, max(0.0, middle - half), min(1.0, middle + half))


def around(value: float, error: float) -> Figure:
    """Return a value with the normal interval of a standard error; NaN is none."""
    return Figure(value, value - Z * error, value + Z * error) if isfinite(error) else Figure(value)


def area(positives: Any, negatives: Any) -> tuple[float, float]:
    """Return the AUC and its standard error (DeLong et al. 1988) of counts by bin, lowest scores first.

    Scores in the same bin are ties and count half. NaN when either class is absent.
    """
    n_positive, n_negative = float(np.sum(positives)), float(np.sum(negatives))
    if n_positive <= 0 or n_negative <= 0:
        return float("nan"), float("nan")
    below = (np.cumsum(negatives) - negatives / 2) / n_negative  # share of the negatives under a score
    above = (n_positive - np.cumsum(positives) + positives / 2) / n_positive
    value = float(positives @ below) / n_positive
    spread_of_positives = float(positives @ (below - value) ** 2) / max(n_positive - 1, 1)
    spread_of_negatives = float(negatives @ (above - value) ** 2) / max(n_negative - 1, 1)
    return value, sqrt(spread_of_positives / n_positive + spread_of_negatives / n_negative)


def precision_at(profile: Profile, k: int) -> float:
    """Return the share of events among the ``k`` rows with the highest scores, of a quality profile with two classes.

    Rows of the bin that ``k`` cuts are taken in proportion. NaN without k scores.
    """
    counted = Counted(profile)
    return _precision_at(counted.counts("score_of_positives"), counted.counts("score_of_negatives"), k)


def is_better_higher(name: str) -> bool:
    """True for a figure of which more is better."""
    return name not in LOWER_IS_BETTER


def _metric(name: str, figure: Figure) -> Metric:
    bounds = [bound if bound is not None and isfinite(bound) else None for bound in figure[1:]]
    return Metric(name, figure.value, low=bounds[0], high=bounds[1], higher_is_better=is_better_higher(name))


# Classifiers


def _correct(counted: Counted) -> dict[str, Figure]:
    return {"accuracy": proportion(counted.total("correct"), counted.n("correct"))}


def confusion(profile: Profile) -> tuple[tuple[str, ...], Any]:
    """Return the names of the classes and the confusion matrix (truth, prediction), one row and column for each.

    After the classes come ``other`` (when there are more than 50) and ``unseen`` (a truth that is no class).
    """
    counted = Counted(profile)
    truth, pair = counted.part("truth"), counted.part("pair")
    if truth is None or pair is None:
        return (), np.zeros((0, 0), np.int64)
    names = (*truth.levels, *(["other"] if truth.others else []), "unseen")
    return names, counted.counts("pair")[: len(names) ** 2].reshape(len(names), len(names))


def _confusion(counted: Counted) -> dict[str, Figure]:
    names, matrix = confusion(counted.profile)
    if len(names) < 3 or not matrix.sum():  # fewer than two classes
        return {}
    hits = np.diag(matrix)[:-1].astype(float)
    true, said = matrix.sum(axis=1)[:-1].astype(float), matrix.sum(axis=0)[:-1].astype(float)
    if len(names) == 3:
        found = {
            "precision": proportion(hits[1], said[1]),
            "recall": proportion(hits[1], true[1]),
            "f1": _f1(hits[1], true[1], said[1]),
        }
    else:
        occurs = (true + said) > 0
        rows = list(zip(hits[occurs], true[occurs], said[occurs], strict=True))
        found = {
            "precision": _mean(proportion(k, n) if n else Figure(0.0) for k, _t, n in rows),
            "recall": _mean(proportion(k, n) if n else Figure(0.0) for k, n, _s in rows),
            "f1": _mean(_f1(k, t, s) for k, t, s in rows),
        }
    recalls = [proportion(k, n) for k, n in zip(hits, true, strict=True) if n]
    return {"balanced_accuracy": _mean(recalls), **found}


def _f1(hits: float, true: float, said: float) -> Figure:
    if true + said == 0:
        return Figure(float("nan"))
    value, low, high = proportion(hits, true + said - hits)
    return Figure(
        2 * value / (1 + value), 2 * (low or 0.0) / (1 + (low or 0.0)), 2 * (high or 0.0) / (1 + (high or 0.0))
    )


def _mean(figures: Iterable[Figure]) -> Figure:
    """Return the mean of independent figures; the half widths of their intervals add up as errors do."""
    known = list(figures)
    if not known:
        return Figure(float("nan"))
    value = sum(figure.value for figure in known) / len(known)
    down = sqrt(sum((f.value - (f.value if f.low is None else f.low)) ** 2 for f in known)) / len(known)
    up = sqrt(sum(((f.value if f.high is None else f.high) - f.value) ** 2 for f in known)) / len(known)
    return Figure(value, value - down, value + up)


def _scores(counted: Counted) -> dict[str, Figure]:
    if not counted.n("log_loss"):
        return {}
    found = {name: around(counted.mean(name), counted.error_of_mean(name)) for name in ("log_loss", "brier")}
    if counted.part("score_of_positives") is not None:
        found["calibration_error"] = Figure(_calibration_error(counted, "score_of_positives", "score_of_negatives"))
        return {**_events(counted, "score_of_positives", "score_of_negatives"), **found}
    found["calibration_error"] = Figure(_calibration_error(counted, "confidence_of_right", "confidence_of_wrong"))
    names = [name for name in counted.names if name.startswith("score_of_positives_")]
    areas = [area(counted.counts(n), counted.counts(n.replace("positives", "negatives"))) for n in names]
    known = [around(value, error) for value, error in areas if isfinite(value)]
    return {"auc": _mean(known), **found}


def _events(counted: Counted, positives: str, negatives: str) -> dict[str, Figure]:
    """Tell how well scores find events, such as anomalies. ``precision_at_n``: n is the number of events."""
    events, others = counted.counts(positives), counted.counts(negatives)
    n_events = int(events.sum())
    if not n_events or not others.sum():
        return {}
    share = _precision_at(events, others, n_events)
    return {"auc": around(*area(events, others)), "precision_at_n": proportion(share * n_events, n_events)}


def _precision_at(events: Any, others: Any, k: int) -> float:
    rows = (events + others)[::-1].astype(float)
    if k <= 0 or rows.sum() < k:
        return float("nan")
    before = np.concatenate([[0.0], np.cumsum(rows)[:-1]])
    taken = np.clip((k - before) / np.maximum(rows, 1.0), 0.0, 1.0)
    return float(taken @ events[::-1]) / k


def _calibration_error(counted: Counted, yes: str, no: str) -> float:
    """Return the expected calibration error over ten bins of equal width (Naeini et al. 2015)."""
    part = counted.part(yes)
    if part is None:
        return float("nan")
    uppers = np.append(np.asarray(part.edges), 1.0)
    groups = np.minimum(np.ceil(uppers * N_CALIBRATION_BINS - 1e-9).astype(int), N_CALIBRATION_BINS) - 1
    groups = np.maximum(groups, 0)
    hits = np.bincount(groups, counted.counts(yes), N_CALIBRATION_BINS)
    rows = hits + np.bincount(groups, counted.counts(no), N_CALIBRATION_BINS)
    scores = np.bincount(groups, counted.sums(yes) + counted.sums(no), N_CALIBRATION_BINS)
    return float(np.abs(hits - scores).sum() / rows.sum()) if rows.sum() else float("nan")


def _labels(counted: Counted) -> dict[str, Figure]:
    """Tell the micro averages of rows with several labels; the labels of a row count as independent."""
    if not counted.n("labels_true"):
        return {}
    hits = counted.total("labels_hit")
    return {
        "label_precision": proportion(hits, counted.total("labels_predicted")),
        "label_recall": proportion(hits, counted.total("labels_true")),
        "label_coverage": proportion(counted.total("has_labels"), counted.n("has_labels")),
    }


# Regressors


def _errors(counted: Counted, signature: Signature) -> dict[str, Figure]:
    n = counted.n("error")
    if not n:
        return {}
    mae = around(counted.mean("absolute_error"), counted.error_of_mean("absolute_error"))
    square = around(counted.mean("squared_error"), counted.error_of_mean("squared_error"))
    spread = counted.squares("truth") - n * counted.mean("truth") ** 2
    is_constant = n < 2 or spread <= 1e-12 * counted.squares("truth")  # what is left of the rounding
    found = {
        "mae": mae,
        "rmse": Figure(*(None if value is None else sqrt(max(0.0, value)) for value in square)),  # type: ignore[arg-type]  # the first is never None
        "bias": around(counted.mean("error"), counted.error_of_mean("error")),
        "r2": Figure(float("nan") if is_constant else 1.0 - counted.total("squared_error") / spread),
        "mape": around(counted.mean("relative_error"), counted.error_of_mean("relative_error")),
        "mase": _scaled(mae, naive_scale(counted)),
        "naive_ratio": _scaled(mae, counted.mean("naive_error") if counted.n("naive_error") == n else float("nan")),
    }
    if signature.interval_level is not None and counted.n("covered"):
        found["interval_coverage"] = proportion(counted.total("covered"), counted.n("covered"))
        found["interval_width"] = around(counted.mean("width"), counted.error_of_mean("width"))
    return found


def naive_scale(counted: Counted) -> float:
    """Return the naive error on the reference truth that the grid was frozen with; NaN when it had none."""
    part = counted.part("absolute_error")
    return part.edges[len(part.edges) // 2] if part is not None and len(part.edges) % 2 else float("nan")


def _scaled(figure: Figure, scale: float) -> Figure:
    if not scale > 0:
        return Figure(float("nan"))
    return Figure(*(None if value is None else value / scale for value in figure))  # type: ignore[arg-type]  # the first is never None
