"""Schema: what a row must look like. Inferred from the example; refuses, publishes and tests rows.

One rule everywhere: a missing column or a wrong type is refused (422); a value out of range or a category not
seen is served and counted; an extra column is ignored and named in a header.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Optional

import numpy as np

from boucle.core.document import to_json
from boucle.core.table import Column, Table, cells, missing_mask
from boucle.core.window import Window

ColumnType = Literal["bool", "int", "float", "category", "text", "datetime"]
MAX_CATEGORIES = 100
FEW_ROWS = 100  # under this, the absence of nulls in the reference proves nothing


@dataclass(frozen=True)
class ColumnSchema:
    """One column: its type, whether null is allowed, and what the reference rows held.

    ``minimum`` and ``maximum`` are in the column's own unit (ISO 8601 text in UTC for datetimes);
    ``categories`` is sorted; ``missing_rate`` is in [0, 1]; ``example`` is a real value of the reference.
    """

    name: str
    type: ColumnType
    required: bool = True
    nullable: bool = False
    minimum: Any = None
    maximum: Any = None
    categories: Optional[tuple[str, ...]] = None
    missing_rate: float = 0.0
    example: Any = None

    @property
    def kind(self) -> str:
        """The kind of the table column that holds it."""
        return "text" if self.type == "category" else self.type


@dataclass(frozen=True)
class Schema:
    """The columns of a row, in the order of the example; ``window`` when the model answers once for many rows.

    >>> table = Table({"age": Column("int", np.array([41, 7]))})
    >>> infer(table).columns[0].maximum
    41
    """

    columns: tuple[ColumnSchema, ...]
    window: Optional[Window] = None

    @property
    def names(self) -> tuple[str, ...]:
        """Column names, in order."""
        return tuple(column.name for column in self.columns)

    def example_row(self) -> dict[str, Any]:
        """Return one row of real values, as JSON."""
        return {column.name: column.example for column in self.columns}


def infer(table: Table) -> Schema:
    """Return the schema of the reference rows.

    Text with at most 100 distinct values, each seen ten times on average (or in under 100 rows), is a
    category. Null is allowed where the reference holds nulls or has under 100 rows.
    """
    first_row = table.take(slice(0, 1)).rows()
    examples = first_row[0] if first_row else {}
    return Schema(tuple(_infer_column(name, c, examples.get(name)) for name, c in table.columns.items()))


def to_json_schema(schema: Schema, title: str) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of one row, as published at ``/models/{name}/schema``.

    Ranges and categories are told as ``x-boucle-…`` members: values outside them are served, not refused. So is,
    as ``x-boucle-window``, how many rows make one answer, and in which order (see ``boucle.core.window.Window``).
    """
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "type": "object",
        "properties": {column.name: _property(column) for column in schema.columns},
        "required": [column.name for column in schema.columns if column.required],
        "additionalProperties": True,
        "examples": [schema.example_row()],
    }
    if schema.window is not None:
        document["x-boucle-window"] = to_json(schema.window)
    return document


def _infer_column(name: str, column: Column, first: Any) -> ColumnSchema:
    missing = missing_mask(column)
    present = Column(column.kind, column.values[~missing])
    n_rows, n_missing = len(missing), int(missing.sum())
    example = first if first is not None else next(iter(cells(present)), None)
    categories = _categories(present) if column.kind == "text" else None
    minimum, maximum = _range(present)
    kind = "category" if categories is not None else column.kind
    return ColumnSchema(
        name=name,
        type=kind,  # type: ignore[arg-type]  # a matrix never reaches here: examples have plain columns
        nullable=n_missing > 0 or n_rows < FEW_ROWS,
        minimum=minimum,
        maximum=maximum,
        categories=categories,
        missing_rate=n_missing / n_rows if n_rows else 0.0,
        example=example,
    )


def _categories(present: Column) -> Optional[tuple[str, ...]]:
    distinct = sorted(set(present.values.tolist()))
    n_rows = len(present.values)
    repeats = n_rows < FEW_ROWS or len(distinct) * 10 <= n_rows
    is_category = 0 < len(distinct) <= MAX_CATEGORIES and repeats and max(map(len, distinct)) <= 200
    return tuple(distinct) if is_category else None


def _range(present: Column) -> tuple[Any, Any]:
    if present.kind in ("text", "bool"):
        return None, None
    values = present.values[np.isfinite(present.values)] if present.kind == "float" else present.values
    if len(values) == 0:
        return None, None
    low, high = cells(Column(present.kind, np.array([values.min(), values.max()])))
    return low, high


_JSON_TYPES: dict[str, tuple[str, Optional[str]]] = {
    "bool": ("boolean", None),
    "int": ("integer", None),
    "float": ("number", None),
    "category": ("string", None),
    "text": ("string", None),
    "datetime": ("string", "date-time"),
}


def _property(column: ColumnSchema) -> dict[str, Any]:
    name, text_format = _JSON_TYPES[column.type]
    out: dict[str, Any] = {"type": [name, "null"] if column.nullable else name}
    if text_format:
        out["format"] = text_format
    for key, value in (
        ("minimum", column.minimum),
        ("maximum", column.maximum),
        ("categories", column.categories),
    ):
        if value is not None:
            out[f"x-boucle-{key}"] = list(value) if isinstance(value, tuple) else value
    if column.missing_rate:
        out["x-boucle-missing-rate"] = round(column.missing_rate, 6)
    return out
