"""Functions of Values, named as numpy and scipy name them."""

from __future__ import annotations

from typing import Any, Sequence, Tuple

import numpy as np

from boucle_worker.describe.graph import Graph, Operand, Value, broadcast


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


def zeros(x: Value, width: int) -> Value:
    """Return zeros of ``(n, width)`` for the rows of x ``(n, d)``."""
    is_missing = is_nan(x.column(0).astype(np.float64))  # a number whatever the row holds
    return is_missing.astype(np.float64) * 0.0 + np.zeros((1, width))


def _same(name: str, x: Value) -> Value:
    return x.graph.op(name, [x], x.dtype, x.shape)


def _as(graph: Graph, side: Operand, dtype: Any) -> Value:
    return side.astype(dtype) if isinstance(side, Value) else graph.constant(np.asarray(side).astype(dtype))
