"""The JSON formats that callers send: rows as objects, MLflow's four, and plain columns. Decided by shape alone.

========================  ==================================================================
``[{…}, …]``              one object a row
``dataframe_records``     the same, wrapped; also ``rows`` and ``instances``
``dataframe_split``       ``{"columns": […], "data": [[…], …]}``
``instances``             objects, or lists in the order of the schema
``inputs``                ``{"column": […], …}``, or what ``instances`` takes
========================  ==================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from boucle.core.errors import InvalidRequest
from boucle.core.i18n import _
from boucle.serving.findings import kind_of
from boucle.serving.limits import Limits
from boucle.serving.raw import Names, RawRows, transposed
from boucle.serving.strict_json import parse


def decode_json(body: bytes, names: Names, limits: Limits) -> RawRows:
    """Return the raw rows of a JSON body in any of the formats.

    Raises InvalidRequest, InvalidRows (a column is missing) or TooLarge.
    """
    document = parse(body, limits)
    if type(document) is list:
        return _records(document, names)
    if type(document) is dict and len(document) == 1:
        wrapper, rows = next(iter(document.items()))
        reader = _READERS.get(wrapper)
        if reader is not None:
            return reader(rows, names)
    raise _unknown_format(document)


def _records(rows: Any, names: Names) -> RawRows:
    if type(rows) is not list:
        raise _wrong_shape(_("a list of objects"), rows)
    if not rows:
        names.check_size(0, 0)
    if set(map(type, rows)) != {dict}:
        row = next(i for i, item in enumerate(rows) if type(item) is not dict)
        raise _wrong_shape(_("each row an object of columns and values"), rows[row], row)
    return names.of_records(rows)


def _split(split: Any, names: Names) -> RawRows:
    if type(split) is not dict or not {"columns", "data"} <= set(split) <= {"columns", "data", "index"}:
        raise _wrong_shape(_("an object with 'columns' and 'data'"), split)
    columns, data = split["columns"], split["data"]
    if type(columns) is not list or set(map(type, columns)) - {str}:
        raise _wrong_shape(_("'columns': a list of names"), columns)
    if len(set(columns)) != len(columns):
        raise InvalidRequest("duplicate-column", _("'columns' holds the same name twice. Send each column once."))
    if type(data) is not list or set(map(type, data)) - {list}:
        raise _wrong_shape(_("'data': a list of rows, each a list of values"), data)
    names.check_size(len(data), len(columns))
    return names.of_columns(dict(zip(columns, transposed(data, len(columns)), strict=True)), len(data))


def _instances(rows: Any, names: Names) -> RawRows:
    if type(rows) is not list or not rows:
        return _records(rows, names)
    kinds = set(map(type, rows))
    if kinds == {list}:
        return names.of_lists(rows)
    if len(names.names) == 1 and not kinds & {list, dict}:
        names.check_size(len(rows), 1)
        return RawRows(len(rows), [rows])
    return _records(rows, names)


def _inputs(inputs: Any, names: Names) -> RawRows:
    if type(inputs) is not dict:
        return _instances(inputs, names)
    if set(map(type, inputs.values())) - {list} or not inputs:
        raise _wrong_shape(_("'inputs': each column a list of values"), inputs)
    lengths = set(map(len, inputs.values()))
    if len(lengths) > 1:
        raise InvalidRequest("ragged-columns", _("The columns of 'inputs' have different lengths: send as many each."))
    return names.of_columns(inputs, lengths.pop())


_READERS: dict[str, Callable[[Any, Names], RawRows]] = {
    "rows": _records,
    "dataframe_records": _records,
    "dataframe_split": _split,
    "instances": _instances,
    "inputs": _inputs,
}


def _wrong_shape(expected: str, found: Any, row: int | None = None) -> InvalidRequest:
    if row is None:
        detail = _("Expected {expected}, found {found}.").format(expected=expected, found=kind_of(found))
    else:
        detail = _("Expected {expected}; row {row} is {found}.").format(
            expected=expected, row=row, found=kind_of(found)
        )
    return InvalidRequest("unknown-format", detail)


def _unknown_format(document: Any) -> InvalidRequest:
    if type(document) is dict:
        found = ", ".join(name[:30] for name in list(document)[:5]) or _("nothing")
        detail = _("Expected a list of rows, or one object with a single key of: {known}. Found the keys: {found}.")
        return InvalidRequest("unknown-format", detail.format(known=", ".join(_READERS), found=found))
    return _wrong_shape(_("a list of rows"), document)
