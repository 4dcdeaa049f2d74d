"""Rows as one numpy matrix with the dtype of the example, the columns in the order of the signature."""

from __future__ import annotations

from typing import Any, Callable, List

import numpy as np

from boucle_worker.feeds.cells import Input, as_numpy, column_of, objects
from boucle_worker.frames import Column, Columns


def builder(inputs: List[Input]) -> Callable[[Columns], Any]:
    """Return the function that makes a matrix of the columns of a request, shape ``(n_rows, n_inputs)``."""
    dtype = np.dtype(inputs[0]["dtype"] if inputs else "float64")
    parts = {"U": _texts, "M": _times, "O": _objects}
    part = parts.get(dtype.kind, _numbers)

    def build(columns: Columns) -> Any:
        return np.column_stack([part(column_of(columns, item), dtype, item) for item in inputs])

    return build


def _numbers(column: Column, dtype: Any, item: Input) -> Any:
    values = as_numpy(column, dtype)
    return objects(column, _missing(item)) if values is None else values


def _texts(column: Column, _dtype: Any, item: Input) -> Any:
    cells = objects(column, _missing(item))
    is_whole = all(isinstance(cell, str) for cell in cells)
    return cells.astype(str) if is_whole else cells


def _times(column: Column, dtype: Any, _item: Input) -> Any:
    return column.values.astype(dtype)


def _objects(column: Column, _dtype: Any, item: Input) -> Any:
    return objects(column, _missing(item))


def _missing(item: Input) -> Any:
    return None if item.get("missing") == "none" else np.nan
