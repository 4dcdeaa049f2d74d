"""What the containers share: missing cells, Python values, and integers that fit their dtype."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

import numpy as np

from boucle_worker.errors import WorkerError
from boucle_worker.frames import Column, Columns

Input = Dict[str, Any]


def column_of(columns: Columns, item: Input) -> Column:
    """Return the column of an input. Raises WorkerError (``protocol``) when it was not sent."""
    column = columns.get(item["name"])
    if column is None:
        raise WorkerError("protocol", "column {!r} was not sent".format(item["name"]))
    return column


def missing_mask(column: Column) -> Any:
    """Return the boolean mask, shape ``(n_rows,)``, of missing cells; None when no cell is missing."""
    kind, values, missing = column
    if kind == "float":
        mask = np.isnan(values)
    elif kind == "datetime":
        mask = np.isnat(values)
    elif kind == "text":
        mask = np.fromiter((value is None for value in values), dtype=bool, count=len(values))
    else:
        mask = missing
    return mask if mask is not None and mask.any() else None


def python_values(column: Column, missing: Any = None) -> List[Any]:
    """Return the cells as Python's own bool, int, float, datetime (naive, UTC) or str; ``missing`` where missing."""
    values: List[Any] = column.values.tolist()
    mask = missing_mask(column)
    if mask is None:
        return values
    return [missing if gone else value for value, gone in zip(values, mask.tolist())]


def objects(column: Column, missing: Any = None) -> Any:
    """Return the cells as an array of Python objects, shape ``(n_rows,)``."""
    out = np.empty(len(column.values), dtype=object)
    out[:] = python_values(column, missing)
    return out


def fitting(values: Any, dtype: Any) -> Any:
    """Return integers as ``dtype``, or as they are (int64) when one of them is beyond its range.

    >>> fitting(np.array([1, 300]), np.dtype("int8")).dtype, fitting(np.array([1, 30]), np.dtype("int8")).dtype
    (dtype('int64'), dtype('int8'))
    """
    return values.astype(dtype, copy=False) if fits(values, dtype) else values


def fits(values: Any, dtype: Any) -> bool:
    """Return True when each of the integers is within the range of ``dtype``."""
    if dtype == np.int64 or len(values) == 0:
        return True
    limits = np.iinfo(dtype)
    return bool(values.min() >= limits.min and values.max() <= limits.max)


def as_numpy(column: Column, dtype: Any) -> Optional[Any]:
    """Return a bool, int or float column as an array of ``dtype``; None when that dtype cannot hold its cells.

    Integers with missing cells come as float64 with NaN. Fractions never become integers.
    """
    kind, values, _ = column
    mask = missing_mask(column)
    if dtype.kind == "f":
        return _floats(values, None if kind == "float" else mask, dtype)
    if dtype.kind in "iu":
        if kind == "float":
            return values if mask is not None or not _whole(values) else fitting(values.astype("int64"), dtype)
        return fitting(values.astype("int64"), dtype) if mask is None else _floats(values, mask, np.dtype("f8"))
    if dtype.kind == "b" and kind in ("bool", "int"):
        return values.astype(bool) if mask is None else None
    return None


def _floats(values: Any, mask: Any, dtype: Any) -> Any:
    out = values.astype(dtype)
    if mask is not None:
        out[mask] = np.nan
    return out


def _whole(values: Any) -> bool:
    return bool(np.all(values == np.floor(values)) and np.all(np.abs(values) < 2**53))
