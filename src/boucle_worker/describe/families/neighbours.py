"""Nearest neighbours: classifiers, regressors and the local outlier factor.

scikit-learn computes distances in two ways, and so do we. Trees (``kd_tree``, ``ball_tree``) and all metrics but the
euclidean one add up the columns one after the other. Brute force takes the euclidean distance from a matrix product,
``x² - 2 x·s + s²``, whose rounding shows near zero.

Training rows at *exactly* the same distance, duplicates above all, may straddle the k-th place. Which of them
scikit-learn then keeps hangs on the order in which its tree or its heap met them: that has no formula, and the graph
keeps those that come first in the training rows. Parity tells whether it matters for a model. It tells as well where
the rounding of a matrix product shows: brute force over more than 15 columns finds a training row at a distance of
1e-8 from itself, not 0, and weights of 1 / distance then differ in the eighth digit.
"""

from __future__ import annotations

from operator import add
from typing import Any, Dict, NamedTuple, Optional, Tuple

import numpy as np

from boucle_worker.describe.errors import Cannot
from boucle_worker.describe.formulas import (
    absolute,
    any_of,
    gather,
    is_infinite,
    maximum,
    minimum,
    reciprocal,
    refusing,
    smallest,
    split,
    sqrt,
    squared_norms,
    where,
)
from boucle_worker.describe.graph import Value
from boucle_worker.describe.writer import Answer, Predict, Writer, version_of

_SAME = {"l2": "euclidean", "l1": "manhattan", "cityblock": "manhattan", "infinity": "chebyshev", "p": "minkowski"}


def squared_distances(x: Value, rows: Any) -> Value:
    """Return ``x² - 2 x·s + s²`` of each row of x and each of ``rows``, not below zero: ``(n, m)`` in double.

    In this order, and with norms that round once per product as BLAS does.
    """
    rows = np.asarray(rows, dtype=np.float64)
    wide = x.astype(np.float64)
    norms = np.array([row @ row for row in rows])
    return maximum((squared_norms(wide) + wide @ (-2.0 * rows.T)) + norms[None], 0.0)


def reduced_distances(x: Value, rows: Any, metric: str, p: float) -> Value:
    """Return what sorts like the distance, summed column by column: squares, p-th powers, sizes; ``(n, m)`` in double.

    Columns are subtracted in the dtype of both sides.
    """
    total: Optional[Value] = None
    for j, column in enumerate(split(x)):
        apart = (column - rows[:, j][None]).astype(np.float64)
        if metric == "euclidean":
            term = apart * apart
        else:
            term = absolute(apart) ** p if metric == "minkowski" else absolute(apart)
        join = maximum if metric == "chebyshev" else add
        total = term if total is None else join(total, term)
    assert total is not None  # noqa: S101  # rows have a column
    return total


def cosine_distances(x: Value, rows: Any) -> Value:
    """Return ``1 - x·s / (|x| |s|)``, between 0 and 2; a row of zeros counts as of length 1."""
    rows = np.asarray(rows, dtype=np.float64)
    lengths = np.sqrt((rows * rows).sum(axis=1, keepdims=True))
    units = rows / np.where(lengths == 0.0, 1.0, lengths)
    wide = x.astype(np.float64)
    length = sqrt(squared_norms(wide))
    unit = wide / where(length.equals(0.0), np.ones((1, 1)), length)
    return minimum(maximum(1.0 - unit @ units.T, 0.0), 2.0)


class Measured(NamedTuple):
    """The distances to all training rows ``(n, m)``, raised to ``power``, which sorts them alike and is quicker.

    ``is_rounded`` says that scikit-learn rounds them to float32 once they are sorted.
    """

    values: Value
    power: float = 1.0
    is_rounded: bool = False

    def distances(self, found: Value) -> Value:
        """Return the distances themselves of some of the values."""
        if self.is_rounded:
            found = found.astype(np.float32)
        if self.power == 2.0:
            found = sqrt(found)
        elif self.power != 1.0:
            found = found ** (1.0 / self.power)
        return found.astype(np.float64) if self.is_rounded else found


def measured(estimator: Any, x: Value) -> Measured:
    """Return the distances to all training rows, as the estimator's metric and algorithm compute them."""
    metric, p = _metric(estimator)
    rows = estimator._fit_X  # noqa: SLF001
    rows = np.asarray(rows.toarray() if hasattr(rows, "toarray") else rows)
    is_brute = estimator._fit_method == "brute"  # noqa: SLF001
    if metric == "cosine" and is_brute and x.dtype == np.float64:
        return Measured(cosine_distances(x, rows))
    if metric not in ("euclidean", "manhattan", "chebyshev", "minkowski"):
        raise Cannot(f"its {type(estimator).__name__} uses metric {metric!r}")
    if is_brute and x.dtype == np.float32 and rows.dtype == np.float32:
        return _narrow(x, rows, metric)
    x, rows = x.astype(np.float64), rows.astype(np.float64)
    if metric == "euclidean" and is_brute:
        return Measured(squared_distances(x, rows), 2.0)
    power = {"euclidean": 2.0, "minkowski": p}.get(metric, 1.0)
    return Measured(reduced_distances(x, rows, metric, p), power)


def _metric(estimator: Any) -> Tuple[str, float]:
    """Return the metric's plainest name and its power."""
    metric = _SAME.get(estimator.effective_metric_, estimator.effective_metric_)
    told = dict(estimator.effective_metric_params_ or {})
    p = float(told.pop("p", 2.0))
    if not isinstance(metric, str) or any(value is not None for value in told.values()):
        raise Cannot(f"its {type(estimator).__name__} measures distances with a function or with weights")
    if metric == "minkowski":
        metric = {1.0: "manhattan", 2.0: "euclidean", np.inf: "chebyshev"}.get(p, metric)
    if metric == "cosine" and getattr(estimator, "weights", "uniform") == "distance":
        raise Cannot("cosine distances near zero are rounding errors, and its weights are 1 / distance")
    return metric, p


def _narrow(x: Value, rows: Any, metric: str) -> Measured:
    """Return the distances that brute force finds among float32 rows: summed in double, rounded to float32.

    From 1.1 on it sorts euclidean ones before it rounds, others after it.
    """
    version = version_of("sklearn")
    if metric == "minkowski" or (1, 1) <= version < (1, 5 if metric == "euclidean" else 3):
        raise Cannot(f"brute force over float32 rows rounds its {metric} distances in a way of its own")
    if metric == "euclidean":
        found = squared_distances(x, rows)
        return Measured(found.astype(np.float32), 2.0) if version < (1, 1) else Measured(found, 2.0, is_rounded=True)
    if version < (1, 1):
        return Measured(reduced_distances(x.astype(np.float64), rows.astype(np.float64), metric, 1.0))
    return Measured(reduced_distances(x, rows, metric, 1.0).astype(np.float32).astype(np.float64))


def nearest(estimator: Any, x: Value, k: int) -> Tuple[Value, Value]:
    """Return the distances to the k nearest training rows and which they are, the nearest first: two of ``(n, k)``."""
    found = measured(estimator, x)
    values, places = smallest(found.values, k)
    return found.distances(values), places


def weights_of(estimator: Any, distances: Value, among: Optional[Value] = None) -> Optional[Value]:
    """Return 1 / distance, or 1 and 0 for rows with an exact hit; None when all neighbours count the same.

    ``among`` says which of the distances are those of neighbours.
    """
    if estimator.weights in (None, "uniform"):
        return None
    if estimator.weights != "distance":
        raise Cannot(f"its {type(estimator).__name__} weighs neighbours with a function of its own")
    inverse = reciprocal(distances)
    is_hit = is_infinite(inverse) if among is None else is_infinite(inverse) & among
    return where(any_of(is_hit), is_hit.astype(inverse.dtype), inverse)


def k_classifier(writer: Writer, estimator: Any, x: Value) -> Answer:
    """Return the share of each class among the k nearest; the first of the most frequent ones is the label."""
    classes, one_hot = _classes(estimator)
    if (1, 3) <= version_of("sklearn") < (1, 9) and _counts_itself(estimator) and not _is_numbered(classes):
        raise Cannot("brute force counts votes wrongly in scikit-learn 1.3 to 1.8 unless classes are 0, 1, ...")
    distances, places = nearest(estimator, x, estimator.n_neighbors)
    weights = weights_of(estimator, distances)
    votes = gather(one_hot, places)
    if weights is not None:
        votes = votes * weights.unsqueezed(2)
    counts = votes.sum(1, keepdims=False)
    total = counts.sum() if weights is not None else float(estimator.n_neighbors)
    return Answer(counts.argmax(), counts / total, classes=classes)


def k_regressor(writer: Writer, estimator: Any, x: Value) -> Answer:
    """Return the mean of the k nearest targets, weighted by 1 / distance when asked."""
    targets = _targets(estimator)
    distances, places = nearest(estimator, x, estimator.n_neighbors)
    weights = weights_of(estimator, distances)
    if targets.shape[1] == 1:
        found = gather(targets[:, 0], places)
        if weights is None:
            return Answer(value=found.mean())
        return Answer(value=(found * weights).sum() / weights.sum())
    found = gather(targets, places)
    if weights is None:
        return Answer(value=found.mean(1, keepdims=False))
    return Answer(value=(found * weights.unsqueezed(2)).sum(1, keepdims=False) / weights.sum())


def radius_classifier(writer: Writer, estimator: Any, x: Value) -> Answer:
    """Return the share of each class among the neighbours within the radius.

    Outliers get their own label; without one the library raises, and so does the graph.
    """
    classes, one_hot = _classes(estimator)
    if version_of("sklearn") >= (1, 4) and _counts_itself(estimator):
        raise Cannot("brute force gives rows without a neighbour other probabilities than the outlier label says")
    counts = _within(estimator, x) @ one_hot
    total = counts.sum()
    is_outlier = total.equals(0.0)
    labels = estimator.outlier_label_
    if labels is None:
        shares = refusing(counts / total, is_outlier)
        return Answer(shares.argmax(), shares, classes=classes)
    outlier = np.flatnonzero(np.asarray(classes) == labels[0])
    if len(outlier) != 1:
        raise Cannot(f"its RadiusNeighborsClassifier gives outliers a label that is no class ({labels[0]!r})")
    alone = np.eye(len(classes))[outlier]
    shares = where(is_outlier, alone, counts / where(is_outlier, np.ones((1, 1)), total))
    return Answer(shares.argmax(), shares, classes=classes)


def radius_regressor(writer: Writer, estimator: Any, x: Value) -> Answer:
    """Return the mean of the targets within the radius, NaN where there is none."""
    weights = _within(estimator, x)
    return Answer(value=(weights @ _targets(estimator)) / weights.sum())


def _within(estimator: Any, x: Value) -> Value:
    """Return the weight of each training row, 0 beyond the radius: ``(n, m)``."""
    found = measured(estimator, x)
    is_near = found.values <= float(estimator.radius) ** found.power
    weights = weights_of(estimator, found.distances(found.values), is_near)
    near = is_near.astype(np.float64)
    return near if weights is None else where(is_near, weights, near)


def local_outlier_factor(writer: Writer, estimator: Any, x: Value) -> Answer:
    """Return how much denser the neighbours lie than the row does, below the offset -1 (an outlier).

    Local reachability density: 1 / mean of max(distance to a neighbour, that neighbour's k-distance).
    """
    if not estimator.novelty:
        raise Cannot("its LocalOutlierFactor predicts nothing (novelty=False)")
    k = estimator.n_neighbors_
    distances, places = nearest(estimator, x, k)
    is_narrow = x.dtype == np.float32 and version_of("sklearn") >= (1, 2)
    if is_narrow:
        distances = distances.astype(np.float32)
    reach = maximum(distances, gather(np.ascontiguousarray(estimator._distances_fit_X_[:, k - 1]), places))
    density = 1.0 / (reach.mean() + 1e-10)
    ratios = gather(np.asarray(estimator._lrd), places) / density  # noqa: SLF001
    decision = -ratios.mean() - np.asarray(estimator.offset_, dtype=ratios.dtype)
    labels = where(decision < 0.0, np.array([[-1]], np.int64), np.array([[1]], np.int64))
    return Answer(decision=decision, value=labels.flat())


def _classes(estimator: Any) -> Tuple[Any, Any]:
    """Return the classes, and those of the training rows one-hot ``(m, k)``."""
    if estimator.outputs_2d_:
        raise Cannot(f"its {type(estimator).__name__} has several targets")
    classes = np.asarray(estimator.classes_)
    return classes, np.eye(len(classes))[np.asarray(estimator._y).ravel()]  # noqa: SLF001


def _counts_itself(estimator: Any) -> bool:
    """True where brute force counts votes while it measures distances, which it does but for euclidean ones."""
    is_own = _metric(estimator)[0] in ("manhattan", "chebyshev", "minkowski")
    is_brute = estimator._fit_method == "brute"  # noqa: SLF001
    return is_own and is_brute and bool(estimator.weights == "uniform")


def _is_numbered(classes: Any) -> bool:
    return classes.dtype.kind in "iu" and np.array_equal(classes, np.arange(len(classes)))


def _targets(estimator: Any) -> Any:
    """Return the targets of the training rows, ``(m, outputs)``."""
    targets = np.asarray(estimator._y)  # noqa: SLF001
    if targets.dtype.kind == "f" and targets.dtype != np.float64:
        raise Cannot(f"its {type(estimator).__name__} was fitted on targets of {targets.dtype}, which it averages so")
    return targets.astype(np.float64).reshape(len(targets), -1)


PREDICTS: Dict[str, Predict] = {
    "KNeighborsClassifier": k_classifier,
    "KNeighborsRegressor": k_regressor,
    "LocalOutlierFactor": local_outlier_factor,
    "RadiusNeighborsClassifier": radius_classifier,
    "RadiusNeighborsRegressor": radius_regressor,
}
