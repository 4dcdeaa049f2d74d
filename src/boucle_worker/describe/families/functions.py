"""FunctionTransformer of numpy's and scipy's own functions, recognised by identity; of the user's only on dates."""

from __future__ import annotations

import functools
import math
import sys
from typing import Any, Callable, Dict, Mapping

import numpy as np

from boucle_worker.describe.errors import Cannot
from boucle_worker.describe.families.dates import probed
from boucle_worker.describe.formulas import (
    absolute,
    ceil,
    cos,
    exp,
    expm1,
    floor,
    is_infinite,
    is_nan,
    log,
    log1p,
    maximum,
    minimum,
    reciprocal,
    rint,
    sigmoid,
    sign,
    sin,
    sqrt,
    tanh,
    where,
)
from boucle_worker.describe.frame import Frame, Part, as_value
from boucle_worker.describe.graph import Value
from boucle_worker.describe.picking import picked
from boucle_worker.describe.writer import Rows, Transform, Writer

STEP = "FunctionTransformer"


def function_transformer(writer: Writer, estimator: Any, x: Rows) -> Rows:
    """Return what the function makes of the rows; columns keep their names."""
    function, options = _plain(estimator.func, dict(estimator.kw_args or {}))
    if function is None:
        return x
    vector = picked(function, x) if isinstance(x, Frame) and not options else None
    if vector is not None:
        return vector
    name = _name_of(function)
    if name is None:
        if isinstance(x, Frame):
            return probed(estimator, x, f"the function of its {STEP}")
        raise Cannot(f"its {STEP} calls {_called(function)}, code of its author's")
    if options and name not in OPTIONS:
        raise Cannot(f"its {STEP} calls numpy's {name} with {', '.join(sorted(options))}")
    if isinstance(x, Value):
        _mark(writer, x, name, options)
        return _applied(name, x, options)
    return _frame(writer, name, x, options)


def _frame(writer: Writer, name: str, x: Frame, options: Dict[str, Any]) -> Rows:
    """Return a frame of the same names; columns of single precision among others are computed by themselves."""
    for part in x.parts:
        _check(name, part)
    whole = as_value(x, STEP)
    dtypes = {part.dtype for part in x.parts}
    if np.dtype(np.float32) in dtypes and len(dtypes) > 1:
        kept = [part.dtype if part.dtype == np.float32 else np.float64 for part in x.parts]
        made = [_applied(name, whole.column(j).astype(dtype), options) for j, dtype in enumerate(kept)]
        parts = [Part(p.name, v.dtype, v) for p, v in zip(x.parts, made)]
        return Frame(parts, {}, x.codes)
    _mark(writer, whole, name, options)
    y = _applied(name, whole, options)
    return Frame([Part(p.name, y.dtype, y.column(j)) for j, p in enumerate(x.parts)], {}, x.codes)


def _applied(name: str, x: Value, options: Mapping[str, Any]) -> Value:
    y = OPTIONS[name](x, **options) if options else FUNCTIONS[name](x)
    return y.sparse(x.is_sparse and name in KEEPING)


def _check(name: str, part: Part) -> None:
    """Raise Cannot where numpy computes in a dtype that the graph has not: half precision, whole numbers."""
    kind, size = part.dtype.kind, part.dtype.itemsize
    is_same = name in ("array", "asarray", "positive")
    is_whole = name in WHOLE and kind in "iu"
    is_wide = kind in "iuf" and size >= 4 and not (kind in "iu" and name in ("negative", "reciprocal", "square"))
    if not (is_same or is_whole or is_wide):
        raise Cannot(f"its {STEP} calls numpy's {name} on column {part.name} of dtype {part.dtype}")


def _mark(writer: Writer, x: Value, name: str, options: Mapping[str, Any]) -> None:
    """Mark the bounds of clip, and zero where a function breaks there."""
    bounds = [options.get(key) for key in ("a_min", "a_max", "min", "max")] if name == "clip" else []
    bounds += [0.0] if name in ("sign", "reciprocal", "sqrt", "log", "log2", "log10", "abs") else []
    for bound in bounds:
        if bound is not None and np.ndim(bound) == 0:
            for j in range(x.width):
                writer.graph.mark(x, j, [bound])


def _plain(function: Any, options: Dict[str, Any]) -> Any:
    """Return a function without the ``partial`` around it, and its options."""
    while isinstance(function, functools.partial) and not function.args:
        function, options = function.func, {**function.keywords, **options}
    return function, options


def _name_of(function: Any) -> Any:
    """Return the name of one of numpy's or scipy's functions that have a graph; None for any other."""
    for library in ("numpy", "scipy.special"):
        module = sys.modules.get(library)
        for name in (*FUNCTIONS, *OPTIONS):
            if module is not None and getattr(module, name, None) is function:
                return name
    return None


def _called(function: Any) -> str:
    return f"{getattr(function, '__qualname__', type(function).__name__)} of {getattr(function, '__module__', '?')}"


def _clip(x: Value, **options: Any) -> Value:
    """Return numpy's clip, with one bound or both."""
    low = options.pop("a_min", options.pop("min", None))
    high = options.pop("a_max", options.pop("max", None))
    for bound in (low, high):
        if bound is not None and not np.isscalar(bound):
            raise Cannot(f"its {STEP} clips each column at its own bound")
    if options:
        raise Cannot(f"its {STEP} calls numpy's clip with {', '.join(sorted(options))}")
    x = x if low is None else maximum(x, float(low))
    return x if high is None else minimum(x, float(high))


def _nan_to_num(x: Value, **options: Any) -> Value:
    """Return x with numbers for NaN and the infinities: by default 0 and the largest of the dtype."""
    largest = float(np.finfo(x.dtype).max)
    if set(options) - {"nan", "posinf", "neginf", "copy"}:
        raise Cannot(f"its {STEP} calls numpy's nan_to_num with {', '.join(sorted(options))}")
    told = {"posinf": options.get("posinf"), "neginf": options.get("neginf")}
    high = largest if told["posinf"] is None else float(told["posinf"])
    low = -largest if told["neginf"] is None else float(told["neginf"])
    x = where(is_nan(x), _one(options.get("nan", 0.0), x), x)
    x = where(x.equals(math.inf), _one(high, x), x)
    return where(x.equals(-math.inf), _one(low, x), x)


def _round(x: Value, **options: Any) -> Value:
    """Return numpy's round: times a power of ten, to the nearest even, and back."""
    decimals = options.pop("decimals", 0)
    if options:
        raise Cannot(f"its {STEP} calls numpy's round with {', '.join(sorted(options))}")
    if decimals == 0:
        return rint(x)
    power = float(10 ** abs(int(decimals)))
    y: Value = rint(x * power) / power if decimals > 0 else rint(x / power) * power
    return y


def _one(number: Any, x: Value) -> Any:
    return np.full((1, 1), float(number), x.dtype)


def _root(x: Value) -> Value:
    """Return the cube root."""
    y: Value = sign(x) * absolute(x) ** (1.0 / 3.0)
    return y


def _arcsinh(x: Value) -> Value:
    """Return ``sign(x) log1p(|x| + x^2 / (1 + sqrt(1 + x^2)))``; for huge numbers ``log |x| + log 2``."""
    size = absolute(x)
    square = size * size
    near = log1p(size + square / (sqrt(square + 1.0) + 1.0))
    y: Value = sign(x) * where(size < 1e9, near, log(size) + math.log(2.0))
    return y


def _truncated(x: Value) -> Value:
    y: Value = sign(x) * floor(absolute(x))
    return y


def _times(factor: float) -> Callable[[Value], Value]:
    return lambda x: x * factor


def _same(x: Value) -> Value:
    return x


FUNCTIONS: Dict[str, Callable[[Value], Value]] = {
    "abs": absolute,
    "absolute": absolute,
    "arcsinh": _arcsinh,
    "array": _same,
    "asarray": _same,
    "cbrt": _root,
    "ceil": ceil,
    "cos": cos,
    "deg2rad": _times(math.pi / 180.0),
    "exp": exp,
    "exp2": lambda x: 2.0**x,
    "expit": sigmoid,
    "expm1": expm1,
    "fabs": absolute,
    "float32": lambda x: x.astype(np.float32),
    "float64": lambda x: x.astype(np.float64),
    "floor": floor,
    "isfinite": lambda x: (~(is_nan(x) | is_infinite(x))).astype(x.dtype),
    "isinf": lambda x: is_infinite(x).astype(x.dtype),
    "isnan": lambda x: is_nan(x).astype(x.dtype),
    "log": log,
    "log10": lambda x: log(x) * (1.0 / math.log(10.0)),
    "log1p": log1p,
    "log2": lambda x: log(x) * (1.0 / math.log(2.0)),
    "logit": lambda x: log(x / (1.0 - x)),
    "nan_to_num": _nan_to_num,
    "negative": lambda x: -x,
    "positive": _same,
    "rad2deg": _times(180.0 / math.pi),
    "reciprocal": reciprocal,
    "rint": rint,
    "sigmoid": sigmoid,
    "sign": sign,
    "sin": sin,
    "sqrt": sqrt,
    "square": lambda x: x * x,
    "tan": lambda x: sin(x) / cos(x),
    "tanh": tanh,
    "trunc": _truncated,
    "round": _round,
}
OPTIONS: Dict[str, Callable[..., Value]] = {
    "around": _round,
    "clip": _clip,
    "nan_to_num": _nan_to_num,
    "round": _round,
}
WHOLE = ("abs", "absolute", "array", "asarray", "ceil", "clip", "float64", "floor", "nan_to_num", "rint", "trunc")
KEEPING = ("abs", "absolute", "ceil", "expm1", "floor", "log1p", "negative", "rint", "sign", "sin", "sqrt", "square")
TRANSFORMS: Dict[str, Transform] = {STEP: function_transformer}
RAW = (STEP,)
