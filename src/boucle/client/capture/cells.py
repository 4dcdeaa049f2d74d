"""Cells that are Python objects, read into one column of one kind, or refused with the cure.

pandas and numpy hold them under the dtype ``object``, records hold nothing else. What the model saw is told by
three words: the kind of the cells, the dtype, and how a missing cell looked.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np

from boucle.core.errors import InvalidRequest
from boucle.core.i18n import _
from boucle.core.signature import Input, MissingAs
from boucle_worker.frames import Column

_BOOLS = {bool, np.bool_}
_LARGEST = 2**63 - 1


@dataclass(frozen=True, eq=False)
class Read:
    """One column read: the frame column, and the words that let a worker rebuild the original."""

    column: Column
    input: Input


def unusual(name: str, found: str, cure: str) -> InvalidRequest:
    """Return the error for a column of a type that no request can carry; ``cure`` is a line of code."""
    return InvalidRequest(
        "unusual-column",
        _("Column {name!r} holds {found}, which a request cannot carry. Cure: {cure}").format(
            name=name, found=found, cure=cure
        ),
    )


def read_cells(name: str, cells: Sequence[Any], dtype: str = "", strict: bool = True) -> Read:
    """Read Python objects. Raises InvalidRequest for cells that are not all of one plain type.

    Without a ``dtype`` they are cells of records, told by Python's words. ``strict`` also refuses two spellings of
    a missing cell in one column: a request can only say null, and imputers tell None from NaN.
    """
    types = set(map(type, cells))
    missing_as, mask = _missing(name, cells, types, strict)
    kind = _kind(name, types, any(not gone for gone in mask) if mask is not None else bool(len(cells)))
    column = _column(name, kind, cells, mask)
    if not dtype:
        return Read(column, Input(name, kind, "str" if kind == "text" else kind, missing_as or "none"))
    return Read(column, Input(name, kind, dtype, missing_as or "nan"))


def whole_numbers(name: str, values: Any, mask: Any = None) -> Column:
    """Return a column of kind int. Raises InvalidRequest for numbers beyond 64 bits with a sign."""
    if len(values) and values.dtype.kind == "u" and int(values.max()) > _LARGEST:
        cure = f'X["{name}"] = X["{name}"].astype("float64")'
        raise unusual(name, _("whole numbers above 9223372036854775807"), cure)
    return Column("int", values.astype(np.int64), mask if mask is not None and mask.any() else None)


def _missing(
    name: str, cells: Sequence[Any], types: set[type], strict: bool
) -> tuple[Optional[MissingAs], Optional[list[bool]]]:
    words: dict[MissingAs, bool] = {
        "none": type(None) in types,
        "NA": any(t.__name__ == "NAType" for t in types),
        "nan": any(issubclass(t, (float, np.floating)) for t in types) and any(_is_nan(cell) for cell in cells),
    }
    found = [word for word, is_there in words.items() if is_there]
    if strict and len(found) > 1:
        raise unusual(
            name,
            _("two spellings of a missing cell ({found})").format(found=", ".join(found)),
            f'X["{name}"] = X["{name}"].where(X["{name}"].notna(), np.nan)',
        )
    if not found:
        return None, None
    mask = [cell is None or _is_nan(cell) or type(cell).__name__ == "NAType" for cell in cells]
    return found[0], mask


def _is_nan(cell: Any) -> bool:
    return isinstance(cell, (float, np.floating)) and bool(cell != cell)  # NaN is not itself


def _kind(name: str, types: set[type], has_any: bool) -> str:
    present = {t for t in types if t is not type(None) and t.__name__ != "NAType"}
    if not has_any or not present:
        return "text"
    if all(issubclass(t, str) for t in present):
        return "text"
    numbers = {t for t in present if t not in _BOOLS}
    if not numbers:
        return "bool"
    if numbers == present and all(issubclass(t, (int, np.integer)) for t in numbers):
        return "int"
    if numbers == present and all(issubclass(t, (int, float, np.integer, np.floating)) for t in numbers):
        return "float"
    rest = {t for t in present if not issubclass(t, float)}  # a NaN among texts or booleans
    if rest and rest < present and (all(issubclass(t, str) for t in rest) or rest <= _BOOLS):
        return "text" if all(issubclass(t, str) for t in rest) else "bool"
    if all(issubclass(t, dt.datetime) for t in present):
        return "datetime"
    raise unusual(name, *_named(name, present))


def _named(name: str, present: set[type]) -> tuple[str, str]:
    """Return what an unusual column holds and the code that makes it usual."""
    names = sorted(t.__name__ for t in present)
    column = f'X["{name}"]'
    if "Decimal" in names or "Fraction" in names:
        return " and ".join(names), f"{column} = {column}.astype(float)"
    if names == ["date"]:
        return "date", f"{column} = pd.to_datetime({column})"
    if "bytes" in names:
        return "bytes", f'{column} = {column}.str.decode("utf-8")'
    if "timedelta" in names or "Timedelta" in names:
        return "timedelta", f"{column} = {column}.dt.total_seconds()"
    if "complex" in names:
        return "complex", f"X[{name + '_re'!r}], X[{name + '_im'!r}] = np.real({column}), np.imag({column})"
    if any(issubclass(t, (list, dict, tuple, set, np.ndarray)) for t in present):
        return _("nested values ({names})").format(names=", ".join(names)), _(
            "give each part a column of its own, or deploy a pipeline that takes them as one text"
        )
    return " and ".join(names), f'{column} = {column}.astype("string")'


def _column(name: str, kind: str, cells: Sequence[Any], mask: Optional[list[bool]]) -> Column:
    gone = mask if mask is not None else [False] * len(cells)
    if kind == "text":
        return Column(kind, objects([None if g else str(cell) for cell, g in zip(cells, gone)]))
    if kind == "float":
        return Column(kind, np.array([np.nan if g else float(cell) for cell, g in zip(cells, gone)], dtype=np.float64))
    if kind == "datetime":
        return Column(kind, np.array([_instant(name, c, g) for c, g in zip(cells, gone)], dtype="datetime64[us]"))
    try:
        dtype = np.bool_ if kind == "bool" else np.int64
        values: Any = np.array([0 if g else cell for cell, g in zip(cells, gone)], dtype=dtype)
    except OverflowError:
        column = f'X["{name}"]'
        raise unusual(name, _("whole numbers beyond 64 bits"), f"{column} = {column}.astype(float)") from None
    return Column(kind, values, np.array(gone, dtype=bool) if any(gone) else None)


def _instant(name: str, cell: Any, gone: bool) -> Any:
    if gone:
        return np.datetime64("NaT", "us")
    if cell.tzinfo is not None:
        cure = f'X["{name}"] = pd.to_datetime(X["{name}"], utc=True)'
        raise unusual(name, _("times with a time zone, one by one"), cure)
    return np.datetime64(cell)


def objects(values: Sequence[Any]) -> Any:
    """Return a one-dimensional array of Python objects, shape ``(n,)``, whatever the objects are."""
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out
