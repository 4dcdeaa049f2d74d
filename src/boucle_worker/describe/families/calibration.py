"""Calibrated classifiers: the scores of each fold's classifier, bent by a fitted curve, then averaged.

All folds are bent at once: their scores stand side by side, and so do the numbers of their curves.
"""

from __future__ import annotations

from typing import Any, Dict, Sequence, Tuple

import numpy as np

from boucle_worker.describe.errors import Cannot
from boucle_worker.describe.formulas import clip, concat, exp, gather, log, softmax, where
from boucle_worker.describe.graph import Value
from boucle_worker.describe.steps import Steps, interpolated, stepped
from boucle_worker.describe.writer import Answer, Predict, Rows, Writer

_TINY = 1e-12


def calibrated(writer: Writer, estimator: Any, x: Rows) -> Answer:
    """Return the mean over the folds of the calibrated probabilities; the first of the largest is the label."""
    classes = np.asarray(estimator.classes_)
    folds = estimator.calibrated_classifiers_
    rule = _tempered if folds[0].method == "temperature" else _bent
    shares = rule(writer, folds, len(classes), x)
    mean = shares.sum(1, keepdims=False) / float(len(folds))
    return Answer(mean.argmax(), mean, classes=classes)


def base_of(fold: Any) -> Any:
    """Return the fitted classifier of a fold; it bore another name before scikit-learn 1.2."""
    return fold.estimator if hasattr(fold, "estimator") else fold.base_estimator


def scores(writer: Writer, base: Any, x: Rows) -> Value:
    """Return what calibration starts from: decision values, else probabilities (of the second of two classes)."""
    if hasattr(base, "decision_function"):
        return writer.decision(base, x)
    found = writer.probabilities(base, x)
    return found.column(1) if found.width == 2 else found


def _bent(writer: Writer, folds: Sequence[Any], n_classes: int, x: Rows) -> Value:
    """Return the probabilities of each fold, ``(n, folds, n_classes)``, by sigmoids or isotonic curves.

    Of several classes each has a curve of its own; what they say is divided by its sum, and where all say 0 the
    classes are as probable.
    """
    width = 1 if n_classes == 2 else n_classes
    raw = [scores(writer, base_of(fold), x) for fold in folds]
    if any(score.width != width or len(fold.calibrators) != width for score, fold in zip(raw, folds)):
        raise Cannot("a fold of its CalibratedClassifierCV has not seen all classes")
    curves = [curve for fold in folds for curve in fold.calibrators]
    bend = _sigmoids if folds[0].method == "sigmoid" else _isotonic
    found = bend(concat(raw), curves).astype(np.float64).reshape((-1, len(folds), width))
    if n_classes == 2:
        return concat([1.0 - found, found], axis=2)
    total = found.sum(2)
    is_zero = total.equals(0.0)
    return where(is_zero, np.full((1, 1, 1), 1.0 / n_classes), found / where(is_zero, np.ones((1, 1, 1)), total))


def _sigmoids(score: Value, curves: Sequence[Any]) -> Value:
    """Return ``1 / (1 + exp(a score + b))`` of each column, to the last digit where it is next to nothing.

    What is next to nothing for each class decides once it is divided by its sum. numpy 1 stays in float32 with
    float32 scores, numpy 2 does not.
    """
    slopes, offsets = np.array([c.a_ for c in curves]), np.array([c.b_ for c in curves])
    dtype = np.result_type(np.empty(1, score.dtype), np.float64(1.0))
    return 1.0 / (1.0 + exp(score * slopes[None].astype(dtype) + offsets[None].astype(dtype)))


def _isotonic(score: Value, curves: Sequence[Any]) -> Value:
    """Return each column on the straight lines between the knots of its curve, kept within its ends.

    Knots in double are read by ``np.interp``; those in float32 by scipy, in float32.
    """
    if any(curve.out_of_bounds != "clip" for curve in curves):
        raise Cannot("its isotonic curves do not end where their knots do")
    dtype = np.asarray(curves[0].X_thresholds_).dtype
    low, high = (np.array([getattr(c, name) for c in curves], dtype)[None] for name in ("X_min_", "X_max_"))
    for j, curve in enumerate(curves):
        score.graph.mark(score, j, curve.X_thresholds_)
    kept = clip(score.astype(dtype), low, high)
    points = [(np.asarray(curve.X_thresholds_), np.asarray(curve.y_thresholds_)) for curve in curves]
    return interpolated(kept, points) if dtype == np.float64 else _single(kept, points)


def _single(score: Value, points: Sequence[Tuple[Any, Any]]) -> Value:
    """Return float32 scores on straight lines, each of which holds its end but not its start, as scipy does."""
    functions, tables, first = [], [], 0
    for j, (knots, levels) in enumerate(map(_at_least_one, points)):
        n_lines = len(knots) - 1
        places = np.append(np.arange(first, first + n_lines, dtype=np.float64), first)
        functions.append(Steps(j, knots[1:-1], np.full(n_lines + 1, j), places))
        tables.append(np.stack([np.diff(levels) / np.diff(knots), knots[:-1], levels[:-1]]))
        first += n_lines
    place = stepped(score, functions, len(points)).astype(np.int64)
    slope, start, level = (gather(column, place) for column in np.concatenate(tables, axis=1))
    return slope * (score - start) + level


def _at_least_one(points: Tuple[Any, Any]) -> Tuple[Any, Any]:
    """Return the ends of at least one line: a curve of one knot is a level for all."""
    knots, levels = points
    if len(knots) > 1:
        return points
    return np.append(knots, knots + np.float32(1)), np.append(levels, levels)


def _tempered(writer: Writer, folds: Sequence[Any], n_classes: int, x: Rows) -> Value:
    """Return the softmax of ``beta`` times the logits, ``(n, folds, n_classes)``.

    Logits are decision values, or the logarithms of probabilities.
    """
    parts = []
    for fold in folds:
        base = base_of(fold)
        if hasattr(base, "decision_function"):
            found = writer.decision(base, x)
            logits = concat([-found, found]) if found.width == 1 else found
        else:
            logits = log(writer.probabilities(base, x) + _TINY)
        parts.append(softmax(logits * float(fold.calibrators[0].beta_)).astype(np.float64))
    return concat(parts).reshape((-1, len(folds), n_classes))


PREDICTS: Dict[str, Predict] = {"CalibratedClassifierCV": calibrated}
RAW = tuple(PREDICTS)
