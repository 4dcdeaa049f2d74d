"""Targets that were bent before the fit: a regressor's answers are bent back by the inverse."""

from __future__ import annotations

from typing import Any, Callable, Dict

import numpy as np

from boucle_worker.describe.errors import Cannot
from boucle_worker.describe.families.functions import function_transformer
from boucle_worker.describe.formulas import concat, erf, exp, log1p, split, upright, where
from boucle_worker.describe.graph import Value
from boucle_worker.describe.steps import interpolated
from boucle_worker.describe.writer import Answer, Predict, Rows, Writer, known_name, version_of

_BOUND = 1e-7  # scikit-learn's BOUNDS_THRESHOLD
_TINY = float(np.spacing(1.0))


def transformed_target(writer: Writer, estimator: Any, x: Rows) -> Answer:
    """Return the inverse of the target's transformer, applied to what the regressor answers."""
    return Answer(value=inverse(writer, estimator.transformer_, upright(writer.value(estimator.regressor_, x))))


def inverse(writer: Writer, transformer: Any, y: Value) -> Value:
    """Return ``transformer.inverse_transform(y)``, ``(n, k)``. Raises Cannot."""
    name = known_name(transformer)
    if name == "Pipeline":
        for _name, step in reversed(transformer.steps):
            y = inverse(writer, step, y) if step not in (None, "passthrough") else y
        return y
    if name not in INVERSES:
        raise Cannot(f"it bends its target by a {name}, whose inverse has no exact graph")
    return INVERSES[name](writer, transformer, y)


def _function(writer: Writer, transformer: Any, y: Value) -> Value:
    from sklearn.preprocessing import FunctionTransformer

    backwards = FunctionTransformer(transformer.inverse_func, kw_args=transformer.inv_kw_args)
    found = function_transformer(writer, backwards, y)
    assert isinstance(found, Value)  # noqa: S101  # as the rows are
    return found


def _standard(writer: Writer, transformer: Any, y: Value) -> Value:
    """Return ``y * scale + mean``."""
    return _shifted(y, transformer.scale_ if transformer.with_std else None,
                    transformer.mean_ if transformer.with_mean else None)  # fmt: skip


def _robust(writer: Writer, transformer: Any, y: Value) -> Value:
    """Return ``y * scale + center``."""
    return _shifted(y, transformer.scale_ if transformer.with_scaling else None,
                    transformer.center_ if transformer.with_centering else None)  # fmt: skip


def _min_max(writer: Writer, transformer: Any, y: Value) -> Value:
    """Return ``(y - min) / scale``."""
    shifted = (y - np.asarray(transformer.min_)[None]).astype(y.dtype)
    return (shifted / np.asarray(transformer.scale_)[None]).astype(y.dtype)


def _max_abs(writer: Writer, transformer: Any, y: Value) -> Value:
    """Return ``y * scale``."""
    return _shifted(y, transformer.scale_, None)


def _shifted(y: Value, scale: Any, shift: Any) -> Value:
    """Return ``y * scale + shift``; float32 stays float32."""
    if scale is not None:
        y = (y * _held(scale, y)).astype(y.dtype)
    return y if shift is None else (y + _held(shift, y)).astype(y.dtype)


def _held(array: Any, y: Value) -> Any:
    """Return a fitted array in the dtype in which scikit-learn computes with it."""
    return np.asarray(array)[None].astype(y.dtype if version_of("sklearn") >= (1, 8) else np.float64)


def _power(writer: Writer, transformer: Any, y: Value) -> Value:
    """Return the inverse of Yeo and Johnson's or Box and Cox's power of each column."""
    if transformer.standardize:
        y = _standard(writer, transformer._scaler, y)  # noqa: SLF001
    bend = _yeo_johnson if transformer.method == "yeo-johnson" else _box_cox
    return concat([bend(column, float(p)) for column, p in zip(split(y), transformer.lambdas_)])


def _box_cox(y: Value, power: float) -> Value:
    """Return ``(y power + 1) ** (1 / power)``, by logarithms; exp for power 0."""
    return exp(y) if power == 0.0 else exp(log1p(y * power) / power)


def _yeo_johnson(y: Value, power: float) -> Value:
    """Return ``(y p + 1) ** (1 / p) - 1`` from 0 on, and its mirror image with ``2 - p`` below."""
    above = exp(y) - 1.0 if abs(power) < _TINY else (y * power + 1.0) ** (1.0 / power) - 1.0
    other = 2.0 - power
    below = 1.0 - exp(-y) if abs(power - 2.0) <= _TINY else 1.0 - (y * -other + 1.0) ** (1.0 / other)
    return where(y >= 0.0, above, below)


def _quantile(writer: Writer, transformer: Any, y: Value) -> Value:
    """Return ``np.interp`` from shares to quantiles; for a normal output the share is its distribution's first."""
    quantiles, references = np.asarray(transformer.quantiles_), np.asarray(transformer.references_)
    is_normal = transformer.output_distribution == "normal"
    share = (erf(y * float(np.sqrt(0.5))) + 1.0) * 0.5 if is_normal else y
    found = interpolated(share, [(references, column) for column in quantiles.T])
    if not is_normal:
        return found
    found = where(share + _BOUND > 1.0, quantiles[-1][None], found)
    return where(share - _BOUND < 0.0, quantiles[0][None], found)


INVERSES: Dict[str, Callable[[Writer, Any, Value], Value]] = {
    "FunctionTransformer": _function,
    "MaxAbsScaler": _max_abs,
    "MinMaxScaler": _min_max,
    "PowerTransformer": _power,
    "QuantileTransformer": _quantile,
    "RobustScaler": _robust,
    "StandardScaler": _standard,
}
PREDICTS: Dict[str, Predict] = {"TransformedTargetRegressor": transformed_target}
RAW = tuple(PREDICTS)
