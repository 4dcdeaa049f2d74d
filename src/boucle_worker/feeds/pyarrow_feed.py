"""Rows as a pyarrow Table with the types of the example. Missing cells are null, or NaN where it held NaN."""

from __future__ import annotations

import re
from typing import Any, Callable, List

import pyarrow as pa

from boucle_worker.feeds.cells import Input, column_of, fits, missing_mask
from boucle_worker.frames import Column, Columns

Maker = Callable[[Column], Any]
_DICTIONARY = re.compile(r"dictionary<values=(\w+), indices=(\w+),")
_TIMESTAMP = re.compile(r"timestamp\[(s|ms|us|ns)(?:, tz=(.+))?\]\Z")


def builder(inputs: List[Input]) -> Callable[[Columns], Any]:
    """Return the function that makes a Table of the columns of a request, shape ``(n_rows, n_inputs)``."""
    makers = [(item, maker(item)) for item in inputs]
    names = [item["name"] for item in inputs]

    def build(columns: Columns) -> Any:
        return pa.Table.from_arrays([make(column_of(columns, item)) for item, make in makers], names=names)

    return build


def maker(item: Input) -> Maker:
    """Return what makes the array of a column, of the type of the example."""
    word = item["dtype"]
    if word.startswith("dictionary"):
        return _dictionary_maker(item)
    timestamp = _TIMESTAMP.match(word)
    if timestamp:
        return _timestamp_maker(timestamp.group(1), timestamp.group(2))
    dtype = pa.type_for_alias({"double": "float64", "float": "float32"}.get(word, word))
    keeps_nan = item["kind"] == "float" and item.get("missing", "nan") == "nan"

    def make(column: Column) -> Any:
        if pa.types.is_integer(dtype) and column.kind == "int" and not fits(column.values, dtype.to_pandas_dtype()):
            return _array(column)
        return (pa.array(column.values) if keeps_nan and column.kind == "float" else _array(column)).cast(dtype)

    return make


def _array(column: Column) -> Any:
    return pa.array(column.values, mask=missing_mask(column))


def _dictionary_maker(item: Input) -> Maker:
    categories = item.get("categories")
    told = _DICTIONARY.match(item["dtype"])
    value_type, index_type = (pa.type_for_alias(name) for name in (told.groups() if told else ("string", "int32")))

    def make(column: Column) -> Any:
        if not categories:
            return _array(column).dictionary_encode()
        codes = {category: code for code, category in enumerate(categories)}
        indices = pa.array([codes.get(text) for text in column.values], type=index_type)
        values = pa.array(categories, type=value_type)
        return pa.DictionaryArray.from_arrays(indices, values, ordered=bool(item.get("ordered")))

    return make


def _timestamp_maker(unit: str, zone: Any) -> Maker:
    return lambda column: _array(column).cast(pa.timestamp(unit, tz="UTC")).cast(pa.timestamp(unit, tz=zone))
