"""Rows as a pandas DataFrame with the dtypes of the example, missing cells as the example held them."""

from __future__ import annotations

from typing import Any, Callable, List

import numpy as np
import pandas as pd

from boucle_worker.feeds.cells import Input, as_numpy, column_of, fits, missing_mask, objects
from boucle_worker.frames import Column, Columns

Maker = Callable[[Column], Any]


def builder(inputs: List[Input]) -> Callable[[Columns], Any]:
    """Return the function that makes a DataFrame of the columns of a request, shape ``(n_rows, n_inputs)``."""
    makers = [(item, _maker(item)) for item in inputs]

    def build(columns: Columns) -> Any:
        return pd.DataFrame({item["name"]: make(column_of(columns, item)) for item, make in makers})

    return build


def _maker(item: Input) -> Maker:
    word = item["dtype"]
    if word == "object":
        return _object_maker(item)
    if word == "category":
        return _category_maker(item)
    if word.endswith(("[pyarrow]", "[pyarrow-arrow]")):
        return _arrow_maker(item)
    dtype = pd.api.types.pandas_dtype(word)
    if isinstance(dtype, pd.DatetimeTZDtype):
        return lambda column: _zoned(column, dtype)
    if isinstance(dtype, np.dtype):
        return _numpy_maker(dtype, item)
    return _extension_maker(dtype)


def _object_maker(item: Input) -> Maker:
    missing = _missing(item)
    return lambda column: pd.Series(objects(column, missing), dtype=object)


def _missing(item: Input) -> Any:
    return {"none": None, "NA": getattr(pd, "NA", None)}.get(item.get("missing", "nan"), np.nan)


def _category_maker(item: Input) -> Maker:
    categories = item.get("categories") or ()
    if item["kind"] == "datetime":
        categories = [np.datetime64(text.rstrip("Z"), "us") for text in categories]
    index = pd.Index(list(categories))
    dtype = pd.CategoricalDtype(index, ordered=bool(item.get("ordered")))

    def make(column: Column) -> Any:
        values = objects(column) if missing_mask(column) is not None else column.values
        return pd.Categorical.from_codes(index.get_indexer(pd.Index(values)), dtype=dtype)

    return make


def _arrow_maker(item: Input) -> Maker:
    from boucle_worker.feeds.pyarrow_feed import maker

    make = maker({**item, "dtype": item["dtype"].rpartition("[")[0]})
    return lambda column: pd.arrays.ArrowExtensionArray(make(column))


def _zoned(column: Column, dtype: Any) -> Any:
    times = pd.DatetimeIndex(column.values).tz_localize("UTC").tz_convert(dtype.tz)
    return times.astype(dtype).array


def _numpy_maker(dtype: Any, item: Input) -> Maker:
    if dtype.kind == "M":
        return lambda column: pd.DatetimeIndex(column.values).astype(dtype).array
    if dtype.kind in "fiub":
        return lambda column: _plain(column, dtype, item)
    if dtype.kind in "OU":  # 'str' before pandas 3: an object column of texts
        return _object_maker(item)
    return lambda column: pd.Series(column.values).astype(dtype)


def _plain(column: Column, dtype: Any, item: Input) -> Any:
    values = as_numpy(column, dtype)
    return pd.Series(objects(column, _missing(item)), dtype=object) if values is None else values


def _extension_maker(dtype: Any) -> Maker:
    def make(column: Column) -> Any:
        mask = missing_mask(column)
        values = objects(column) if column.kind == "text" else column.values
        array = pd.array(values, dtype=_wide_enough(column, dtype))
        if mask is not None:
            array[mask] = dtype.na_value
        return array

    return make


def _wide_enough(column: Column, dtype: Any) -> Any:
    is_int = column.kind == "int" and getattr(dtype, "kind", "") in ("i", "u")
    return dtype if not is_int or fits(column.values, dtype.numpy_dtype) else "Int64"
