"""Graph and Value: a graph in the making, written as numpy formulas.

A Value stands for an array that the graph will compute: ``(x - mean) / scale`` on a Value adds two nodes. It follows
numpy's rules: an array takes part in the promotion of dtypes (float32 with a float64 array is float64), a Python
number does not. What it stands for is told by ``dtype`` and ``shape``; the first axis, that of the rows, is None.

Equal nodes and equal constants are written once.
"""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

Shape = Tuple[Optional[int], ...]
Operand = Union["Value", Any]


class Mark(NamedTuple):
    """Where a model changes its mind: column ``column`` of ``value`` at each of ``thresholds``.

    Parity puts rows there. Not part of the graph.
    """

    value: str
    column: int
    thresholds: Any


class Graph:
    """Nodes in the order they run, the constants they use by name, and marks for parity.

    ``is_single`` is true once a part of the model computes in single precision. ``joined`` are the values that reach
    estimators to which the scales of their columns matter, with the names of these; ``supervised`` are transformers
    that were fitted on the target.
    """

    def __init__(self) -> None:
        self.nodes: List[Dict[str, Any]] = []
        self.arrays: Dict[str, Any] = {}
        self.marks: List[Mark] = []
        self.is_single = False
        self.joined: List[Tuple[str, str]] = []
        self.supervised: List[str] = []
        self.inputs: Dict[str, Value] = {}
        self.values: Dict[str, Value] = {}
        self.texts: Dict[str, Dict[str, Any]] = {}
        self._names: Dict[Any, Any] = {}
        self._makers: Dict[str, Dict[str, Any]] = {}
        self._count = 0

    def input(self, name: str, dtype: Any, shape: Shape) -> Value:
        """Return what callers feed under that name."""
        self.inputs[name] = self.values[name] = Value(self, name, np.dtype(dtype), shape)
        return self.inputs[name]

    def text(self, told: Dict[str, Any]) -> Value:
        """Return what callers feed of the terms of a column of texts: int64 ``(3, segments, length)``.

        ``told`` is the ``column``, the ``spec`` by which it is cut, and the ``vocabulary``; the same twice is fed once.
        """
        known = next((name for name, other in self.texts.items() if other == told), None)
        name = known or f"terms:{len(self.texts)}"
        self.texts[name] = told
        return self.input(name, np.int64, (3, None, None))

    def constant(self, array: Any) -> Value:
        """Return an array as a Value of the graph; the same array twice is one constant."""
        array = np.asarray(array)
        array = np.ascontiguousarray(array).reshape(array.shape)  # which alone makes one axis of none
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._names:
            self._names[key] = self._name("c")
            self.arrays[self._names[key]] = array
        return Value(self, self._names[key], array.dtype, tuple(array.shape))

    def op(
        self, name: str, inputs: Sequence[Operand], dtype: Any, shape: Shape, *, domain: str = "", **attributes: Any
    ) -> Value:
        """Add an ONNX operator with one output and return it; arrays among the inputs become constants.

        Attributes are ints, floats, strings, lists of these, or arrays (told among the ``tensors`` of the node).
        """
        return self.ops(name, inputs, [(dtype, shape)], domain=domain, **attributes)[0]

    def ops(
        self,
        name: str,
        inputs: Sequence[Operand],
        outputs: Sequence[Tuple[Any, Shape]],
        *,
        domain: str = "",
        **attributes: Any,
    ) -> List[Value]:
        """Add an ONNX operator with several outputs, told as ``(dtype, shape)``, and return them."""
        sources = [value.name if isinstance(value, Value) else self.constant(value).name for value in inputs]
        plain, tensors = self._attributes(attributes)
        key = (name, domain, tuple(sources), repr(sorted(plain.items())), repr(sorted(tensors.items())))
        if key not in self._names:
            self._names[key] = [self._name("t") for _output in outputs]
            node = {
                "op": name,
                "domain": domain,
                "inputs": sources,
                "outputs": self._names[key],
                "attributes": plain,
                "tensors": tensors,
            }
            self.nodes.append(node)
            self._makers.update(dict.fromkeys(self._names[key], node))
            self.values.update({n: Value(self, n, d, s) for n, (d, s) in zip(self._names[key], outputs)})
        return [self.values[output] for output in self._names[key]]

    def origin(self, value: Value) -> Optional[Tuple[Value, Any]]:
        """Return the value that one was picked from by columns, and which; None when it was made another way."""
        node = self._makers.get(value.name)
        if node is None or node["op"] != "Gather" or node["attributes"].get("axis") != 1:
            return None
        return self.values[node["inputs"][0]], self.arrays[node["inputs"][1]]

    def mark(self, value: Value, column: int, thresholds: Any) -> None:
        """Say that the model changes its mind at these numbers of a column of a value."""
        found = np.unique(np.asarray(thresholds, dtype=np.float64).ravel())
        found = found[np.isfinite(found)]
        if len(found):
            self.marks.append(Mark(value.name, int(column), found))

    def _attributes(self, attributes: Dict[str, Any]) -> Tuple[Dict[str, Any], Dict[str, str]]:
        """Return the attributes that are plain (lists of ints from integer arrays too) and those that are tensors.

        An array of floats or bytes becomes a tensor, told by the name of its constant. Integer arrays that are long
        travel as constants too: the node names them under ``tensors`` with the prefix ``ints:``.
        """
        plain: Dict[str, Any] = {}
        tensors: Dict[str, str] = {}
        for name, value in attributes.items():
            if isinstance(value, np.ndarray):
                is_list = value.dtype == np.int64
                tensors[name] = ("ints:" if is_list else "") + self.constant(value).name
            else:
                plain[name] = value
        return plain, tensors

    def _name(self, prefix: str) -> str:
        self._count += 1
        return f"{prefix}{self._count}"


class Value:
    """An array that the graph computes. ``is_sparse`` says that the library holds it sparse: zeros are absent."""

    __array_priority__ = 1000  # numpy leaves ``array - value`` to us
    __array_ufunc__ = None
    __hash__ = None  # type: ignore[assignment]  # == would be taken for equality of names

    def __init__(self, graph: Graph, name: str, dtype: Any, shape: Shape, *, is_sparse: bool = False) -> None:
        self.graph, self.name, self.dtype, self.shape = graph, name, np.dtype(dtype), tuple(shape)
        self.is_sparse = is_sparse

    def __repr__(self) -> str:
        return f"Value({self.name}, {self.dtype}, {self.shape})"

    @property
    def width(self) -> int:
        """The number of columns. Only for two axes or more."""
        width = self.shape[1]
        assert width is not None, self  # noqa: S101  # every width is known when a graph is written
        return width

    def sparse(self, is_sparse: bool = True) -> Value:
        """Return the same array, said to be held sparse by the library (or not)."""
        return Value(self.graph, self.name, self.dtype, self.shape, is_sparse=is_sparse)

    # arithmetic ---------------------------------------------------------------------------------------------------
    def __add__(self, other: Operand) -> Value:
        return self._binary("Add", self, other)

    def __radd__(self, other: Operand) -> Value:
        return self._binary("Add", other, self)

    def __sub__(self, other: Operand) -> Value:
        return self._binary("Sub", self, other)

    def __rsub__(self, other: Operand) -> Value:
        return self._binary("Sub", other, self)

    def __mul__(self, other: Operand) -> Value:
        return self._binary("Mul", self, other)

    def __rmul__(self, other: Operand) -> Value:
        return self._binary("Mul", other, self)

    def __truediv__(self, other: Operand) -> Value:
        return self._binary("Div", self, other)

    def __rtruediv__(self, other: Operand) -> Value:
        return self._binary("Div", other, self)

    def __pow__(self, other: Operand) -> Value:
        return self._binary("Pow", self, other)

    def __rpow__(self, other: Operand) -> Value:
        return self._binary("Pow", other, self)

    def __mod__(self, other: Operand) -> Value:
        """The remainder of integers, with the sign of the divisor, as in Python."""
        return self._binary("Mod", self, other)

    def __floordiv__(self, other: Operand) -> Value:
        """The quotient of integers, rounded down, as in Python (ONNX rounds towards zero)."""
        return self._binary("Div", self - self % other, other)

    def __neg__(self) -> Value:
        return self.graph.op("Neg", [self], self.dtype, self.shape)

    def __matmul__(self, other: Operand) -> Value:
        """Rows ``(n, d)`` times ``(d, k)``.

        As Gemm where it can be: onnxruntime merges MatMul with a product or quotient by one number beside it, and
        keeps that number in single precision, of doubles too.
        """
        left, right = self._pair(self, other)
        is_plain = len(left.shape) == len(right.shape) == 2
        return self.graph.op(
            "Gemm" if is_plain else "MatMul", [left, right], left.dtype, (*left.shape[:-1], right.shape[-1])
        )

    # comparison ---------------------------------------------------------------------------------------------------
    def __lt__(self, other: Operand) -> Value:
        return self._binary("Less", self, other, np.bool_)

    def __le__(self, other: Operand) -> Value:
        return self._binary("LessOrEqual", self, other, np.bool_)

    def __gt__(self, other: Operand) -> Value:
        return self._binary("Greater", self, other, np.bool_)

    def __ge__(self, other: Operand) -> Value:
        return self._binary("GreaterOrEqual", self, other, np.bool_)

    def equals(self, other: Operand) -> Value:
        """Return where both are equal (NaN is not)."""
        return self._binary("Equal", self, other, np.bool_)

    def __and__(self, other: Operand) -> Value:
        return self._binary("And", self, other, np.bool_)

    def __or__(self, other: Operand) -> Value:
        return self._binary("Or", self, other, np.bool_)

    def __invert__(self) -> Value:
        return self.graph.op("Not", [self], np.bool_, self.shape)

    # shape --------------------------------------------------------------------------------------------------------
    def astype(self, dtype: Any) -> Value:
        """Return the same numbers in another dtype, rounded once."""
        dtype = np.dtype(dtype)
        if dtype == self.dtype:
            return self
        cast = self.graph.op("Cast", [self], dtype, self.shape, to=dtype.name)
        return cast.sparse(self.is_sparse)

    def columns(self, indices: Any) -> Value:
        """Return some columns, in that order."""
        indices = np.asarray(indices, dtype=np.int64).ravel()
        if len(self.shape) == 2 and np.array_equal(indices, np.arange(self.width)):
            return self
        found = self.graph.op("Gather", [self, indices], self.dtype, (self.shape[0], len(indices)), axis=1)
        return found.sparse(self.is_sparse)

    def column(self, index: int) -> Value:
        """Return one column, of shape ``(n, 1)``."""
        return self.columns([index])

    def flat(self) -> Value:
        """Return ``(n, 1)`` as ``(n,)``."""
        return self.reshape((-1,))

    def reshape(self, shape: Sequence[int]) -> Value:
        """Return the same numbers in another shape; -1 is the axis of the rows."""
        told = tuple(None if size == -1 else size for size in shape)
        if told == self.shape:
            return self
        return self.graph.op("Reshape", [self, np.asarray(shape, np.int64)], self.dtype, told)

    def sum(self, axis: int = 1, *, keepdims: bool = True) -> Value:
        """Return the sum along an axis."""
        return self._reduced("ReduceSum", axis, keepdims)

    def mean(self, axis: int = 1, *, keepdims: bool = True) -> Value:
        """Return the mean along an axis."""
        size = self.shape[axis]
        return self._reduced("ReduceSum", axis, keepdims) / float(size or 1)

    def max(self, axis: int = 1, *, keepdims: bool = True) -> Value:
        """Return the largest along an axis."""
        return self._reduced("ReduceMax", axis, keepdims)

    def min(self, axis: int = 1, *, keepdims: bool = True) -> Value:
        """Return the smallest along an axis."""
        return self._reduced("ReduceMin", axis, keepdims)

    def argmax(self, axis: int = 1) -> Value:
        """Return where the largest is along an axis: the first of equal ones, as numpy's."""
        shape = self.shape[:axis] + self.shape[axis + 1 :]
        return self.graph.op("ArgMax", [self], np.int64, shape, axis=axis, keepdims=0)

    def argmin(self, axis: int = 1) -> Value:
        """Return where the smallest is along an axis: the first of equal ones, as numpy's."""
        shape = self.shape[:axis] + self.shape[axis + 1 :]
        return self.graph.op("ArgMin", [self], np.int64, shape, axis=axis, keepdims=0)

    def unsqueezed(self, axis: int) -> Value:
        """Return the array with an axis of one more."""
        shape = (*self.shape[:axis], 1, *self.shape[axis:])
        return self.graph.op("Unsqueeze", [self, np.array([axis], np.int64)], self.dtype, shape)

    def _reduced(self, name: str, axis: int, keepdims: bool) -> Value:
        kept = (1,) if keepdims else ()
        shape = (*self.shape[:axis], *kept, *self.shape[axis + 1 :])
        if name == "ReduceSum":  # opset 17: only the sum takes its axes as an input
            inputs: List[Any] = [self, np.array([axis], np.int64)]
            return self.graph.op(name, inputs, self.dtype, shape, keepdims=int(keepdims))
        return self.graph.op(name, [self], self.dtype, shape, axes=[axis], keepdims=int(keepdims))

    def _binary(self, name: str, left: Operand, right: Operand, dtype: Any = None) -> Value:
        a, b = self._pair(left, right)
        return self.graph.op(name, [a, b], dtype or a.dtype, broadcast(a.shape, b.shape))

    def _pair(self, left: Operand, right: Operand) -> Tuple[Value, Value]:
        """Return both as Values of the one dtype that numpy would compute in."""
        dtypes = [self.dtype]
        for side in (left, right):
            if isinstance(side, Value):
                dtypes.append(side.dtype)
            elif isinstance(side, (np.ndarray, np.generic)):
                dtypes.append(np.asarray(side).dtype)
        dtype = np.result_type(*dtypes)
        return self._as(left, dtype), self._as(right, dtype)

    def _as(self, side: Operand, dtype: Any) -> Value:
        return side.astype(dtype) if isinstance(side, Value) else self.graph.constant(np.asarray(side).astype(dtype))


def broadcast(left: Shape, right: Shape) -> Shape:
    """Return the shape of two arrays put together; None (the rows) wins over 1.

    >>> broadcast((None, 1), (1, 3)), broadcast((None, 4), (4,))
    ((None, 3), (None, 4))
    """
    size = max(len(left), len(right))
    a, b = (1,) * (size - len(left)) + left, (1,) * (size - len(right)) + right
    return tuple(y if x == 1 else x for x, y in zip(a, b))
