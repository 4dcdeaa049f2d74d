"""Rows as a polars DataFrame with the dtypes of the example. Missing cells are null, or NaN where it held NaN."""

from __future__ import annotations

from typing import Any, Callable, List

import numpy as np
import polars as pl

from boucle_worker.errors import WorkerError
from boucle_worker.feeds.cells import Input, column_of, fits, missing_mask, python_values
from boucle_worker.frames import Column, Columns

Maker = Callable[[Column], Any]


def builder(inputs: List[Input]) -> Callable[[Columns], Any]:
    """Return the function that makes a DataFrame of the columns of a request, shape ``(n_rows, n_inputs)``."""
    makers = [(item, _maker(item)) for item in inputs]

    def build(columns: Columns) -> Any:
        return pl.DataFrame([make(column_of(columns, item)).alias(item["name"]) for item, make in makers])

    return build


def _maker(item: Input) -> Maker:
    word = item["dtype"].split("[")[0].split("(")[0]
    if word == "Datetime":
        return _datetime_maker(item)
    if word in ("Float32", "Float64"):
        return lambda column: _floats(column, item, getattr(pl, word))
    if word == "Enum":
        categories = pl.Series("categories", list(item.get("categories") or ()), dtype=_text())
        return lambda column: _series(column).cast(pl.Enum(categories), strict=False)
    if word == "Categorical":
        return _categorical_maker(item)
    if word in ("String", "Utf8"):
        return _series
    dtype = getattr(pl, word, None)
    if dtype is None:
        raise WorkerError("load", "column {name!r} has a dtype that polars lacks: {dtype}".format(**item))
    return lambda column: _whole(column, dtype)


def _categorical_maker(item: Input) -> Maker:
    known = pl.Series("", list(item.get("categories") or ()), dtype=_text())

    def make(column: Column) -> Any:  # the known ones first: their physical numbers are those of the example
        return pl.concat([known, _series(column)]).cast(pl.Categorical)[len(known) :]

    return make


def _text() -> Any:
    return getattr(pl, "String", pl.Utf8)


def _series(column: Column) -> Any:
    if column.kind == "text" or missing_mask(column) is not None:
        dtype = {"text": _text(), "int": pl.Int64, "bool": pl.Boolean, "float": pl.Float64}.get(column.kind)
        return pl.Series("", python_values(column), dtype=dtype or pl.Datetime("us"))
    return pl.Series("", np.array(column.values))


def _floats(column: Column, item: Input, dtype: Any) -> Any:
    if column.kind == "float" and item.get("missing", "nan") == "nan":
        return pl.Series("", np.array(column.values)).cast(dtype)
    return _series(column).cast(dtype)


def _whole(column: Column, dtype: Any) -> Any:
    if column.kind == "int" and dtype not in (pl.Boolean, pl.Date) and not fits(column.values, _numpy_dtype(dtype)):
        return _series(column)
    return _series(column).cast(dtype)


def _numpy_dtype(dtype: Any) -> Any:
    return np.dtype(str(dtype).lower())


def _datetime_maker(item: Input) -> Maker:
    unit, _, zone = item["dtype"].partition("[")[2].rstrip("]").partition(", ")

    def make(column: Column) -> Any:
        times = _series(column).cast(pl.Datetime("us")).dt.cast_time_unit(unit or "us")
        return times.dt.replace_time_zone("UTC").dt.convert_time_zone(zone) if zone else times

    return make
