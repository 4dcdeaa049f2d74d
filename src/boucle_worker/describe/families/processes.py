"""Gaussian processes: kernels to the fitted rows, weighted; of a classifier, the latent normal squashed."""

# ruff: noqa: SLF001  # much of what a fitted estimator is lies in private attributes

from __future__ import annotations

import math
from typing import Any, Callable, Dict

import numpy as np

from boucle_worker.describe.errors import Cannot
from boucle_worker.describe.families.kernels import pairwise_kernel, squared_distances
from boucle_worker.describe.families.linear import both
from boucle_worker.describe.formulas import affine, beside, erf, exp, sin, sqrt, zeros
from boucle_worker.describe.graph import Value
from boucle_worker.describe.writer import Answer, Predict, Writer, known_name

Kernel = Callable[[Any, Value, Any], Value]


def gaussian_process_regressor(writer: Writer, estimator: Any, x: Value) -> Answer:
    """Return the mean ``K(x, rows) @ alpha``, scaled back to the targets."""
    if not hasattr(estimator, "X_train_"):
        raise Cannot("its GaussianProcessRegressor was not fitted")
    alpha = np.asarray(estimator.alpha_)
    mean = affine(kernel_of(estimator.kernel_, x, np.asarray(estimator.X_train_)), alpha.reshape(len(alpha), -1))
    return Answer(value=mean * beside(mean, estimator._y_train_std) + beside(mean, estimator._y_train_mean))


def gaussian_process_classifier(writer: Writer, estimator: Any, x: Value) -> Answer:
    """Return what the binary process answers, or several of them one against the rest."""
    return writer.predict(estimator.base_estimator_, x)._replace(classes=estimator.classes_)


def laplace(writer: Writer, estimator: Any, x: Value) -> Answer:
    """Return the second class where the latent mean is above 0, and its probability.

    That is the logistic function averaged over the latent normal, by five error functions (Williams and Barber,
    "Bayesian classification with Gaussian processes", appendix A).
    """
    from sklearn.gaussian_process import _gpc as constants

    lambdas, weights = constants.LAMBDAS.T, constants.COEFS  # (1, 5) and (5, 1)
    rows = np.asarray(estimator.X_train_)
    kernel = kernel_of(estimator.kernel_, x, rows)
    mean = affine(kernel, (estimator.y_train_ - estimator.pi_)[:, None])
    explained = affine(kernel, (np.linalg.inv(estimator.L_) * estimator.W_sr_[None]).T)
    variance = diagonal_of(estimator.kernel_, x) - (explained * explained).sum()
    alpha = 1.0 / (variance * 2.0)
    squashed = erf(mean * lambdas * sqrt(alpha / (alpha + lambdas**2)))
    integrals = sqrt(math.pi / alpha) * squashed / (sqrt(variance * (2.0 * math.pi)) * 2.0)
    p = affine(integrals, weights, np.array([0.5 * weights.sum()]))
    return Answer((mean > 0.0).astype(np.int64).flat(), both(p), classes=estimator.classes_)


def kernel_of(kernel: Any, x: Value, points: Any) -> Value:
    """Return what a fitted kernel gives between rows and points, ``(n, m)``. Raises Cannot."""
    name = known_name(kernel)
    if name not in KERNELS:
        raise Cannot(f"it holds a {name} kernel")
    return KERNELS[name](kernel, x, points)


def diagonal_of(kernel: Any, x: Value) -> Any:
    """Return what a kernel gives between each row and itself: ``(n, 1)``, or a number."""
    name = known_name(kernel)
    if name == "Sum":
        return diagonal_of(kernel.k1, x) + diagonal_of(kernel.k2, x)
    if name == "Product":
        return diagonal_of(kernel.k1, x) * diagonal_of(kernel.k2, x)
    if name == "Exponentiation":
        return diagonal_of(kernel.kernel, x) ** kernel.exponent
    if name == "DotProduct":
        norms = (x**2).sum()
        return norms + beside(norms, kernel.sigma_0**2)
    if name == "PairwiseKernel":
        raise Cannot("its GaussianProcessClassifier holds a PairwiseKernel kernel")
    told = {"ConstantKernel": "constant_value", "WhiteKernel": "noise_level"}.get(name)
    return np.float64(getattr(kernel, told) if told else 1.0)


def rbf(kernel: Any, x: Value, points: Any) -> Value:
    """Return ``exp(-|x / length - point / length|^2 / 2)``."""
    return exp(_scaled_distances(kernel, x, points) * -0.5)


def matern(kernel: Any, x: Value, points: Any) -> Value:
    """Return the Matern kernel of nu 0.5, 1.5, 2.5 or infinity, which need no Bessel function."""
    squared = _scaled_distances(kernel, x, points)
    if kernel.nu == np.inf:
        distance = sqrt(squared)
        return exp(-(distance * distance) / 2.0)
    if kernel.nu not in (0.5, 1.5, 2.5):
        raise Cannot(f"it holds a Matern kernel with nu={kernel.nu:g}")
    if kernel.nu == 0.5:
        return exp(-sqrt(squared))
    size = sqrt(squared) * math.sqrt(2 * kernel.nu)
    height = size + 1.0
    if kernel.nu == 2.5:
        height = height + size * size / 3.0
    return height * exp(-size)


def rational_quadratic(kernel: Any, x: Value, points: Any) -> Value:
    """Return ``(1 + d^2 / (2 alpha length^2))^-alpha``."""
    squared = _distances(x, points)
    found: Value = (squared / (2 * kernel.alpha * kernel.length_scale**2) + 1.0) ** float(-kernel.alpha)
    return found


def exp_sine_squared(kernel: Any, x: Value, points: Any) -> Value:
    """Return ``exp(-2 (sin(pi d / period) / length)^2)``."""
    wave = sin(sqrt(_distances(x, points)) * (math.pi / kernel.periodicity)) / float(kernel.length_scale)
    return exp(wave * wave * -2.0)


def dot_product(kernel: Any, x: Value, points: Any) -> Value:
    """Return ``x @ points.T + sigma^2``."""
    found = affine(x, points.T)
    return found + beside(found, kernel.sigma_0**2)


def constant(kernel: Any, x: Value, points: Any) -> Value:
    """Return the same number for all."""
    return zeros(x, 1) + np.full((1, len(points)), float(kernel.constant_value))


def white(kernel: Any, x: Value, points: Any) -> Value:
    """Return 0: noise has nothing to do with other rows, not even with equal ones."""
    return zeros(x, len(points))


def total(kernel: Any, x: Value, points: Any) -> Value:
    """Return one kernel plus another; numbers that are the same for all rows are added as such."""
    one, other = (_plain(part, x, points) for part in (kernel.k1, kernel.k2))
    found = one + other
    return found if isinstance(found, Value) else constant_of(found, x, points)


def product(kernel: Any, x: Value, points: Any) -> Value:
    """Return one kernel times another."""
    found = _plain(kernel.k1, x, points) * _plain(kernel.k2, x, points)
    return found if isinstance(found, Value) else constant_of(found, x, points)


def power(kernel: Any, x: Value, points: Any) -> Value:
    """Return a kernel to the power of its exponent."""
    found = kernel_of(kernel.kernel, x, points)
    return found ** beside(found, kernel.exponent)


def pairwise(kernel: Any, x: Value, points: Any) -> Value:
    """Return a kernel of ``sklearn.metrics.pairwise``."""
    settings = {} if kernel.metric == "linear" else {"gamma": kernel.gamma, **(kernel.pairwise_kernels_kwargs or {})}
    return pairwise_kernel(x, points, kernel.metric, settings)


def constant_of(number: float, x: Value, points: Any) -> Value:
    """Return a number for each row and point."""
    return zeros(x, 1) + np.full((1, len(points)), number)


def _plain(kernel: Any, x: Value, points: Any) -> Any:
    """Return a kernel that is the same everywhere as a number of numpy (it counts as double), any other as a Value."""
    name = known_name(kernel)
    if name == "ConstantKernel":
        return np.float64(kernel.constant_value)
    return np.float64(0.0) if name == "WhiteKernel" else kernel_of(kernel, x, points)


def _scaled_distances(kernel: Any, x: Value, points: Any) -> Value:
    """Return squared distances between rows and points, both divided by the length scale."""
    scale = np.squeeze(kernel.length_scale).astype(float)
    return _distances(x / beside(x, scale), points / scale)


def _distances(x: Value, points: Any) -> Value:
    return squared_distances(x.astype(np.float64), np.asarray(points, np.float64))


KERNELS: Dict[str, Kernel] = {
    "ConstantKernel": constant,
    "DotProduct": dot_product,
    "ExpSineSquared": exp_sine_squared,
    "Exponentiation": power,
    "Matern": matern,
    "PairwiseKernel": pairwise,
    "Product": product,
    "RBF": rbf,
    "RationalQuadratic": rational_quadratic,
    "Sum": total,
    "WhiteKernel": white,
}
PREDICTS: Dict[str, Predict] = {
    "GaussianProcessClassifier": gaussian_process_classifier,
    "GaussianProcessRegressor": gaussian_process_regressor,
    "_BinaryGaussianProcessClassifierLaplace": laplace,
}
