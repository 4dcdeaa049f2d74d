"""Columns of pandas, each with the words that rebuild it: dtype, spelling of a missing cell, categories."""

from __future__ import annotations

from typing import Any

import numpy as np

from boucle.client.capture.cells import Read, objects, unusual, whole_numbers
from boucle.client.capture.numpy_rows import instants, read_array
from boucle.core.i18n import _
from boucle.core.signature import Input
from boucle_worker.frames import Column


def read_series(name: str, series: Any, strict: bool = True) -> Read:
    """Read a pandas series. Raises InvalidRequest naming the column and the cure."""
    import pandas as pd

    dtype = series.dtype
    if isinstance(dtype, np.dtype):
        return read_array(name, series.to_numpy(), strict)
    if isinstance(dtype, pd.CategoricalDtype):
        return _categories(name, series, strict)
    if isinstance(dtype, pd.StringDtype):
        return _texts(name, series)
    if isinstance(dtype, pd.DatetimeTZDtype):
        naive = series.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy()
        return Read(Column("datetime", instants(name, naive)), Input(name, "datetime", str(dtype)))
    if type(dtype).__name__ == "ArrowDtype":
        return _arrow(name, series, strict)
    if hasattr(dtype, "numpy_dtype") and dtype.kind in "biuf":
        return _nullable(name, series)
    raise unusual(name, str(dtype), _CURES.get(type(dtype).__name__, _CURE).format(name=name))


def _texts(name: str, series: Any) -> Read:
    gone = series.isna().to_numpy(dtype=bool)
    cells = series.astype(object).tolist()
    values = objects([None if missing else cell for cell, missing in zip(cells, gone)])
    is_nan = isinstance(series.dtype.na_value, float)
    word = "str" if is_nan else "string"
    return Read(Column("text", values), Input(name, "text", word, "nan" if is_nan else "NA"))


def _nullable(name: str, series: Any) -> Read:
    """Read Int8 … UInt64, Float32, Float64 and boolean, whose missing cells are pandas.NA."""
    kind, word = series.dtype.kind, str(series.dtype)
    gone = series.isna().to_numpy(dtype=bool)
    mask = gone if gone.any() else None
    if kind == "f":
        values = series.to_numpy(dtype="float64", na_value=np.nan)
        return Read(Column("float", values), Input(name, "float", word, "NA"))
    if kind == "b":
        return Read(Column("bool", series.to_numpy(dtype=bool, na_value=False), mask), Input(name, "bool", word, "NA"))
    values = series.to_numpy(dtype="uint64" if kind == "u" else "int64", na_value=0)
    return Read(whole_numbers(name, values, mask), Input(name, "int", word, "NA"))


def _categories(name: str, series: Any, strict: bool) -> Read:
    categories = series.cat.categories.to_numpy()
    read = read_array(name, categories, strict)
    if read.input.kind == "datetime":
        raise unusual(name, _("categories that are dates"), f'X["{name}"] = X["{name}"].astype("datetime64[us]")')
    codes = series.cat.codes.to_numpy()
    gone = codes < 0
    values = read.column.values[np.where(gone, 0, codes)] if len(categories) else np.zeros(len(codes))
    return Read(_with_missing(read.input.kind, values, gone), _categorical_input(name, read.input.kind, series))


def _with_missing(kind: str, values: Any, gone: Any) -> Column:
    if kind == "text":
        return Column(kind, objects([None if missing else cell for cell, missing in zip(values, gone)]))
    if kind == "float":
        return Column(kind, np.where(gone, np.nan, values))
    return Column(kind, values, gone if gone.any() else None)


def _categorical_input(name: str, kind: str, series: Any) -> Input:
    categories = tuple(series.cat.categories.tolist())
    return Input(name, kind, "category", "nan", categories, bool(series.cat.ordered))


def _arrow(name: str, series: Any, strict: bool) -> Read:
    import narwhals as nw

    if str(series.dtype).startswith("dictionary"):
        raise unusual(name, str(series.dtype), f'X["{name}"] = X["{name}"].astype("category")')
    from boucle.client.capture.arrow_rows import read_series as read_arrow_series

    read = read_arrow_series(name, nw.from_native(series, series_only=True), strict)
    item = read.input
    return Read(read.column, Input(name, item.kind, item.dtype, "NA", item.categories, item.ordered))


_CURE = 'X["{name}"] = X["{name}"].astype("float64")'
_CURES = {
    "PeriodDtype": 'X["{name}"] = X["{name}"].dt.to_timestamp()',
    "IntervalDtype": 'X["{name}"] = X["{name}"].map(lambda i: i.mid)',
    "SparseDtype": 'X["{name}"] = X["{name}"].sparse.to_dense()',
}
