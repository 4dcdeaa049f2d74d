"""Probes: the rows of each code of each raw column, several columns' rows in one container where that is exact.

A transformer is then run once for many columns, instead of once for each.
"""

from __future__ import annotations

from typing import Any, Dict, Iterable, Iterator, List, Mapping, NamedTuple, Sequence, Tuple

import numpy as np

from boucle_worker.describe.errors import Cannot

TABLE_CELLS = 50_000_000  # of one dense table of answers; more would not fit a usual worker
_BATCH_CELLS = 10_000_000  # of what a transformer makes of the rows of several columns


class Batch(NamedTuple):
    """Rows of some columns in one container: ``spans[source]`` is where the codes of a column start and stop."""

    rows: Any
    spans: Dict[str, Tuple[int, int]]


class Probes(Mapping[str, Any]):
    """The rows of the codes by raw column, as the library has them; cut out of their batch when asked for."""

    def __init__(self, batches: Sequence[Batch]) -> None:
        self.batches = list(batches)
        self._batch_of = {source: batch for batch in self.batches for source in batch.spans}
        self._cut: Dict[str, Any] = {}

    def __getitem__(self, source: str) -> Any:
        """Return the rows of each code of a raw column."""
        if source not in self._cut:
            batch = self._batch_of[source]
            start, stop = batch.spans[source]
            is_whole = len(batch.spans) == 1
            self._cut[source] = batch.rows if is_whole else rows_of(batch.rows, np.arange(start, stop))
        return self._cut[source]

    def __iter__(self) -> Iterator[str]:
        """Yield the raw columns."""
        return iter(self._batch_of)

    def __len__(self) -> int:
        """Return how many raw columns there are."""
        return len(self._batch_of)

    def of(self, sources: Iterable[Any]) -> Probes:
        """Return the probes of some raw columns, in the order of the batches."""
        wanted = {source for source in sources if source in self._batch_of}
        if len(wanted) == len(self):
            return self
        return Probes([_some(batch, wanted) for batch in self.batches if wanted & set(batch.spans)])

    def taken(self, places: Sequence[int]) -> Probes:
        """Return the probes with some columns of their rows, by place."""
        return Probes([Batch(taken(batch.rows, places), batch.spans) for batch in self.batches])

    def for_width(self, width: int) -> Probes:
        """Return the probes for a transformer that makes so many columns of them: no batch of theirs becomes huge."""
        batches: List[Batch] = []
        for batch in self.batches:
            if len(batch.spans) == 1 or height(batch.rows) * width <= _BATCH_CELLS:
                batches.append(batch)
            else:
                batches += [_some(batch, {source}) for source in batch.spans]
        return Probes(batches)


def as_probes(probes: Mapping[str, Any]) -> Probes:
    """Return rows by raw column as probes, each column's rows in a batch of its own."""
    if isinstance(probes, Probes):
        return probes
    return Probes([Batch(rows, {source: (0, height(rows))}) for source, rows in probes.items()])


def spans_of(sizes: Mapping[str, int]) -> Dict[str, Tuple[int, int]]:
    """Return where the rows of each column start and stop when they stand one below the other.

    >>> spans_of({"a": 3, "b": 2})
    {'a': (0, 3), 'b': (3, 5)}
    """
    spans, start = {}, 0
    for source, size in sizes.items():
        spans[source] = (start, start + size)
        start += size
    return spans


def varying(batch: Batch) -> Dict[str, List[int]]:
    """Return of each raw column which columns of the answer change with its code."""
    if hasattr(batch.rows, "tocsr"):
        rows = batch.rows.tocsr()
        return {source: _sparse_varying(rows[start:stop]) for source, (start, stop) in batch.spans.items()}
    if is_matrix(batch.rows):
        moved = {source: _is_moved(batch.rows[start:stop]) for source, (start, stop) in batch.spans.items()}
        return {source: [int(j) for j in np.flatnonzero(places)] for source, places in moved.items()}
    columns = columns_of(batch.rows)
    groups: Dict[Any, List[int]] = {}
    for j, column in enumerate(columns):
        groups.setdefault(column.dtype if column.dtype.kind in "iufb" else None, []).append(j)
    others = groups.pop(None, [])
    matrices = [(np.array(places), np.column_stack([columns[j] for j in places])) for places in groups.values()]
    found = {}
    for source, (start, stop) in batch.spans.items():
        fast = [int(j) for places, matrix in matrices for j in places[_is_moved(matrix[start:stop])]]
        slow = [j for j in others if not _is_constant(columns[j][start:stop].tolist())]
        found[source] = sorted(fast + slow)
    return found


def is_matrix(container: Any) -> bool:
    """Return True for a dense array of numbers, two axes."""
    return isinstance(container, np.ndarray) and container.ndim == 2 and container.dtype.kind in "iufb"


def checked_size(source: Any, n_codes: int, width: int) -> None:
    """Raise Cannot when a dense table of the codes of a raw column would not fit."""
    if n_codes * width > TABLE_CELLS:
        raise Cannot(f"column {source!r} has {n_codes - 2:,} values: too many for an exact table")


def rows_of(container: Any, places: Any) -> Any:
    """Return some rows of a container, by place; a DataFrame's are numbered anew."""
    if hasattr(container, "iloc"):
        return container.iloc[places].reset_index(drop=True)
    return container[places]


def stacked(containers: List[Any]) -> Any:
    """Return rows of several containers of one kind, one below the other."""
    first = containers[0]
    if len(containers) == 1:
        return first
    if hasattr(first, "iloc"):
        import pandas as pd

        return pd.concat(containers, ignore_index=True)
    if type(first).__module__.split(".")[0] == "polars":
        import polars as pl

        return pl.concat(containers)
    if hasattr(first, "tocsr"):
        import scipy.sparse

        return scipy.sparse.vstack(containers).tocsr()
    return np.concatenate(containers)


def taken(container: Any, places: Sequence[int]) -> Any:
    """Return some columns of a container of the library (DataFrame, array, sparse matrix), by place."""
    if hasattr(container, "iloc"):
        return container.iloc[:, list(places)]
    return container[:, list(places)]


def columns_of(container: Any) -> List[Any]:
    """Return the columns of a container as arrays, shape ``(n,)`` each."""
    if hasattr(container, "iloc"):
        return [np.asarray(container.iloc[:, j]) for j in range(container.shape[1])]
    if type(container).__module__.split(".")[0] == "polars":
        return [container[:, j].to_numpy() for j in range(container.shape[1])]
    dense = container.toarray() if hasattr(container, "toarray") else np.asarray(container)
    dense = dense.reshape(len(dense), -1)
    return [dense[:, j] for j in range(dense.shape[1])]


def dtypes_of(container: Any) -> List[Any]:
    """Return the dtype of each column as an array."""
    dtype = getattr(container, "dtype", None)
    if isinstance(dtype, np.dtype):
        return [dtype] * width(container)
    return [column.dtype for column in columns_of(container)]


def height(container: Any) -> int:
    """Return how many rows a container has."""
    return int(container.shape[0]) if hasattr(container, "shape") else len(container)


def width(container: Any) -> int:
    """Return how many columns a container has; an array of one axis is one column."""
    return int(container.shape[1]) if len(container.shape) > 1 else 1


def is_missing(value: Any) -> bool:
    """Return True for None, NaN, NaT and NA."""
    return value is None or type(value).__name__ in ("NAType", "NaTType") or bool(value != value)  # NaN is not itself


def _some(batch: Batch, wanted: Any) -> Batch:
    """Return the batch of some of its raw columns."""
    mine = {source: span for source, span in batch.spans.items() if source in wanted}
    if len(mine) == len(batch.spans):
        return batch
    places = np.concatenate([np.arange(start, stop) for start, stop in mine.values()])
    return Batch(rows_of(batch.rows, places), spans_of({s: stop - start for s, (start, stop) in mine.items()}))


def _is_moved(rows: Any) -> Any:
    """Return of each column of numbers whether it changes; missing ones are alike."""
    is_same = rows == rows[:1]
    if rows.dtype.kind == "f":
        is_same |= np.isnan(rows) & np.isnan(rows[:1])
    return ~is_same.all(axis=0)


def _sparse_varying(rows: Any) -> List[int]:
    """Return the columns of a sparse matrix that change: those that are set in some rows, or by several numbers."""
    columns = rows.tocsc(copy=True)
    columns.sum_duplicates()
    columns.eliminate_zeros()
    counts = np.diff(columns.indptr)
    is_moved = (counts > 0) & (counts < rows.shape[0])
    full = np.flatnonzero(counts == rows.shape[0])
    if len(full):
        is_moved[full] = _is_moved(columns[:, full].toarray())
    return [int(j) for j in np.flatnonzero(is_moved)]


def _is_constant(cells: List[Any]) -> bool:
    first = cells[0]
    if is_missing(first):
        return all(is_missing(cell) for cell in cells)
    return all(cell is first or (not is_missing(cell) and bool(cell == first)) for cell in cells)
