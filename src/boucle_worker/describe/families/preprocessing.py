"""Preparation of numbers: imputers and scalers, in the order in which scikit-learn computes.

A step that is in place in scikit-learn (``X *= scale``) computes in the wider dtype and rounds to that of the rows:
here by ``astype``.
"""

from __future__ import annotations

from itertools import combinations, combinations_with_replacement
from typing import Any, Dict, List, Tuple

import numpy as np

from boucle_worker.describe.errors import Cannot
from boucle_worker.describe.formulas import absolute, clip, concat, is_nan, refusing, sqrt, where, zeros
from boucle_worker.describe.graph import Value
from boucle_worker.describe.writer import Transform, Writer, version_of


def simple_imputer(writer: Writer, estimator: Any, x: Value) -> Value:
    """Return ``where(missing, statistics, x)``, then where cells were missing; columns without a statistic go."""
    statistics = _numbers(estimator.statistics_, "SimpleImputer")
    missing = _missing(x, estimator.missing_values)
    filled = where(missing, statistics[None].astype(x.dtype), x)
    for j, statistic in enumerate(statistics):
        writer.graph.mark(x, j, [statistic])
    is_kept = np.ones(x.width, bool)
    if not getattr(estimator, "keep_empty_features", False):
        is_kept = ~np.isnan(statistics)
    if estimator.strategy == "constant" and version_of("sklearn") < (1, 8):
        is_kept[:] = True
    pieces = [filled.columns(np.flatnonzero(is_kept))]
    if estimator.add_indicator and len(estimator.indicator_.features_):
        pieces.append(missing.columns(estimator.indicator_.features_).astype(x.dtype))
    return concat([piece for piece in pieces if piece.width]).sparse(x.is_sparse)


def missing_indicator(writer: Writer, estimator: Any, x: Value) -> Value:
    """Return 1 where a cell is missing, of the columns in which some were while fitting (or of all)."""
    missing = _missing(x, estimator.missing_values)
    found = missing.columns(estimator.features_).astype(x.dtype)
    others = np.setdiff1d(np.arange(x.width), estimator.features_)
    if estimator.error_on_new and estimator.features == "missing-only" and len(others):
        found = refusing(found, missing.columns(others))
    return found.sparse(estimator.sparse is True or (estimator.sparse == "auto" and x.is_sparse))


def standard_scaler(writer: Writer, estimator: Any, x: Value) -> Value:
    """Return ``(x - mean) / scale``; float32 rows stay float32 (from 1.8 on so are mean and scale first)."""
    if x.is_sparse:
        return _sparse_scaled(x, estimator.scale_)
    if estimator.with_mean:
        x = (x - _held(estimator.mean_, x)).astype(x.dtype)
    if estimator.with_std:
        x = (x / _held(estimator.scale_, x)).astype(x.dtype)
    return x


def min_max_scaler(writer: Writer, estimator: Any, x: Value) -> Value:
    """Return ``x * scale + min``, kept within the range if asked."""
    y = (x * np.asarray(estimator.scale_)[None]).astype(x.dtype)
    y = (y + np.asarray(estimator.min_)[None]).astype(x.dtype)
    if getattr(estimator, "clip", False):
        _mark(writer, x, np.stack([estimator.data_min_, estimator.data_max_]))
        low, high = estimator.feature_range
        y = clip(y, float(low), float(high))
    return y


def max_abs_scaler(writer: Writer, estimator: Any, x: Value) -> Value:
    """Return ``x / scale``, kept within -1 and 1 if asked."""
    y = _sparse_scaled(x, estimator.scale_) if x.is_sparse else (x / np.asarray(estimator.scale_)[None]).astype(x.dtype)
    if getattr(estimator, "clip", False):
        _mark(writer, x, np.stack([-np.asarray(estimator.max_abs_), np.asarray(estimator.max_abs_)]))
        y = clip(y, -1.0, 1.0).sparse(x.is_sparse)
    return y


def robust_scaler(writer: Writer, estimator: Any, x: Value) -> Value:
    """Return ``(x - center) / scale``."""
    if x.is_sparse:
        return _sparse_scaled(x, estimator.scale_)
    if estimator.with_centering:
        x = (x - np.asarray(estimator.center_)[None]).astype(x.dtype)
    if estimator.with_scaling:
        x = (x / np.asarray(estimator.scale_)[None]).astype(x.dtype)
    return x


def normalizer(writer: Writer, estimator: Any, x: Value) -> Value:
    """Return each row divided by its norm; rows of zeros (of next to nothing, unless sparse) stay as they are."""
    wide = x.astype(np.float64) if x.is_sparse and estimator.norm != "max" else x
    norms = {
        "l1": lambda: absolute(wide).sum(),
        "l2": lambda: sqrt((wide * wide).sum()),
        "max": lambda: absolute(wide).max(),
    }[estimator.norm]()
    is_zero = norms.equals(0.0) if x.is_sparse else norms < float(10 * np.finfo(x.dtype).eps)
    y: Value = wide / where(is_zero, np.ones((1, 1), wide.dtype), norms)
    return y.astype(x.dtype).sparse(x.is_sparse)


def binarizer(writer: Writer, estimator: Any, x: Value) -> Value:
    """Return 1 where x is above the threshold, else 0."""
    threshold = estimator.threshold
    _mark(writer, x, np.full((1, x.width), threshold))
    y: Value = (x > threshold).astype(x.dtype)
    return y.sparse(x.is_sparse)


def polynomial_features(writer: Writer, estimator: Any, x: Value) -> Value:
    """Return products of columns, each made of the product of all its factors but the first, as scikit-learn does."""
    factors = [tuple(np.repeat(np.arange(x.width), powers).tolist()) for powers in estimator.powers_]
    degrees = sorted({len(term) for term in factors})
    by_degree: Dict[int, List[Tuple[int, ...]]] = {d: [t for t in factors if len(t) == d] for d in degrees}
    made: Dict[int, Value] = {1: x}
    places: Dict[int, Dict[Tuple[int, ...], int]] = {1: {(j,): j for j in range(x.width)}}
    for degree in range(2, max([1, *degrees]) + 1):
        terms = _products(x.width, degree, bool(estimator.interaction_only))
        tails = made[degree - 1].columns([places[degree - 1][term[1:]] for term in terms])
        made[degree] = tails * x.columns([term[0] for term in terms])
        places[degree] = {term: i for i, term in enumerate(terms)}
    pieces = []
    for degree in degrees:
        if degree == 0:
            pieces.append(zeros(x, 1).astype(x.dtype) + 1.0)
        else:
            pieces.append(made[degree].columns([places[degree][term] for term in by_degree[degree]]))
    return concat(pieces).sparse(x.is_sparse)


def _products(width: int, degree: int, is_distinct: bool) -> List[Tuple[int, ...]]:
    made = combinations(range(width), degree) if is_distinct else combinations_with_replacement(range(width), degree)
    return list(made)


def _missing(x: Value, mark: Any) -> Value:
    """Return where cells are what an imputer calls missing."""
    if mark is None or isinstance(mark, str):
        raise Cannot(f"it imputes cells that are {mark!r} in a column of numbers")
    if type(mark).__name__ == "NAType" or mark != mark:  # NaN is not itself
        return is_nan(x)
    return x.equals(float(mark))


def _numbers(values: Any, step: str) -> Any:
    try:
        return np.asarray(values).astype(np.float64)
    except (TypeError, ValueError) as error:
        raise Cannot(f"its {step} puts texts into a column of numbers") from error


def _held(array: Any, x: Value) -> Any:
    """Return a fitted array in the dtype in which scikit-learn computes with it."""
    return np.asarray(array)[None].astype(x.dtype if version_of("sklearn") >= (1, 8) else np.float64)


def _sparse_scaled(x: Value, scale: Any) -> Value:
    """Return sparse columns divided by their scales: scikit-learn multiplies these by ``1 / scale``."""
    return x if scale is None else (x * (1.0 / np.asarray(scale))[None]).astype(x.dtype).sparse()


def _mark(writer: Writer, x: Value, thresholds: Any) -> None:
    """Mark the thresholds ``(k, d)`` of each column."""
    for j in range(x.width):
        writer.graph.mark(x, j, thresholds[:, j])


TRANSFORMS: Dict[str, Transform] = {
    "Binarizer": binarizer,
    "MaxAbsScaler": max_abs_scaler,
    "MinMaxScaler": min_max_scaler,
    "MissingIndicator": missing_indicator,
    "Normalizer": normalizer,
    "PolynomialFeatures": polynomial_features,
    "RobustScaler": robust_scaler,
    "SimpleImputer": simple_imputer,
    "StandardScaler": standard_scaler,
}
