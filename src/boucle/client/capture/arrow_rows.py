"""Columns of polars and pyarrow (and of pandas' Arrow dtypes), read through narwhals."""

from __future__ import annotations

from typing import Any, Optional

import narwhals as nw
import numpy as np

from boucle.client.capture.cells import Read, objects, unusual, whole_numbers
from boucle.core.i18n import _
from boucle.core.signature import Input, MissingAs
from boucle_worker.frames import Column

_WHOLE = (nw.Int8, nw.Int16, nw.Int32, nw.Int64, nw.UInt8, nw.UInt16, nw.UInt32, nw.UInt64)
_INSTANTS = (nw.Date, nw.Datetime)
_CATEGORIES = (nw.Categorical, nw.Enum)


def read_series(name: str, series: Any, strict: bool = True) -> Read:
    """Read a narwhals series. Raises InvalidRequest naming the column and the cure."""
    dtype, mask = series.dtype, np.asarray(series.is_null().to_numpy(), dtype=bool)
    word = _word(series)
    if isinstance(dtype, nw.Boolean):
        return _told(name, Column("bool", _filled(series, value=False, dtype=bool), mask if mask.any() else None), word)
    if isinstance(dtype, _WHOLE):
        return _told(name, whole_numbers(name, _filled(series, 0), mask), word)
    if isinstance(dtype, (nw.Float32, nw.Float64)):
        return _floats(name, series, mask, strict)
    if isinstance(dtype, nw.String):
        return _told(name, Column("text", _texts(series, mask)), word)
    if isinstance(dtype, _CATEGORIES):
        return _categories(name, series, mask)
    if isinstance(dtype, _INSTANTS):
        return _told(name, Column("datetime", _instants(name, series, mask)), word)
    raise unusual(name, str(dtype), _polars_cure(name, dtype) if _is_polars(series) else _cure(name))


def _told(name: str, column: Column, word: str, missing: MissingAs = "none") -> Read:
    return Read(column, Input(name, column.kind, word, missing))


def _filled(series: Any, value: Any, dtype: Any = None) -> Any:
    return np.asarray(series.fill_null(value).to_numpy(), dtype=dtype)


def _floats(name: str, series: Any, mask: Any, strict: bool) -> Read:
    values = np.asarray(series.fill_null(float("nan")).to_numpy(), dtype=np.float64)
    has_nan = bool((np.isnan(values) & ~mask).any())
    if strict and has_nan and mask.any():
        raise unusual(name, _("both null and NaN"), f'X = X.with_columns(pl.col("{name}").fill_nan(None))')
    return _told(name, Column("float", values), _word(series), "nan" if has_nan else "none")


def _texts(series: Any, mask: Any) -> Any:
    return objects([None if missing else cell for cell, missing in zip(series.to_list(), mask)])


def _categories(name: str, series: Any, mask: Any) -> Read:
    column = Column("text", _texts(series.cast(nw.String), mask))
    return Read(column, Input(name, "text", _word(series), "none", _choices(series), _is_ordered(series)))


def _choices(series: Any) -> Optional[tuple[str, ...]]:
    """Return the fixed categories of an Enum or a dictionary; polars' Categorical has none of its own."""
    native = series.to_native()
    if _is_pyarrow(native):
        chunks = native.unify_dictionaries().chunks
        return tuple(chunks[0].dictionary.to_pylist()) if chunks else ()
    return tuple(native.dtype.categories) if isinstance(series.dtype, nw.Enum) else None


def _is_ordered(series: Any) -> bool:
    native = series.to_native()
    return bool(native.type.ordered) if _is_pyarrow(native) else isinstance(series.dtype, nw.Enum)


def _instants(name: str, series: Any, mask: Any) -> Any:
    if getattr(series.dtype, "time_unit", "us") == "ns":
        fine = _filled(series.dt.timestamp("ns"), 0, np.int64)
        if (fine % 1000).any():
            raise unusual(name, _("times finer than a microsecond"), f'pl.col("{name}").cast(pl.Datetime("us"))')
    out = _filled(series.dt.timestamp("us"), 0, np.int64).astype("datetime64[us]")
    out[mask] = np.datetime64("NaT", "us")
    return out


def _is_polars(series: Any) -> bool:
    return type(series.to_native()).__module__.startswith("polars")


def _is_pyarrow(native: Any) -> bool:
    return type(native).__module__.startswith("pyarrow")


def _word(series: Any) -> str:
    """Return the dtype as its library spells it; see ``boucle.core.signature.Input``."""
    native, dtype = series.to_native(), series.dtype
    if _is_pyarrow(native):
        return str(native.type)
    if type(native).__module__.startswith("pandas"):
        return "string[pyarrow-arrow]" if isinstance(dtype, nw.String) else str(native.dtype)
    if isinstance(dtype, nw.Datetime):
        zone = f", {dtype.time_zone}" if dtype.time_zone else ""
        return f"Datetime[{dtype.time_unit}{zone}]"
    return "Enum" if isinstance(dtype, nw.Enum) else str(native.dtype).partition("(")[0]


def _cure(name: str) -> str:
    return _("cast {name!r} to float64, int64, string or timestamp before the model is fitted").format(name=name)


def _polars_cure(name: str, dtype: Any) -> str:
    column = f'pl.col("{name}")'
    if isinstance(dtype, nw.Duration):
        return f"X = X.with_columns({column}.dt.total_microseconds() / 1e6)"
    if isinstance(dtype, nw.Binary):
        return f"X = X.with_columns({column}.cast(pl.String))"
    if isinstance(dtype, (nw.List, nw.Array, nw.Struct)):
        return _("give each part a column of its own")
    return f"X = X.with_columns({column}.cast(pl.Float64))"
