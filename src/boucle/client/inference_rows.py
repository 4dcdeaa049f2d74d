"""Rows of the inference log as the table that a notebook works with."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np

from boucle.core.table import Table, cells
from boucle_worker.frames import Column


def native_rows(table: Table) -> Any:
    """Return a table as a polars DataFrame where polars is installed, else as a pandas one, else as it is.

    Missing cells are null (polars) or NaN, NaT, NA and None (pandas); datetimes are aware, in UTC.
    """
    if find_spec("polars") is not None:
        return polars_rows(table)
    return pandas_rows(table) if find_spec("pandas") is not None else table


def polars_rows(table: Table) -> Any:
    """Return a table as a polars DataFrame. Raises ImportError without polars."""
    import polars as pl

    return pl.DataFrame([_polars_series(name, column) for name, column in table.columns.items()])


def pandas_rows(table: Table) -> Any:
    """Return a table as a pandas DataFrame. Raises ImportError without pandas."""
    import pandas as pd

    return pd.DataFrame({name: _pandas_values(column) for name, column in table.columns.items()})


def _polars_series(name: str, column: Column) -> Any:
    import polars as pl

    kind, values, missing = column
    if kind == "datetime":
        return pl.Series(name, values.astype("datetime64[us]")).dt.replace_time_zone("UTC")
    if kind == "float":
        return pl.Series(name, values).fill_nan(None)
    if kind == "matrix":
        return pl.Series(name, values.tolist(), dtype=pl.List(pl.Float64))
    plain = {"text": pl.String(), "bool": pl.Boolean(), "int": pl.Int64()}[kind]
    has_gaps = kind == "text" or (missing is not None and bool(np.any(missing)))
    return pl.Series(name, cells(column) if has_gaps else values, dtype=plain)


def _pandas_values(column: Column) -> Any:
    import pandas as pd

    kind, values, missing = column
    if kind == "datetime":
        return pd.to_datetime(values, utc=True)
    if kind == "matrix":
        return pd.Series(values.tolist(), dtype=object)
    if kind in ("float", "text") or missing is None or not np.any(missing):
        return np.array(values)
    array = pd.arrays.BooleanArray if kind == "bool" else pd.arrays.IntegerArray
    return array(np.array(values), np.array(missing, dtype=bool))
