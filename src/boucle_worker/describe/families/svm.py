"""Support vector machines: libsvm's kernels, its votes between pairs of classes, and its probabilities.

Chang and Lin, "LIBSVM: a library for support vector machines"; the probabilities are Platt's sigmoid for each pair,
put together by the second method of Wu, Lin and Weng, "Probability estimates for multi-class classification by
pairwise coupling" (2004), whose iteration libsvm stops early: the graph takes the same steps.
"""

# ruff: noqa: SLF001  # much of what a fitted estimator is lies in private attributes

from __future__ import annotations

from typing import Any, Dict, List, Tuple

import numpy as np

from boucle_worker.describe.errors import Cannot
from boucle_worker.describe.families.kernels import squared_distances
from boucle_worker.describe.families.linear import dense, outliers
from boucle_worker.describe.formulas import absolute, affine, clip, concat, exp, maximum, sigmoid, tanh, where
from boucle_worker.describe.graph import Value
from boucle_worker.describe.writer import Answer, Predict, Writer

_SURE = 1e-7  # no pair is surer than this
_STOP = 0.005  # divided by the number of classes: where libsvm stops
_BINARY_SWEEPS = 2  # never more, measured over all probabilities from 1e-7 to 1 - 1e-7
_SWEEPS = 5  # in 1,500,000 random tables of 3 to 10 classes, extremes among them: 4, and 5 in one
_MOST_CLASSES = 20
_TOLERANCE = 1e-12
_HUGE = 1e150  # squares of this are finite


def support_vector_classifier(writer: Writer, estimator: Any, x: Value) -> Answer:
    """Return the class with the most votes of pairs; of two, the second unless libsvm's sum is above 0."""
    classes = estimator.classes_
    pairs = _pairs(len(classes))
    weights = _pair_weights(estimator, pairs)
    if len(classes) == 2:
        decision = _sums(estimator, x, -weights, -estimator._intercept_)
        label = (decision >= 0.0).astype(np.int64).flat()
        return Answer(label, _probabilities(estimator, decision * -1.0, pairs), decision, classes=classes)
    sums = _sums(estimator, x, weights, estimator._intercept_)
    decision = sums
    if estimator.decision_function_shape == "ovr":
        decision = _one_against_rest(sums, pairs)
    if estimator.break_ties and estimator.decision_function_shape == "ovr":
        label = decision.argmax()
    else:
        label = _votes(sums > 0.0, pairs).argmax()
    return Answer(label, _probabilities(estimator, sums, pairs), decision, classes=classes)


def support_vector_regressor(writer: Writer, estimator: Any, x: Value) -> Answer:
    """Return the kernels to the support vectors, weighted, plus the intercept."""
    return Answer(value=_sums(estimator, x, dense(estimator._dual_coef_).T, estimator._intercept_))


def one_class(writer: Writer, estimator: Any, x: Value) -> Answer:
    """Return 1 where the weighted kernels exceed the offset, else -1."""
    decision = _sums(estimator, x, dense(estimator._dual_coef_).T, estimator._intercept_)
    return outliers(decision, decision > 0.0)


def _sums(estimator: Any, x: Value, weights: Any, intercept: Any) -> Value:
    """Return ``kernel(x, support vectors) @ weights + intercept``, ``(n, pairs)``, in double as libsvm."""
    x, points = x.astype(np.float64), np.asarray(dense(estimator.support_vectors_), np.float64)
    if estimator.kernel == "linear":
        weights = points.T @ weights
    else:
        x = _kernel(estimator, x, points)
    return affine(x, weights, np.asarray(intercept, np.float64))


def _kernel(estimator: Any, x: Value, points: Any) -> Value:
    """Return libsvm's kernel between rows and support vectors, ``(n, m)``."""
    kind, gamma = estimator.kernel, float(estimator._gamma)
    if kind == "rbf":
        return _rbf(x, points, gamma)
    if kind not in ("poly", "sigmoid"):
        raise Cannot(f"its {type(estimator).__name__} has {_told(kind)}")
    product = affine(x, points.T * gamma, np.full(len(points), float(estimator.coef0)))
    return tanh(product) if kind == "sigmoid" else product ** float(estimator.degree)


def _rbf(x: Value, points: Any, gamma: float) -> Value:
    """Return ``exp(-gamma |x - point|^2)``.

    Written with one product of matrices about the middle of the points, unless that would lose more than rounding.
    """
    middle = points.mean(axis=0, keepdims=True) * (not x.is_sparse)  # zeros stay zeros
    points = points - middle
    norms = (points * points).sum(axis=1)
    if gamma * float(norms.max(initial=0.0)) * np.finfo(np.float64).eps > _TOLERANCE:
        return exp(squared_distances(x, points + middle) * -gamma)
    if not x.is_sparse:
        x = clip(x - middle, np.float64(-_HUGE), np.float64(_HUGE))
    return exp(affine(x, points.T * (2.0 * gamma), norms * -gamma) + (x**2).sum() * -gamma)


def _told(kernel: Any) -> str:
    return f"kernel {kernel!r}" if isinstance(kernel, str) else "a kernel of its own"


def _pairs(n_classes: int) -> List[Tuple[int, int]]:
    """Return the pairs of classes in libsvm's order."""
    return [(i, j) for i in range(n_classes) for j in range(i + 1, n_classes)]


def _pair_weights(estimator: Any, pairs: List[Tuple[int, int]]) -> Any:
    """Return the weight of each support vector in each pair, ``(m, pairs)``.

    Those of class i against j are in row j - 1, those of j against i in row i.
    """
    coefficients = np.asarray(dense(estimator._dual_coef_), np.float64)
    ends = np.concatenate([[0], np.cumsum(estimator.n_support_)])
    weights = np.zeros((coefficients.shape[1], len(pairs)))
    for place, (i, j) in enumerate(pairs):
        weights[ends[i] : ends[i + 1], place] = coefficients[j - 1, ends[i] : ends[i + 1]]
        weights[ends[j] : ends[j + 1], place] = coefficients[i, ends[j] : ends[j + 1]]
    return weights


def _sides(pairs: List[Tuple[int, int]]) -> Tuple[Any, Any]:
    """Return which class is the first and which the second of each pair, as tables of ones ``(pairs, k)``."""
    n_classes = max(j for _i, j in pairs) + 1
    return np.eye(n_classes)[[i for i, _j in pairs]], np.eye(n_classes)[[j for _i, j in pairs]]


def _votes(is_first: Value, pairs: List[Tuple[int, int]]) -> Value:
    """Return how many pairs each class wins, ``(n, k)``."""
    first, second = _sides(pairs)
    return affine(is_first.astype(np.float64), first - second, second.sum(axis=0))


def _one_against_rest(sums: Value, pairs: List[Tuple[int, int]]) -> Value:
    """Return votes plus sums of decisions squeezed below a third, which break ties: scikit-learn's decision values."""
    first, second = _sides(pairs)
    total = affine(sums, first - second)
    found: Value = _votes(sums >= 0.0, pairs) + total / ((absolute(total) + 1.0) * 3.0)
    return found


def _probabilities(estimator: Any, sums: Value, pairs: List[Tuple[int, int]]) -> Any:
    """Return the probabilities of a machine fitted with them, else None."""
    if not estimator.probability or estimator.probability == "deprecated" or len(estimator._probA) == 0:
        return None
    slopes, shifts = (np.asarray(a, np.float64)[None] for a in (estimator._probA, estimator._probB))
    sure = clip(sigmoid(-(sums * slopes + shifts)), np.float64(_SURE), np.float64(1 - _SURE))
    n_classes = len(estimator.classes_)
    if n_classes > _MOST_CLASSES:
        raise Cannot(f"the probabilities of its {type(estimator).__name__} are of {n_classes} classes")
    return _two(sure) if n_classes == 2 else _coupled(sure, n_classes)


def _two(a: Value) -> Value:
    """Return libsvm's iteration for two classes, which starts at a half and stops near ``a``.

    With p the answer and ``e = p - a``, each of its two steps is a fraction in e.
    """
    b = 1.0 - a
    error = (b - a) * 0.5
    for _sweep in range(_BINARY_SWEEPS):
        square = error * error
        is_done = maximum(absolute(b * error - square), absolute(a * error + square)) < _STOP / 2
        half = square * b / (b * (b - error) + square)
        square = half * half
        error = where(is_done, error, -(square * a / (a * (a + half) + square)))
    return concat([a + error, b - error])


def _coupled(sure: Value, k: int) -> Value:
    """Return libsvm's iteration for several classes from the probabilities of pairs ``(n, pairs)``.

    Its state is p beside Q @ p, ``(n, 2 k)``: step t adds to both and divides by the new sum of p.
    """
    rows = _quadratic(sure, k)
    diagonal = [row.column(t) for t, row in enumerate(rows)]
    moves = [_with_unit(row, t, k) for t, row in enumerate(rows)]
    state = concat([rows[0] * 0.0 + 1.0 / k, concat([row.sum() for row in rows]) * (1.0 / k)])
    for _sweep in range(_SWEEPS):
        p, gradient = state.columns(range(k)), state.columns(range(k, 2 * k))
        energy = (p * gradient).sum()
        is_done = absolute(gradient - energy).max() < _STOP / k
        old = state
        for t in range(k):
            slope = state.column(k + t)
            step = (energy - slope) / diagonal[t]
            total = step + 1.0
            state = (state + step * moves[t]) / total
            energy = (energy + step * (energy + slope)) / total / total
        state = where(is_done, old, state)
    return state.columns(range(k))


def _quadratic(sure: Value, k: int) -> List[Value]:
    """Return the rows of Q, ``(n, k)`` each: ``Q[t, t] = sum of r[j, t]^2`` and ``Q[t, j] = -r[j, t] r[t, j]``."""
    places = {pair: place for place, pair in enumerate(_pairs(k))}
    table = concat([sure, 1.0 - sure])  # r[i, j] at the place of (i, j), r[j, i] that many places on
    rows = []
    for t in range(k):
        others = [j for j in range(k) if j != t]
        against = table.columns([places[j, t] if j < t else len(places) + places[t, j] for j in others])
        mine = table.columns([places[t, j] if t < j else len(places) + places[j, t] for j in others])
        row = concat([(against * against).sum(), against * mine * -1.0])
        order = [0 if j == t else 1 + others.index(j) for j in range(k)]
        rows.append(row.columns(order))
    return rows


def _with_unit(row: Value, t: int, k: int) -> Value:
    """Return the t-th unit vector beside a row of Q."""
    return concat([row * 0.0 + np.eye(k)[t : t + 1], row])


PREDICTS: Dict[str, Predict] = {
    "NuSVC": support_vector_classifier,
    "NuSVR": support_vector_regressor,
    "OneClassSVM": one_class,
    "SVC": support_vector_classifier,
    "SVR": support_vector_regressor,
}
