"""Terms: rows of a wide matrix that is nearly all zero, as the graph has them: which columns hold what.

A text holds a hundred of twenty thousand terms. Formulas take such rows for what they are, a ``Value``: what keeps
zeros zero (a product, a quotient, a root of squares, some columns) stays sparse, ``x @ weights`` gathers the rows of
the weights and adds them up, and whatever else asks for the array gets the dense one, written when first asked for.

The terms of a row lie in one or more segments: ``ids`` and ``weights`` are ``(segments, length)``, ``owner`` tells the
row of each segment. The rest of a segment holds id 0 with weight 0. No id comes twice in a row, but that one.
"""

from __future__ import annotations

from typing import Any, Callable, List, Optional, Sequence

import numpy as np

from boucle_worker.describe.errors import Cannot
from boucle_worker.describe.formulas import concat, gather
from boucle_worker.describe.graph import Operand, Value

MOST_COLUMNS = 1 << 16  # of a dense matrix: half a gigabyte for a thousand rows


class Sparse(Value):
    """Rows whose dense array is written when a formula asks for it by its name."""

    def __init__(self, like: Value, dtype: Any, width: int, *, is_sparse: bool) -> None:
        self.graph, self.dtype, self.shape, self.is_sparse = like.graph, np.dtype(dtype), (None, width), is_sparse
        self._written: Optional[Value] = None

    @property
    def name(self) -> str:  # type: ignore[override]  # a Value has it from the start
        """The name of the dense array."""
        return self.dense().name

    def dense(self) -> Value:
        """Return the rows as one dense matrix. Raises Cannot when it would be too wide to hold."""
        if self._written is None:
            if self.width > MOST_COLUMNS:
                raise Cannot(f"a step that is not linear takes all of {self.width:,} terms at once")
            self._written = self._dense().sparse(self.is_sparse)
        return self._written

    def _dense(self) -> Value:
        raise NotImplementedError

    def times(self, matrix: Any, onto: Optional[Value] = None) -> Value:
        """Return the rows times a constant ``(width, k)``, added to ``onto`` ``(n, k)``."""
        raise NotImplementedError

    def scaled(self, name: str, other: Operand) -> Value:
        """Return the rows times (``__mul__``) or over (``__truediv__``) a number, a row or a column."""
        raise NotImplementedError

    def __matmul__(self, other: Operand) -> Value:
        return self.times(other) if is_matrix(other) else self.dense() @ other

    def __mul__(self, other: Operand) -> Value:
        return self.scaled("__mul__", other)

    def __rmul__(self, other: Operand) -> Value:
        return self.scaled("__mul__", other)

    def __truediv__(self, other: Operand) -> Value:
        return self.scaled("__truediv__", other)

    def column(self, index: int) -> Value:
        """Return one column, of shape ``(n, 1)``."""
        return self.dense().column(index)


class Terms(Sparse):
    """One matrix of terms. ``empty`` is ``(n, 1)``, all zero: there is a row for each, with terms or without."""

    def __init__(self, empty: Value, owner: Value, ids: Value, weights: Value, width: int) -> None:
        super().__init__(empty, weights.dtype, width, is_sparse=True)
        self.empty, self.owner, self.ids, self.weights = empty, owner, ids, weights

    def weighed(self, weights: Value, *, is_sparse: Optional[bool] = None) -> Terms:
        """Return the same terms with other weights, zero where these are."""
        made = Terms(self.empty, self.owner, self.ids, weights, self.width)
        made.is_sparse = self.is_sparse if is_sparse is None else is_sparse
        return made

    def sparse(self, is_sparse: bool = True) -> Terms:
        """Return the same rows, said to be held sparse by the library (or not)."""
        return self.weighed(self.weights, is_sparse=is_sparse)

    def astype(self, dtype: Any) -> Terms:
        """Return the same numbers in another dtype, rounded once."""
        return self.weighed(self.weights.astype(dtype))

    def __pow__(self, other: Operand) -> Value:
        is_plain = isinstance(other, (int, float)) and other > 0
        return self.weighed(self.weights**other) if is_plain else self.dense() ** other

    def sum(self, axis: int = 1, *, keepdims: bool = True) -> Value:
        """Return the sum along an axis."""
        if axis != 1:
            return self.dense().sum(axis, keepdims=keepdims)
        return self._added(self.weights.sum(1, keepdims=False), self._zeros(keepdims=False), keepdims=keepdims)

    def columns(self, indices: Any) -> Value:
        """Return some columns, in that order."""
        chosen = np.asarray(indices, dtype=np.int64).ravel()
        if np.array_equal(chosen, np.arange(self.width)):
            return self
        if len(np.unique(chosen)) != len(chosen):
            return self.dense().columns(chosen)
        place, is_kept = np.zeros(self.width, np.int64), np.zeros(self.width, self.dtype)
        place[chosen], is_kept[chosen] = np.arange(len(chosen)), 1
        weights = self.weights * gather(is_kept, self.ids)
        found = Terms(self.empty, self.owner, gather(place, self.ids), weights, len(chosen))
        found.is_sparse = self.is_sparse
        return found

    def times(self, matrix: Any, onto: Optional[Value] = None) -> Value:
        """Return the rows times a constant ``(width, k)``, added to ``onto`` ``(n, k)``."""
        dtype = np.result_type(self.dtype, matrix.dtype)
        weights, matrix, k = self.weights.astype(dtype), matrix.astype(dtype), matrix.shape[1]
        if k == 1:
            sums = (gather(matrix[:, 0], self.ids) * weights).sum(1, keepdims=False)
            zeros = self._zeros(keepdims=False).astype(dtype) if onto is None else onto.reshape((-1,))
            return self._added(sums, zeros, keepdims=True)
        found = gather(matrix, self.ids)  # (segments, length, k)
        sums = self.graph.op("MatMul", [weights.unsqueezed(1), found], dtype, (None, 1, k)).reshape((-1, k))
        zeros = self.empty.astype(dtype) + np.zeros((1, k), dtype) if onto is None else onto
        rows = self.owner.unsqueezed(1) + np.zeros((1, k), np.int64)
        return self.graph.op("ScatterElements", [zeros, rows, sums], dtype, (None, k), axis=0, reduction="add")

    def scaled(self, name: str, other: Operand) -> Value:
        """Return the rows times or over a number, a row or a column."""
        factor = self._factor(other, is_divisor=name == "__truediv__")
        if factor is None:
            found: Value = getattr(self.dense(), name)(other)
            return found
        return self.weighed(getattr(self.weights, name)(factor))

    def _factor(self, other: Operand, *, is_divisor: bool) -> Any:
        """Return what to multiply the weights with (or divide by) term by term; None when zeros would not stay."""
        if isinstance(other, Terms):
            return None if is_divisor or other.ids.name != self.ids.name else other.weights
        if isinstance(other, Value):
            is_column = other.shape == (None, 1) and not isinstance(other, Sparse)
            return self._of_rows(other) if is_column else None
        if not np.isfinite(other).all() or (is_divisor and not np.all(other)):
            return None
        if np.ndim(other) == 0:
            return other
        row = np.asarray(other)
        if row.size == 1:
            return row.reshape(1, 1)
        return gather(row.ravel(), self.ids) if row.size == self.width and row.shape[-1] == self.width else None

    def _of_rows(self, column: Value) -> Value:
        """Return what a column ``(n, 1)`` holds for the row of each segment: ``(segments, 1)``."""
        return self.graph.op("Gather", [column, self.owner], column.dtype, (None, 1), axis=0)

    def _zeros(self, *, keepdims: bool) -> Value:
        return (self.empty if keepdims else self.empty.reshape((-1,))).astype(self.dtype)

    def _added(self, sums: Value, onto: Value, *, keepdims: bool) -> Value:
        """Return the sums of segments ``(segments,)``, added up by row."""
        inputs = [onto, self.owner, sums]
        total = self.graph.op("ScatterElements", inputs, sums.dtype, (None,), axis=0, reduction="add")
        return total.reshape((-1, 1)) if keepdims else total

    def _dense(self) -> Value:
        """Return the dense matrix: each weight at its place in a flat array, the rest of a segment added as 0."""
        wide = self.graph.op(
            "Expand", [self._zeros(keepdims=True), np.array([1, self.width], np.int64)], self.dtype, self.shape
        )
        places = (self.owner.unsqueezed(1) * np.int64(self.width) + self.ids).reshape((-1,))
        inputs = [wide.reshape((-1,)), places, self.weights.reshape((-1,))]
        flat = self.graph.op("ScatterElements", inputs, self.dtype, (None,), axis=0, reduction="add")
        return flat.reshape((-1, self.width))


class Beside(Sparse):
    """Matrices side by side, some of them sparse."""

    def __init__(self, pieces: Sequence[Value], *, is_sparse: bool) -> None:
        dtype = np.result_type(*[piece.dtype for piece in pieces])
        super().__init__(pieces[0], dtype, sum(piece.width for piece in pieces), is_sparse=is_sparse)
        self.pieces = [piece.astype(dtype) for piece in pieces]

    def each(self, change: Callable[[Any, int], Value]) -> Beside:
        """Return what a function makes of each piece, given with the place of its first column."""
        made = [change(piece, start) for piece, start in zip(self.pieces, self._starts())]
        return Beside(made, is_sparse=self.is_sparse)

    def sparse(self, is_sparse: bool = True) -> Beside:
        """Return the same rows, said to be held sparse by the library (or not)."""
        return Beside(self.pieces, is_sparse=is_sparse)

    def astype(self, dtype: Any) -> Beside:
        """Return the same numbers in another dtype, rounded once."""
        return self.each(lambda piece, _start: piece.astype(dtype))

    def __pow__(self, other: Operand) -> Value:
        return self.each(lambda piece, _start: piece**other)

    def sum(self, axis: int = 1, *, keepdims: bool = True) -> Value:
        """Return the sum along an axis."""
        if axis != 1:
            return self.dense().sum(axis, keepdims=keepdims)
        total = self.pieces[0].sum(1, keepdims=keepdims)
        for piece in self.pieces[1:]:
            total = total + piece.sum(1, keepdims=keepdims)
        return total

    def columns(self, indices: Any) -> Value:
        """Return some columns, in that order."""
        chosen = np.asarray(indices, dtype=np.int64).ravel()
        if (np.diff(chosen) <= 0).any():
            return self.dense().columns(chosen)
        made: List[Value] = []
        for piece, start in zip(self.pieces, self._starts()):
            mine = chosen[(chosen >= start) & (chosen < start + piece.width)] - start
            if len(mine):
                made.append(piece.columns(mine))
        return side_by_side(made).sparse(self.is_sparse)

    def times(self, matrix: Any, onto: Optional[Value] = None) -> Value:
        """Return the rows times a constant ``(width, k)``, added to ``onto`` ``(n, k)``."""
        ordered = sorted(zip(self.pieces, self._starts()), key=lambda item: isinstance(item[0], Sparse))
        for piece, start in ordered:  # the dense ones first, so that the others are added to them
            mine = matrix[start : start + piece.width]
            if isinstance(piece, Sparse):
                onto = piece.times(mine, onto)
            else:
                onto = piece @ mine if onto is None else onto + piece @ mine
        assert onto is not None  # noqa: S101  # there are pieces
        return onto

    def scaled(self, name: str, other: Operand) -> Value:
        """Return the rows times or over a number, a row or a column."""
        if isinstance(other, Beside):
            is_same = [p.width for p in self.pieces] == [p.width for p in other.pieces]
            parts: Any = dict(zip(self._starts(), other.pieces)) if is_same else None
        elif isinstance(other, Value):
            parts = dict.fromkeys(self._starts(), other) if other.shape == (None, 1) else None
        else:
            row = np.asarray(other)
            cut = row.size == self.width and row.ndim > 0
            parts = {
                start: row.ravel()[None, start : start + piece.width] if cut else other
                for piece, start in zip(self.pieces, self._starts())
            }
        if parts is None:
            found: Value = getattr(self.dense(), name)(other)
            return found
        return self.each(lambda piece, start: getattr(piece, name)(parts[start]))

    def _starts(self) -> List[int]:
        """Return the place of the first column of each piece."""
        widths = [piece.width for piece in self.pieces]
        return [sum(widths[:i]) for i in range(len(widths))]

    def _dense(self) -> Value:
        return concat([piece.dense() if isinstance(piece, Sparse) else piece for piece in self.pieces])


def side_by_side(values: Sequence[Value]) -> Value:
    """Return values side by side: as they are when one of them is sparse, else as one matrix."""
    if len(values) == 1 or not any(isinstance(value, Sparse) for value in values):
        return concat(values)
    pieces: List[Value] = []
    for value in values:
        pieces += value.pieces if isinstance(value, Beside) else [value]
    return Beside(pieces, is_sparse=all(value.is_sparse for value in values))


def is_matrix(other: Any) -> bool:
    """Return True for a constant of two axes."""
    return isinstance(other, np.ndarray) and other.ndim == 2
