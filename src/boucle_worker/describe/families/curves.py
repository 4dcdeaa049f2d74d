"""Transformers that bend each column: powers, quantiles and splines."""

from __future__ import annotations

import math
from typing import Any, Dict, NamedTuple

import numpy as np

from boucle_worker.describe.errors import Cannot
from boucle_worker.describe.families.preprocessing import standard_scaler
from boucle_worker.describe.formulas import (
    absolute,
    clip,
    expm1,
    floor,
    gather,
    is_nan,
    log,
    log1p,
    maximum,
    refusing,
    sqrt,
    where,
)
from boucle_worker.describe.graph import Value
from boucle_worker.describe.steps import interpolated, intervals
from boucle_worker.describe.writer import Transform, Writer, version_of

BOUND = 1e-7  # scikit-learn's BOUNDS_THRESHOLD: quantiles this near to 0 and 1 are cut
# Cephes' inverse of the normal distribution: Wichura's rational functions, highest power first.
_NEAR = (
    (-5.99633501014107895267e1, 9.80010754185999661536e1, -5.66762857469070293439e1, 1.39312609387279679503e1,
     -1.23916583867381258016e0),
    (1.0, 1.95448858338141759834e0, 4.67627912898881538453e0, 8.63602421390890590575e1, -2.25462687854119370527e2,
     2.00260212380060660359e2, -8.20372256168333339912e1, 1.59056225126211695515e1, -1.18331621121330003142e0),
)  # fmt: skip
_FAR = (
    (4.05544892305962419923e0, 3.15251094599893866154e1, 5.71628192246421288162e1, 4.40805073893200834700e1,
     1.46849561928858024014e1, 2.18663306850790267539e0, -1.40256079171354495875e-1, -3.50424626827848203418e-2,
     -8.57456785154685413611e-4),
    (1.0, 1.57799883256466749731e1, 4.53907635128879210584e1, 4.13172038254672030440e1, 1.50425385692907503408e1,
     2.50464946208309415979e0, -1.42182922854787788574e-1, -3.80806407691578277194e-2, -9.33259480895457427372e-4),
)  # fmt: skip


def power_transformer(writer: Writer, estimator: Any, x: Value) -> Value:
    """Return Yeo and Johnson's or Box and Cox's power of each column, standardized if asked."""
    if x.dtype == np.float32:
        raise Cannot("its PowerTransformer takes float32 columns, of which numpy rounds powers in a way of its own")
    powers = np.asarray(estimator.lambdas_)
    if version_of("numpy") < (2, 0):  # which rounded a number beside an array
        powers = powers.astype(x.dtype)
    if estimator.method == "box-cox":
        y = _box_cox(x.astype(np.float64), powers.astype(np.float64), is_delicate=_is_delicate(estimator, powers))
    else:
        y = _yeo_johnson(x, powers, is_delicate=version_of("sklearn") >= (1, 9) and _is_delicate(estimator, powers))
    y = y.astype(x.dtype)
    return standard_scaler(writer, estimator._scaler, y) if estimator.standardize else y  # noqa: SLF001


def quantile_transformer(writer: Writer, estimator: Any, x: Value) -> Value:
    """Return the mean of ``np.interp`` along the quantiles upwards and downwards; its normal quantile if asked."""
    if x.is_sparse:
        raise Cannot("its QuantileTransformer gets sparse rows")
    quantiles, references = np.asarray(estimator.quantiles_), np.asarray(estimator.references_)
    for j in range(x.width):
        writer.graph.mark(x, j, quantiles[[0, -1], j])
    columns = list(quantiles.T)
    up = interpolated(x, [(q, references) for q in columns])
    down = interpolated(-x, [(-q[::-1], -references[::-1]) for q in columns])
    y = ((up - down) * 0.5).astype(x.dtype)
    low, high = _bounds(quantiles[0], x), _bounds(quantiles[-1], x)
    is_normal = estimator.output_distribution == "normal"
    is_low = x - BOUND < low if is_normal else x.equals(low)
    is_high = x + BOUND > high if is_normal else x.equals(high)
    y = where(is_low, np.zeros((1, 1), x.dtype), where(is_high, np.ones((1, 1), x.dtype), y))
    if not is_normal:
        return y
    tail = float(normal_quantile_of(BOUND - np.spacing(1)))
    upper = float(normal_quantile_of(1 - (BOUND - np.spacing(1))))
    return clip(normal_quantile(y.astype(np.float64)), tail, upper).astype(x.dtype)


def normal_quantile(p: Value) -> Value:
    """Return the inverse of the normal distribution of shares between 1e-14 and 1 - 1e-14, by Cephes' formulas.

    Within ``exp(-2)`` of an end: ``z - log(z) / z - far(1 / z) / z`` of ``z = sqrt(-2 log p)``; else an odd function
    of ``p - 1/2``. Shares beyond answer ±8, which every caller cuts.
    """
    is_upper = p > 1.0 - math.exp(-2.0)
    y = where(is_upper, 1.0 - p, p)
    middle = y - 0.5
    square = middle * middle
    near = (middle + middle * (square * _ratio(square, _NEAR))) * math.sqrt(2.0 * math.pi)
    z = sqrt(log(maximum(y, 1e-15)) * -2.0)
    far = z - log(z) / z - _ratio(1.0 / z, _FAR) / z
    return where(y > math.exp(-2.0), near, where(is_upper, far, -far))


def normal_quantile_of(p: float) -> float:
    """Return the same of one number near 0 or 1, as scipy computes it."""
    y = min(p, 1.0 - p)
    z = math.sqrt(-2.0 * math.log(y))
    far = np.polyval(_FAR[0], 1.0 / z) / np.polyval(_FAR[1], 1.0 / z) / z
    value = z - math.log(z) / z - far
    return float(value if p > 0.5 else -value)


def spline_transformer(writer: Writer, estimator: Any, x: Value) -> Value:
    """Return the basis splines: of each column the polynomials of the interval between two knots that x is in."""
    splines, extrapolation = estimator.bsplines_, estimator.extrapolation
    first = np.array([[spline.t[spline.k] for spline in splines]])
    last = np.array([[spline.t[len(spline.t) - spline.k - 1] for spline in splines]])
    wide = x.astype(np.float64)
    if extrapolation == "periodic":
        moved = wide - first
        wide = (moved - floor(moved / (last - first)) * (last - first)) + first
    if extrapolation == "linear" and estimator.degree <= 1 and x.width > 1:
        raise Cannot(f"its SplineTransformer of degree {estimator.degree} goes on otherwise in the first column only")
    is_zero = getattr(estimator, "handle_missing", "error") == "zeros"
    pieces = [_pieces(spline, extrapolation, 0.0 if is_zero else np.nan) for spline in splines]
    for j in range(x.width):
        writer.graph.mark(x, j, [first[0, j], last[0, j]])
    row = intervals(wide, [piece.edges for piece in pieces])
    distance = wide - gather(np.concatenate([piece.starts for piece in pieces]), row)
    if is_zero:
        distance = where(is_nan(distance), np.zeros((1, 1)), distance)
    table = np.concatenate([piece.polynomials for piece in pieces])
    powers = distance.unsqueezed(2).unsqueezed(3) ** np.arange(table.shape[2], dtype=np.float64)[:, None]
    is_sparse = bool(getattr(estimator, "sparse_output", False))  # scipy's sparse splines are always double
    y = (
        (gather(table, row) @ powers)
        .reshape((-1, x.width * table.shape[1]))
        .astype(np.float64 if is_sparse else x.dtype)
    )
    if extrapolation == "error":
        y = refusing(y, (wide < first) | (wide > last))
    if not estimator.include_bias:
        y = y.columns([o for o in range(y.width) if (o + 1) % table.shape[1]])
    return y.sparse(is_sparse)


def _yeo_johnson(x: Value, powers: Any, *, is_delicate: bool) -> Value:
    """Return ``((1 + |x|)^p - 1) / p`` with p the power of a column; below 0 with 2 - p, and negative.

    From 1.9 on as ``expm1(p log1p |x|) / p``, which only tells where rounding does.
    """
    size, is_positive = absolute(x), x >= 0.0
    exponent = where(is_positive, powers[None], 2.0 - powers[None])
    divisor = where(is_positive, powers[None], powers[None] - 2.0)
    logs = log1p(size.astype(np.float64)).astype(x.dtype)
    grown = expm1(exponent * logs) if is_delicate else (size + 1.0) ** exponent - 1.0
    y: Value = grown / divisor
    is_log = np.stack([np.abs(powers) < np.spacing(1.0), np.abs(powers - 2.0) <= np.spacing(1.0)])
    if is_log.any():
        y = where((is_positive & is_log[:1]) | (~is_positive & is_log[1:]), where(is_positive, logs, -logs), y)
    return y


def _box_cox(x: Value, powers: Any, *, is_delicate: bool) -> Value:
    """Return ``(x^p - 1) / p``, the logarithm for p = 0."""
    is_log = (np.abs(powers) < 1e-19)[None]
    divisor = np.where(is_log, 1.0, powers[None])
    grown = expm1(log(x) * powers[None]) if is_delicate else x ** powers[None] - 1.0
    y = grown / divisor
    return where(y.graph.constant(is_log), log(x), y) if is_log.any() else y


def _is_delicate(estimator: Any, powers: Any) -> bool:
    """Return True when what ``(1 + x)^p - 1`` loses to rounding would be seen after the division and the scaling."""
    smallest = np.minimum(np.abs(powers), np.abs(2.0 - powers) if estimator.method == "yeo-johnson" else np.inf)
    divisor = np.minimum(np.where(smallest > 1e-15, smallest, 1.0), 1.0)
    scale = np.asarray(estimator._scaler.scale_) if estimator.standardize else 1.0  # noqa: SLF001
    is_single = np.asarray(estimator.lambdas_).dtype == np.float32
    return bool(is_single or (np.spacing(1.0) / divisor / scale > 1e-13).any())


def _bounds(bound: Any, x: Value) -> Any:
    """Return a quantile in the dtype in which numpy compares it with rows: before 2.0 a single number is rounded."""
    return bound[None].astype(x.dtype) if version_of("numpy") < (2, 0) else bound[None]


def _ratio(x: Value, polynomials: Any) -> Value:
    """Return the quotient of two polynomials of x ``(n, d)``, all powers at once: Horner's rule takes forty nodes."""
    n_terms = max(map(len, polynomials))
    table = np.zeros((n_terms, 2))
    for k, coefficients in enumerate(polynomials):
        table[: len(coefficients), k] = coefficients[::-1]
    sums = (x.unsqueezed(2) ** np.arange(n_terms, dtype=np.float64)[None, None]) @ table
    above, below = x.graph.ops("Split", [sums], [(x.dtype, (x.shape[0], x.width, 1))] * 2, axis=2)
    return (above / below).reshape((-1, x.width))


class _Pieces(NamedTuple):
    """The polynomials of the basis splines of a column, one row for each interval of ``edges`` and for NaN.

    ``polynomials`` ``(rows, n_splines, terms)`` are of the distance from ``starts``, the lowest power first.
    """

    edges: Any
    starts: Any
    polynomials: Any


def _pieces(spline: Any, extrapolation: str, missing: float) -> _Pieces:
    """Return the polynomials between the knots, taken from the derivatives there, and what goes on beyond them."""
    degree = int(spline.k)
    told = spline.t[degree : len(spline.t) - degree]
    knots = np.unique(told)
    inner = [_taylor(spline, knot) for knot in knots]  # the last knot is an interval of its own when it comes twice
    of_nan = np.full_like(inner[0], missing)
    if extrapolation not in ("constant", "linear"):
        if extrapolation == "continue" and told[0] == told[1]:
            raise Cannot("its SplineTransformer goes on from a first knot that it has twice")
        return _Pieces(knots[1:], np.append(knots, 0.0), np.stack([*inner, of_nan]))
    low = _outside(inner[0], degree, extrapolation)
    high = _outside(inner[-1][::-1], degree, extrapolation)[::-1]
    edges = np.append(knots, np.nextafter(knots[-1], np.inf))
    starts = np.array([knots[0], *knots, knots[-1], 0.0])
    return _Pieces(edges, starts, np.stack([low, *inner, high, of_nan]))


def _taylor(spline: Any, at: float) -> Any:
    """Return ``(n_splines, terms)``: the derivatives of each spline at a point, over the factorials."""
    terms = range(max(int(spline.k), 1) + 1)
    return np.stack([np.asarray(spline(at, nu=n)) / math.factorial(n) for n in terms], axis=-1)


def _outside(polynomials: Any, degree: int, extrapolation: str) -> Any:
    """Return what is left beyond the first knot: the outer splines only, as constants or as straight lines."""
    kept = np.zeros_like(polynomials)
    n_splines, n_terms = (degree, 1) if extrapolation == "constant" else (degree + (degree <= 1), 2)
    kept[:n_splines, :n_terms] = polynomials[:n_splines, :n_terms]
    return kept


TRANSFORMS: Dict[str, Transform] = {
    "PowerTransformer": power_transformer,
    "QuantileTransformer": quantile_transformer,
    "SplineTransformer": spline_transformer,
}
