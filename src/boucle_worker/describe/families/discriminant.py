"""Classes by their centres: linear and quadratic discriminants, nearest centroids, and ellipses around inliers."""

# ruff: noqa: SLF001  # much of what a fitted estimator is lies in private attributes

from __future__ import annotations

from typing import Any, Dict

import numpy as np

from boucle_worker.describe.errors import Cannot
from boucle_worker.describe.families.kernels import euclidean_distances, manhattan_distances
from boucle_worker.describe.families.linear import dense, linear_classifier, one_against_rest, outliers
from boucle_worker.describe.formulas import affine, softmax, sqrt
from boucle_worker.describe.graph import Value
from boucle_worker.describe.writer import Answer, Predict, Transform, Writer, version_of


def linear_discriminant(writer: Writer, estimator: Any, x: Value) -> Answer:
    """Return the sigmoid of two classes, the softmax of several."""
    label, _none, z, _value, classes = linear_classifier(writer, estimator, x)
    assert z is not None  # noqa: S101  # a linear classifier has one
    return Answer(label, one_against_rest(z) if z.width == 1 else softmax(z), z, classes=classes)


def linear_discriminant_rows(writer: Writer, estimator: Any, x: Value) -> Value:
    """Return the rows in the space that tells the classes apart."""
    if estimator.solver == "lsqr":
        raise Cannot("its LinearDiscriminantAnalysis transforms nothing with solver 'lsqr'")
    if estimator.solver == "svd":
        x = x - np.asarray(estimator.xbar_)[None]
    return affine(x, np.asarray(estimator.scalings_)[:, : estimator._max_components])


def quadratic_discriminant(writer: Writer, estimator: Any, x: Value) -> Answer:
    """Return ``-(|(x - mean) R S^-1/2|^2 + log|S|) / 2 + log prior`` of each class."""
    axes = [rotation * scaling ** (-0.5) for rotation, scaling in zip(estimator.rotations_, estimator.scalings_)]
    width = max(axis.shape[1] for axis in axes)
    stacked = np.stack([np.pad(axis, ((0, 0), (0, width - axis.shape[1]))) for axis in axes])
    turned = (x.unsqueezed(0) - np.asarray(estimator.means_)[:, None]) @ stacked  # (k, n, width)
    norms = (turned * turned).sum(2, keepdims=False)
    norms = norms.graph.op("Transpose", [norms], norms.dtype, (None, len(axes)), perm=[1, 0])
    sizes = np.array([np.sum(np.log(scaling)) for scaling in estimator.scalings_])
    return _shared((norms + sizes[None]) * -0.5 + np.log(estimator.priors_)[None], estimator.classes_)


def nearest_centroid(writer: Writer, estimator: Any, x: Value) -> Answer:
    """Return the class of the nearest centroid; since 1.6 with probabilities, and priors that may tip the scales."""
    if estimator.metric not in ("euclidean", "manhattan"):
        raise Cannot(f"its NearestCentroid uses metric {estimator.metric!r}")
    centres, classes = dense(estimator.centroids_), estimator.classes_
    if version_of("sklearn") < (1, 6):
        return Answer(_nearest(estimator.metric, x, centres), classes=classes)
    priors, spread = np.asarray(estimator.class_prior_), np.asarray(estimator.within_class_std_dev_)
    scales = np.where(spread != 0, spread, 1.0)[None]
    scaled = x.astype(np.float64) / scales
    distance = _distances(estimator.metric, scaled, centres / scales)
    found = _shared(2.0 * np.log(priors)[None] - distance * distance, classes)
    if np.isclose(priors, 1 / len(classes)).all():
        found = found._replace(label_index=_nearest(estimator.metric, x, centres))
    if estimator.metric == "manhattan":  # only labels
        return Answer(found.label_index, classes=classes)
    return found


def elliptic_envelope(writer: Writer, estimator: Any, x: Value) -> Answer:
    """Return 1 where the squared Mahalanobis distance is within the offset, else -1."""
    away = x.astype(np.float64) - np.asarray(estimator.location_)[None]
    distance = sqrt((affine(away, np.asarray(estimator.get_precision())) * away).sum())
    decision = -(distance * distance) - float(estimator.offset_)
    return outliers(decision, decision >= 0.0)


def _shared(scores: Value, classes: Any) -> Answer:
    """Return the largest of scores ``(n, k)``, their softmax, and of two classes the difference as the decision."""
    decision = scores.column(1) - scores.column(0) if scores.width == 2 else scores
    return Answer(scores.argmax(), softmax(scores), decision, classes=classes)


def _nearest(metric: str, x: Value, centres: Any) -> Value:
    """Return the place of the nearest centre. Since 1.2 scikit-learn compares squares, which tell more apart."""
    if metric == "euclidean" and version_of("sklearn") >= (1, 2):
        return euclidean_distances(x.astype(np.float64), centres).argmin()
    return _distances(metric, x, centres).argmin()


def _distances(metric: str, x: Value, centres: Any) -> Value:
    if metric == "manhattan":
        return manhattan_distances(x, centres)
    return sqrt(euclidean_distances(x.astype(np.float64), centres))


TRANSFORMS: Dict[str, Transform] = {"LinearDiscriminantAnalysis": linear_discriminant_rows}
PREDICTS: Dict[str, Predict] = {
    "EllipticEnvelope": elliptic_envelope,
    "LinearDiscriminantAnalysis": linear_discriminant,
    "NearestCentroid": nearest_centroid,
    "QuadraticDiscriminantAnalysis": quadratic_discriminant,
}
