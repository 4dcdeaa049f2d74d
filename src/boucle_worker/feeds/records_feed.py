"""Rows as a list of dicts of Python's own values, for models and functions that take plain Python."""

from __future__ import annotations

from typing import Any, Callable, Dict, List

from boucle_worker.feeds.cells import Input, column_of, python_values
from boucle_worker.frames import Column, Columns


def builder(inputs: List[Input]) -> Callable[[Columns], Any]:
    """Return the function that makes the list of ``n_rows`` dicts of a request."""
    names = [item["name"] for item in inputs]

    def build(columns: Columns) -> Any:
        cells = [_cells(column_of(columns, item), item) for item in inputs]
        rows: List[Dict[str, Any]] = [dict(zip(names, row)) for row in zip(*cells)]
        return rows

    return build


def _cells(column: Column, item: Input) -> List[Any]:
    values = python_values(column, float("nan") if item.get("missing", "nan") == "nan" else None)
    return [float(value) for value in values] if item["dtype"] == "float" and column.kind == "int" else values
