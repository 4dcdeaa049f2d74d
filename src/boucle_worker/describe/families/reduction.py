"""Fewer columns: selections, projections and kernels, in the order in which each version of scikit-learn multiplies."""

from __future__ import annotations

from typing import Any, Dict, Mapping

import numpy as np

from boucle_worker.describe.errors import Cannot
from boucle_worker.describe.families.kernels import pairwise_kernel
from boucle_worker.describe.formulas import cos
from boucle_worker.describe.graph import Value
from boucle_worker.describe.writer import Answer, Predict, Transform, Writer, version_of


def selection(writer: Writer, estimator: Any, x: Value) -> Value:
    """Return the columns that were chosen."""
    chosen = estimator.get_support(indices=True)
    if not len(chosen):
        raise Cannot(f"its {type(estimator).__name__} chooses no column")
    return x.columns(chosen)


def pca(writer: Writer, estimator: Any, x: Value) -> Value:
    """Return ``(x - mean) @ components.T``, from 1.5 on multiplied before the difference; whitened if asked."""
    components, mean = np.asarray(estimator.components_), np.asarray(estimator.mean_)[None]
    is_late = version_of("sklearn") >= (1, 5)
    if is_late:
        y: Value = x @ components.T
        y = y - mean @ components.T
    else:
        y = (x - mean) @ components.T
    if not estimator.whiten:
        return y
    scale = np.sqrt(estimator.explained_variance_)[None]
    if is_late:
        scale = np.maximum(scale, np.finfo(scale.dtype).eps)
    whitened: Value = y / scale
    return whitened


def truncated_svd(writer: Writer, estimator: Any, x: Value) -> Value:
    """Return ``x @ components.T``."""
    y: Value = x @ np.asarray(estimator.components_).T
    return y


def random_projection(writer: Writer, estimator: Any, x: Value) -> Value:
    """Return ``x @ components.T``; sparse components leave sparse rows sparse unless asked for a dense answer."""
    components = estimator.components_
    is_sparse = hasattr(components, "toarray")
    y = x @ (components.toarray() if is_sparse else np.asarray(components)).T
    return y.sparse(x.is_sparse and is_sparse and not getattr(estimator, "dense_output", True))


def fast_ica(writer: Writer, estimator: Any, x: Value) -> Value:
    """Return ``(x - mean) @ components.T``; without whitening the mean stays."""
    if estimator.whiten:
        x = (x - np.asarray(estimator.mean_)[None]).astype(x.dtype)
    y: Value = x @ np.asarray(estimator.components_).T
    return y


def factor_analysis(writer: Writer, estimator: Any, x: Value) -> Value:
    """Return ``(x - mean) @ w.T @ inv(1 + w @ components.T)`` with ``w = components / noise variance``."""
    components = np.asarray(estimator.components_)
    weights = components / estimator.noise_variance_
    covariance = np.linalg.inv(np.eye(len(components)) + np.dot(weights, components.T))
    y: Value = ((x - np.asarray(estimator.mean_)[None]) @ weights.T) @ covariance
    return y


def kernel_pca(writer: Writer, estimator: Any, x: Value) -> Value:
    """Return the kernel with the fitted rows, centered, times the scaled eigenvectors."""
    values = np.asarray(getattr(estimator, "eigenvalues_", getattr(estimator, "lambdas_", None)))
    vectors = np.asarray(getattr(estimator, "eigenvectors_", getattr(estimator, "alphas_", None)))
    kept = np.flatnonzero(values)
    scaled = np.zeros_like(vectors)
    scaled[:, kept] = vectors[:, kept] / np.sqrt(values[kept])
    gamma = getattr(estimator, "gamma_", estimator.gamma)
    options = {"gamma": gamma, "degree": estimator.degree, "coef0": estimator.coef0}
    kernel = _kernel(x, estimator.X_fit_, estimator.kernel, options)
    return kernel_centerer(writer, estimator._centerer, kernel) @ scaled  # noqa: SLF001


def kernel_centerer(writer: Writer, estimator: Any, x: Value) -> Value:
    """Return ``x - mean of its fitted columns - mean of its row + mean of all``."""
    fitted = np.asarray(estimator.K_fit_rows_)
    return (x - fitted[None]) - x.sum() / float(len(fitted)) + float(estimator.K_fit_all_)


def nystroem(writer: Writer, estimator: Any, x: Value) -> Value:
    """Return the kernel with the chosen rows, ``@ normalization.T``."""
    options = dict(estimator.kernel_params or {})
    options.update(
        {n: getattr(estimator, n) for n in ("gamma", "degree", "coef0") if getattr(estimator, n) is not None}
    )
    return _kernel(x, estimator.components_, estimator.kernel, options) @ np.asarray(estimator.normalization_).T


def rbf_sampler(writer: Writer, estimator: Any, x: Value) -> Value:
    """Return ``cos(x @ weights + offset) sqrt(2 / n)``."""
    projection = x @ np.asarray(estimator.random_weights_) + np.asarray(estimator.random_offset_)[None]
    return cos(projection) * float((2.0 / estimator.n_components) ** 0.5)


def _kernel(x: Value, fitted: Any, kernel: Any, options: Mapping[str, Any]) -> Value:
    if not isinstance(kernel, str):
        raise Cannot("its kernel is a function of its author's")
    return pairwise_kernel(x, fitted, kernel, {name: value for name, value in options.items() if value is not None})


_SELECTIONS = (
    "GenericUnivariateSelect",
    "RFE",
    "RFECV",
    "SelectFdr",
    "SelectFpr",
    "SelectFromModel",
    "SelectFwe",
    "SelectKBest",
    "SelectPercentile",
    "SequentialFeatureSelector",
    "VarianceThreshold",
)
TRANSFORMS: Dict[str, Transform] = {
    **dict.fromkeys(_SELECTIONS, selection),
    "FactorAnalysis": factor_analysis,
    "FastICA": fast_ica,
    "GaussianRandomProjection": random_projection,
    "IncrementalPCA": pca,
    "KernelCenterer": kernel_centerer,
    "KernelPCA": kernel_pca,
    "Nystroem": nystroem,
    "PCA": pca,
    "RBFSampler": rbf_sampler,
    "SparseRandomProjection": random_projection,
    "TruncatedSVD": truncated_svd,
}


def selected_answer(writer: Writer, estimator: Any, x: Value) -> Answer:
    """Return what the estimator answers that was fitted on the columns chosen last."""
    return writer.predict(estimator.estimator_, selection(writer, estimator, x))


PREDICTS: Dict[str, Predict] = {"RFE": selected_answer, "RFECV": selected_answer}
