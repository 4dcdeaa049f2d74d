"""Kernels between rows and fitted points, as ``sklearn.metrics.pairwise`` computes them, and what is a sum of them."""

from __future__ import annotations

from typing import Any, Dict

import numpy as np

from boucle_worker.describe.errors import Cannot
from boucle_worker.describe.families.linear import dense
from boucle_worker.describe.formulas import absolute, affine, beside, exp, maximum, sqrt, tanh, where
from boucle_worker.describe.graph import Value
from boucle_worker.describe.writer import Answer, Predict, Writer


def differences(x: Value, points: Any) -> Value:
    """Return ``x[:, None, :] - points``, ``(n, m, d)``."""
    found: Value = x.unsqueezed(1) - points[None]
    return found


def squared_distances(x: Value, points: Any) -> Value:
    """Return the squared distances to points ``(m, d)``, each the sum of squared differences: ``(n, m)``."""
    between = differences(x, points)
    return (between * between).sum(2, keepdims=False)


def euclidean_distances(x: Value, points: Any) -> Value:
    """Return squared distances as scikit-learn: ``max(0, -2 x @ points.T + |x|^2 + |points|^2)`` in double."""
    points = np.asarray(points)
    dtype = np.result_type(x.dtype, points.dtype)
    x, points = x.astype(np.float64), points.astype(np.float64)
    found = affine(x, -2.0 * points.T) + (x**2).sum() + np.einsum("ij,ij->i", points, points)[None]
    return maximum(found, np.zeros((1, 1))).astype(dtype)


def manhattan_distances(x: Value, points: Any) -> Value:
    """Return the sums of the sizes of differences: ``(n, m)``."""
    return absolute(differences(x, points)).sum(2, keepdims=False)


def pairwise_kernel(x: Value, points: Any, metric: str, settings: Dict[str, Any]) -> Value:
    """Return a kernel by its name; ``settings`` may hold gamma, degree and coef0. Raises Cannot."""
    points = dense(points)
    gamma = settings.get("gamma")
    gamma = 1.0 / points.shape[1] if gamma is None else gamma
    if metric == "rbf":
        return exp(euclidean_distances(x, points) * float(-gamma))
    if metric == "laplacian":
        distances = manhattan_distances(x, points)
        return exp(distances * beside(distances, -gamma))
    if metric == "cosine":
        x, points = _directions(x), points / _lengths(points)
    elif metric not in ("linear", "poly", "polynomial", "sigmoid"):
        raise Cannot(f"it holds a kernel {metric!r}")
    product = affine(x, points.T)
    if metric in ("linear", "cosine"):
        return product
    shifted = product * float(gamma) + float(settings.get("coef0", 1))
    return tanh(shifted) if metric == "sigmoid" else shifted ** float(settings.get("degree", 3))


def _directions(x: Value) -> Value:
    """Return rows of length one; rows of zeros stay."""
    length = sqrt((x**2).sum())
    return x / where(length < _lengths_floor(x.dtype), np.ones((1, 1), x.dtype), length)


def _lengths(points: Any) -> Any:
    """Return the lengths of points ``(m, d)``, 1 of those at zero."""
    length = np.sqrt(np.einsum("ij,ij->i", points, points))[:, None]
    return np.where(length < _lengths_floor(points.dtype), np.ones_like(length), length)


def _lengths_floor(dtype: Any) -> Any:
    """Return below which length scikit-learn takes a row for zeros."""
    return np.asarray(10 * np.finfo(dtype).eps, dtype)


def kernel_ridge(writer: Writer, estimator: Any, x: Value) -> Answer:
    """Return the kernels to the fitted rows, weighted."""
    if not isinstance(estimator.kernel, str):
        raise Cannot("its KernelRidge has a kernel of its own")
    settings = {"gamma": estimator.gamma, "degree": estimator.degree, "coef0": estimator.coef0}
    weights = np.asarray(estimator.dual_coef_)
    kernel = pairwise_kernel(x, estimator.X_fit_, estimator.kernel, settings)
    return Answer(value=affine(kernel, weights.reshape(len(weights), -1)))


def label_propagation(writer: Writer, estimator: Any, x: Value) -> Answer:
    """Return the labels of the fitted rows, weighted by an rbf kernel and shared out."""
    if estimator.kernel != "rbf":
        raise Cannot(f"its {type(estimator).__name__} has kernel {estimator.kernel!r}")
    kernel = pairwise_kernel(x, estimator.X_, "rbf", {"gamma": estimator.gamma})
    weights = affine(kernel, np.asarray(estimator.label_distributions_))
    p = weights / weights.sum()
    return Answer(p.argmax(), p, classes=estimator.classes_)


PREDICTS: Dict[str, Predict] = {
    "KernelRidge": kernel_ridge,
    "LabelPropagation": label_propagation,
    "LabelSpreading": label_propagation,
}
