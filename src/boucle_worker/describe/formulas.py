"""Functions of Values, named as numpy and scipy name them."""

from __future__ import annotations

import math
from typing import Any, List, Sequence, Tuple

import numpy as np

from boucle_worker.describe.graph import Graph, Operand, Value, broadcast

_TAYLOR = 8


def where(condition: Value, yes: Operand, no: Operand) -> Value:
    """Return ``yes`` where the condition holds, else ``no``; at least one of them is a Value or an array."""
    dtype = np.result_type(*[side.dtype for side in (yes, no) if hasattr(side, "dtype")])
    a, b = (_as(condition.graph, side, dtype) for side in (yes, no))
    return condition.graph.op(
        "Where", [condition, a, b], dtype, broadcast(condition.shape, broadcast(a.shape, b.shape))
    )


def concat(values: Sequence[Value], axis: int = 1) -> Value:
    """Return values side by side, in the dtype that numpy would choose; sparse when each is."""
    if len(values) == 1:
        return values[0]
    dtype = np.result_type(*[value.dtype for value in values])
    sizes = [value.shape[axis] for value in values]
    size = None if None in sizes else sum(sizes)  # type: ignore[arg-type]  # no None is left
    shape = (*values[0].shape[:axis], size, *values[0].shape[axis + 1 :])
    joined = values[0].graph.op("Concat", [value.astype(dtype) for value in values], dtype, shape, axis=axis)
    return joined.sparse(all(value.is_sparse for value in values))


def gather(table: Any, index: Value) -> Value:
    """Return the rows of a constant table ``(m, ...)`` at the integers of ``index``: ``(*index.shape, ...)``."""
    table = np.asarray(table)
    return index.graph.op("Gather", [table, index], table.dtype, (*index.shape, *table.shape[1:]), axis=0)


def exp(x: Value) -> Value:
    """Return e to the power of x."""
    return _same("Exp", x)


def log(x: Value) -> Value:
    """Return the natural logarithm."""
    return _same("Log", x)


def sqrt(x: Value) -> Value:
    """Return the square root."""
    return _same("Sqrt", x)


def absolute(x: Value) -> Value:
    """Return the size without the sign."""
    return _same("Abs", x)


def tanh(x: Value) -> Value:
    """Return the hyperbolic tangent."""
    return _same("Tanh", x)


def sigmoid(x: Value) -> Value:
    """Return 1 / (1 + exp(-x))."""
    return _same("Sigmoid", x)


def relu(x: Value) -> Value:
    """Return x where it is positive, else 0."""
    return _same("Relu", x)


def floor(x: Value) -> Value:
    """Return the largest whole number that is not above x."""
    return _same("Floor", x)


def ceil(x: Value) -> Value:
    """Return the smallest whole number that is not below x."""
    return _same("Ceil", x)


def rint(x: Value) -> Value:
    """Return the nearest whole number, the even one of two."""
    return _same("Round", x)


def sign(x: Value) -> Value:
    """Return -1, 0 or 1."""
    return _same("Sign", x)


def sin(x: Value) -> Value:
    """Return the sine."""
    return _same("Sin", x)


def cos(x: Value) -> Value:
    """Return the cosine."""
    return _same("Cos", x)


def reciprocal(x: Value) -> Value:
    """Return 1 / x."""
    return _same("Reciprocal", x)


def softmax(x: Value) -> Value:
    """Return the softmax of each row."""
    return x.graph.op("Softmax", [x], x.dtype, x.shape, axis=1)


def is_nan(x: Value) -> Value:
    """Return where x is NaN."""
    return x.graph.op("IsNaN", [x], np.bool_, x.shape)


def minimum(x: Value, y: Operand) -> Value:
    """Return the smaller of both, element by element."""
    return x._binary("Min", x, y)  # noqa: SLF001  # these functions are the other half of Value


def maximum(x: Value, y: Operand) -> Value:
    """Return the larger of both, element by element."""
    return x._binary("Max", x, y)  # noqa: SLF001


def clip(x: Value, low: Operand, high: Operand) -> Value:
    """Return x, kept between two bounds."""
    return minimum(maximum(x, low), high)


def smallest(x: Value, k: int) -> Tuple[Value, Value]:
    """Return the k smallest of each row, the smallest first, and where they are: two of ``(n, k)``."""
    found, places = x.graph.ops(
        "TopK",
        [x, np.array([k], np.int64)],
        [(x.dtype, (x.shape[0], k)), (np.int64, (x.shape[0], k))],
        axis=1,
        largest=0,
        sorted=1,
    )
    return found, places


def split(x: Value) -> List[Value]:
    """Return the columns of ``(n, d)``, each ``(n, 1)``."""
    if x.width == 1:
        return [x]
    return x.graph.ops("Split", [x], [(x.dtype, (x.shape[0], 1))] * x.width, axis=1)


def upright(x: Value) -> Value:
    """Return ``(n,)`` as ``(n, 1)``; two axes stay."""
    return x.reshape((-1, 1)) if len(x.shape) == 1 else x


def squared_norms(x: Value) -> Value:
    """Return ``x @ x`` of each row, ``(n, 1)``: multiplied and added in one rounding, as BLAS does."""
    product = x.graph.op("MatMul", [x.unsqueezed(1), x.unsqueezed(2)], x.dtype, (x.shape[0], 1, 1))
    return product.reshape((-1, 1))


def is_infinite(x: Value) -> Value:
    """Return where x is plus or minus infinity."""
    return x.graph.op("IsInf", [x], np.bool_, x.shape)


def any_of(condition: Value, axis: int = 1) -> Value:
    """Return whether a condition holds anywhere along an axis, which is kept with size one."""
    return condition.astype(np.float64).max(axis) > 0.0


def affine(x: Value, weights: Any, bias: Any = None) -> Value:
    """Return ``x @ weights + bias`` for rows ``(n, d)`` and weights ``(d, k)``, in the dtype that numpy computes in.

    One Gemm, for a MatMul is not safe: onnxruntime folds a neighbouring factor or divisor of one number into it,
    rounded to single precision.
    """
    if type(x) is not Value:  # rows of terms multiply in their own way
        found: Value = x @ weights
        return found if bias is None else found + beside(found, bias)
    left, right = x._pair(x, weights)  # noqa: SLF001
    shape = (x.shape[0], right.shape[1])
    if bias is None:
        return x.graph.op("Gemm", [left, right], left.dtype, shape)
    shift = beside(left, bias)
    if shift.dtype != left.dtype:
        return affine(x, weights) + shift
    return x.graph.op("Gemm", [left, right, shift], left.dtype, shape)


def beside(x: Value, constant: Any) -> Value:
    """Return a constant as ``(1, k)``, in the dtype that numpy computes in when it meets x.

    A number alone counts less than an array does; whether a numpy number counts at all differs by numpy's version.
    """
    dtype = np.result_type(np.empty((1, 1), x.dtype), constant)
    return x.graph.constant(np.atleast_1d(np.asarray(constant, dtype))[None])


def erf(x: Value) -> Value:
    """Return the error function of doubles, which onnxruntime lacks: its Taylor series about the nearest 64th.

    Off by less than 1e-15.
    """
    nodes = np.arange(6 * 64 + 2) / 64.0
    slope = 2.0 / math.sqrt(math.pi) * np.exp(-(nodes**2))
    hermite = [np.ones_like(nodes), 2 * nodes]
    for order in range(1, _TAYLOR - 2):
        hermite.append(2 * nodes * hermite[-1] - 2 * order * hermite[-2])
    terms = [slope * h * (-1) ** i / math.factorial(i + 1) for i, h in enumerate(hermite)]
    table = np.stack([[math.erf(node) for node in nodes], *terms], axis=-1)
    size = minimum(absolute(x), np.float64(6.0))
    place = floor(where(size >= 0.0, size, 0.0) * 64.0 + 0.5)  # NaN has no place, but stays in the step
    step = (size - place / 64.0).unsqueezed(len(x.shape))
    powers = step ** np.arange(float(_TAYLOR))
    series = gather(table, place.astype(np.int64)) * powers
    return sign(x) * series.sum(len(x.shape), keepdims=False)


def refusing(x: Value, wrong: Value) -> Value:
    """Return x ``(n, d)``; where a cell of ``wrong`` is true the graph fails, as the library raises an error there."""
    rows = wrong.astype(np.int64).max(keepdims=False)
    return x + gather(np.zeros((1, 1), x.dtype), rows)  # row 1 does not exist


def log1p(x: Value) -> Value:
    """Return log(1 + x), exact for small x too: what the addition rounded away is put back."""
    u = x + 1.0
    lost = where(absolute(x) < 1.0, ((u - 1.0) - x) / u, 0.0)
    return log(u) - lost


def expm1(x: Value) -> Value:
    """Return exp(x) - 1, exact for small x too: ``(u - 1) x / log u`` of ``u = exp(x)``."""
    u = exp(x)
    near = (u - 1.0) * x / log(u)
    return where((absolute(x) < 1.0) & ~u.equals(1.0), near, where(u.equals(1.0), x, u - 1.0))


def zeros(x: Value, width: int) -> Value:
    """Return zeros of ``(n, width)`` for the rows of x ``(n, d)``."""
    is_missing = is_nan(x.column(0).astype(np.float64))  # a number whatever the row holds
    return is_missing.astype(np.float64) * 0.0 + np.zeros((1, width))


def _same(name: str, x: Value) -> Value:
    return x.graph.op(name, [x], x.dtype, x.shape)


def _as(graph: Graph, side: Operand, dtype: Any) -> Value:
    return side.astype(dtype) if isinstance(side, Value) else graph.constant(np.asarray(side).astype(dtype))
