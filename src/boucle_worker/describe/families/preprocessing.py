"""Preparation of numbers: imputers, scalers and encoders, in the order in which scikit-learn computes."""

from __future__ import annotations

from typing import Any, Dict

import numpy as np

from boucle_worker.describe.graph import Value
from boucle_worker.describe.writer import Transform, Writer, version_of


def standard_scaler(writer: Writer, estimator: Any, x: Value) -> Value:
    """Return ``(x - mean) / scale``; float32 rows stay float32 (from 1.8 on so are mean and scale first)."""
    if estimator.with_mean:
        x = (x - _held(estimator.mean_, x)).astype(x.dtype).sparse(x.is_sparse)
    if estimator.with_std:
        x = (x / _held(estimator.scale_, x)).astype(x.dtype).sparse(x.is_sparse)
    return x


def _held(array: Any, x: Value) -> Any:
    """Return a fitted array in the dtype in which scikit-learn computes with it."""
    return np.asarray(array)[None].astype(x.dtype if version_of("sklearn") >= (1, 8) else np.float64)


TRANSFORMS: Dict[str, Transform] = {"StandardScaler": standard_scaler}
