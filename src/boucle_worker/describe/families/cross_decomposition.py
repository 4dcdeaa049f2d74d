"""Partial least squares: rows about their means, turned into scores or into targets."""

# ruff: noqa: SLF001  # much of what a fitted estimator is lies in private attributes

from __future__ import annotations

from typing import Any, Dict

import numpy as np

from boucle_worker.describe.formulas import affine
from boucle_worker.describe.graph import Value
from boucle_worker.describe.writer import Answer, Predict, Transform, Writer, version_of


def scores(writer: Writer, estimator: Any, x: Value) -> Value:
    """Return ``(X - mean) / std @ rotations``; float32 rows stay float32 until the product."""
    return affine(_scaled(estimator, x), np.asarray(estimator.x_rotations_))


def targets(writer: Writer, estimator: Any, x: Value) -> Answer:
    """Return ``(X - mean) @ coef.T + intercept``; before scikit-learn 1.5 the rows are divided by std first."""
    version = version_of("sklearn")
    rows = _centred(estimator, x) if version >= (1, 5) else _scaled(estimator, x)
    mean = estimator.intercept_ if version >= (1, 1) else estimator._y_mean
    weights = np.asarray(estimator.coef_)  # before 1.3 they lie the other way
    return Answer(value=affine(rows, weights.T if version >= (1, 3) else weights, mean))


def pls_svd(writer: Writer, estimator: Any, x: Value) -> Value:
    """Return ``(X - mean) / std @ weights`` in double."""
    x = (x.astype(np.float64) - np.asarray(estimator._x_mean)[None]) / np.asarray(estimator._x_std)[None]
    return affine(x, np.asarray(estimator.x_weights_))


def _centred(estimator: Any, x: Value) -> Value:
    return (x - np.asarray(estimator._x_mean)[None]).astype(x.dtype)


def _scaled(estimator: Any, x: Value) -> Value:
    return (_centred(estimator, x) / np.asarray(estimator._x_std)[None]).astype(x.dtype)


TRANSFORMS: Dict[str, Transform] = {
    "CCA": scores,
    "PLSCanonical": scores,
    "PLSRegression": scores,
    "PLSSVD": pls_svd,
}
PREDICTS: Dict[str, Predict] = {"CCA": targets, "PLSCanonical": targets, "PLSRegression": targets}
