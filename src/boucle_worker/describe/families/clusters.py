"""Clusters: the nearest centre, or the likeliest of several normal distributions. Labels are integers of no list."""

from __future__ import annotations

import math
from typing import Any, Dict, List, Tuple

import numpy as np

from boucle_worker.describe.errors import Cannot
from boucle_worker.describe.families.neighbours import squared_distances
from boucle_worker.describe.formulas import gather, softmax, sqrt, squared_norms
from boucle_worker.describe.graph import Value
from boucle_worker.describe.writer import Answer, Predict, Transform, Writer, version_of


def k_means(writer: Writer, estimator: Any, x: Value) -> Answer:
    """Return the first centre for which ``c² - 2 x·c`` is least: the rows' own norms are left out."""
    return Answer(value=_nearness(x, estimator.cluster_centers_).argmin())


def distances_to_centres(writer: Writer, estimator: Any, x: Value) -> Value:
    """Return the euclidean distance to each centre, ``(n, centres)``; of float32 rows rounded to float32."""
    centres = estimator.subcluster_centers_ if hasattr(estimator, "subcluster_centers_") else estimator.cluster_centers_
    squares = squared_distances(x, centres)
    return sqrt(squares.astype(np.float32) if x.dtype == centres.dtype == np.float32 else squares)


def bisecting_k_means(writer: Writer, estimator: Any, x: Value) -> Answer:
    """Return the leaf of the tree of clusters that each row falls into; each fork goes to the nearer of two centres.

    All forks are asked at once: the leaf is the one whose every fork on the way was answered its way.
    """
    root = estimator._bisecting_tree  # noqa: SLF001
    if root.left is None:
        raise Cannot("its BisectingKMeans made one cluster only")
    centres: List[Any] = []
    paths: List[Tuple[int, Dict[int, bool]]] = []
    waiting: List[Tuple[Any, Dict[int, bool]]] = [(root, {})]
    while waiting:
        node, path = waiting.pop()
        if node.left is None:
            paths.append((int(node.label), path))
            continue
        fork = len(centres) // 2
        centres += [node.left.center, node.right.center]
        waiting += [(node.left, {**path, fork: False}), (node.right, {**path, fork: True})]
    mean = getattr(estimator, "_X_mean", 0.0)
    near = _nearness(x, np.array(centres) + mean)
    n_forks = len(centres) // 2
    is_right = near.columns(np.arange(n_forks) * 2 + 1) < near.columns(np.arange(n_forks) * 2)
    turns = np.zeros((n_forks, len(paths)))
    for leaf, (_label, path) in enumerate(paths):
        turns[list(path), leaf] = [1.0 if goes_right else -1.0 for goes_right in path.values()]
    wanted = (turns > 0).sum(axis=0)  # a leaf's score falls short of this by one for each fork answered otherwise
    missed = is_right.astype(np.float64) @ turns - wanted[None].astype(np.float64)
    return Answer(value=gather(np.array([label for label, _path in paths], np.int64), missed.argmax()))


def nearest_centre(writer: Writer, estimator: Any, x: Value) -> Answer:
    """Return the number of the nearest centre."""
    if not len(estimator.cluster_centers_):
        raise Cannot(f"its {type(estimator).__name__} found no cluster")
    return Answer(value=squared_distances(x, estimator.cluster_centers_).argmin())


def birch(writer: Writer, estimator: Any, x: Value) -> Answer:
    """Return the label of the nearest subcluster."""
    labels = np.asarray(estimator.subcluster_labels_, np.int64)
    return Answer(value=gather(labels, squared_distances(x, estimator.subcluster_centers_).argmin()))


def gaussian_mixture(writer: Writer, estimator: Any, x: Value) -> Answer:
    """Return the component of the largest ``log(weight) + log(density)``, and the softmax of these."""
    if x.dtype == np.float32 and (version_of("sklearn") >= (1, 6) or estimator.covariance_type == "spherical"):
        raise Cannot(f"its {type(estimator).__name__} adds float32 rows in float32, in an order of its own")
    spread = _squared_deviations(estimator, x)
    likely = spread * -0.5 + _constant(estimator, x.width)[None]
    return Answer(value=likely.argmax(), probabilities=softmax(likely))


def _nearness(x: Value, centres: Any) -> Value:
    """Return ``c² - 2 x·c`` of each centre, in the dtype of rows and centres."""
    centres = np.asarray(centres)
    norms = np.einsum("ij,ij->i", centres, centres)
    found: Value = x @ (centres.T * np.asarray(-2.0, centres.dtype)) + norms[None]
    return found


def _squared_deviations(estimator: Any, x: Value) -> Value:
    """Return the squared Mahalanobis distance to each component, ``(n, components)``."""
    means, roots = np.asarray(estimator.means_), np.asarray(estimator.precisions_cholesky_)
    kind = estimator.covariance_type
    if kind in ("full", "tied"):
        k, d = means.shape
        each = [roots[i] if kind == "full" else roots for i in range(k)]
        shifts = np.concatenate([mean @ root for mean, root in zip(means, each)])
        y = x @ np.concatenate(each, axis=1) - shifts[None]
        return (y * y).reshape((-1, k, d)).sum(2, keepdims=False)
    precisions = roots**2
    if kind == "diag":
        own, towards, squares = (means**2 * precisions).sum(axis=1), (means * precisions).T, (x * x) @ precisions.T
    else:
        own, towards = (means**2).sum(axis=1) * precisions, means.T * precisions
        squares = squared_norms(x) * precisions[None]
    found: Value = (own[None] - (x @ towards) * 2.0) + squares
    return found


def _constant(estimator: Any, d: int) -> Any:
    """Return what each component adds to ``-deviation² / 2``: log of its weight, its volume, its uncertainty."""
    k = len(estimator.means_)
    volume = _log_determinant(estimator.precisions_cholesky_, estimator.covariance_type, k, d)
    weights = np.asarray(estimator._estimate_log_weights())  # noqa: SLF001
    total = weights + (volume - 0.5 * d * math.log(2 * math.pi))
    if not hasattr(estimator, "degrees_of_freedom_"):
        return total
    from scipy.special import digamma

    freedom = np.asarray(estimator.degrees_of_freedom_)
    spread = d * np.log(2.0) + digamma(0.5 * (freedom - np.arange(d)[:, None])).sum(axis=0)
    return total - 0.5 * d * np.log(freedom) + 0.5 * (spread - d / np.asarray(estimator.mean_precision_))


def _log_determinant(roots: Any, kind: str, k: int, d: int) -> Any:
    """Return half the logarithm of the determinant of each precision matrix, of whose roots it is told: ``(k,)``."""
    roots = np.asarray(roots)
    if kind == "full":
        return np.log(np.diagonal(roots, axis1=1, axis2=2)).sum(axis=1)
    if kind == "tied":
        return np.full(k, np.log(np.diagonal(roots)).sum())
    return np.log(roots).sum(axis=1) if kind == "diag" else d * np.log(roots)


TRANSFORMS: Dict[str, Transform] = {
    "Birch": distances_to_centres,
    "BisectingKMeans": distances_to_centres,
    "KMeans": distances_to_centres,
    "MiniBatchKMeans": distances_to_centres,
}
PREDICTS: Dict[str, Predict] = {
    "AffinityPropagation": nearest_centre,
    "BayesianGaussianMixture": gaussian_mixture,
    "Birch": birch,
    "BisectingKMeans": bisecting_k_means,
    "GaussianMixture": gaussian_mixture,
    "KMeans": k_means,
    "MeanShift": nearest_centre,
    "MiniBatchKMeans": k_means,
}
