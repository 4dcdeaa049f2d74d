"""Frozen dataclasses as JSON documents, read back strictly.

One reader for every document that crosses a process or a disk (manifest, schema, route table, checks): a
missing or wrong field is refused with its path, an unknown one too, so a document is either right or refused.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import types
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from boucle.core.errors import InvalidDocument

T = TypeVar("T")
_PLAIN = (str, int, float, bool)
_UNIONS = (Union, getattr(types, "UnionType", Union))  # X | Y has a type of its own, from Python 3.10 on


def to_json(value: Any) -> Any:
    """Return plain dicts, lists and scalars. Fields whose value is None are left out."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        pairs = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
        return {name: to_json(item) for name, item in pairs if item is not None}
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    return value


def from_json(cls: type[T], data: Any) -> T:
    """Return ``data`` as an instance of the dataclass ``cls``.

    Raises InvalidDocument naming the path of the first field that is missing, unknown or of the wrong type.

    >>> from boucle.core.check import Check
    >>> from_json(Check, {"name": "load", "status": "pass"}).status
    'pass'
    """
    return _dataclass(cls, data, cls.__name__)


def canonical(value: Any) -> bytes:
    """Return the one JSON text of a document (sorted keys, no spaces, no NaN), for digests."""
    text = json.dumps(to_json(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8")


def digest_of(value: Any) -> str:
    """Return the sha256 of the canonical JSON of a document, in hexadecimal."""
    return hashlib.sha256(canonical(value)).hexdigest()


@cache
def _hints(cls: Any) -> dict[str, Any]:
    return get_type_hints(cls)


def _dataclass(cls: type[T], data: Any, path: str) -> T:
    if not isinstance(data, dict):
        raise InvalidDocument(path, "an object", data)
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]  # T is a dataclass
    for name in data:
        if name not in fields:
            raise InvalidDocument(f"{path}.{name}", f"one of: {', '.join(fields)}", name)
    values = {}
    for name, field in fields.items():
        if name in data:
            hint = _hints(cls)[name]  # type: ignore[arg-type]  # a class can be hashed
            values[name] = _value(hint, data[name], f"{path}.{name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise InvalidDocument(f"{path}.{name}", "a value", None)
    return cls(**values)


def _value(hint: Any, data: Any, path: str) -> Any:
    origin, args = get_origin(hint), get_args(hint)
    if hint is Any:
        return data
    if dataclasses.is_dataclass(hint):
        return _dataclass(hint, data, path)  # type: ignore[arg-type]  # a dataclass type, not an instance
    if origin in _UNIONS:
        return _union(args, data, path)
    if origin is Literal:
        return _literal(args, data, path)
    if origin in (tuple, list):
        return _sequence(hint, data, path)
    if origin in (dict, Mapping) or str(origin) == "<class 'collections.abc.Mapping'>":
        return _mapping(args, data, path)
    return _plain(hint, data, path)


def _union(args: Any, data: Any, path: str) -> Any:
    if data is None and type(None) in args:
        return None
    choices = [arg for arg in args if arg is not type(None)]
    for choice in choices[:-1]:
        try:
            return _value(choice, data, path)
        except InvalidDocument:
            continue
    return _value(choices[-1], data, path)


def _literal(args: Any, data: Any, path: str) -> Any:
    if data not in args:
        raise InvalidDocument(path, f"one of: {', '.join(map(str, args))}", data)
    return data


def _sequence(hint: Any, data: Any, path: str) -> Any:
    if not isinstance(data, (list, tuple)):
        raise InvalidDocument(path, "a list", data)
    item = get_args(hint)[0]
    values = [_value(item, element, f"{path}[{i}]") for i, element in enumerate(data)]
    return tuple(values) if get_origin(hint) is tuple else values


def _mapping(args: Any, data: Any, path: str) -> Any:
    if not isinstance(data, dict):
        raise InvalidDocument(path, "an object", data)
    return {key: _value(args[1], item, f"{path}.{key}") for key, item in data.items()}


def _plain(hint: Any, data: Any, path: str) -> Any:
    if hint is float and isinstance(data, int) and not isinstance(data, bool):
        return float(data)
    if hint not in _PLAIN or not isinstance(data, hint) or (hint is not bool and isinstance(data, bool)):
        raise InvalidDocument(path, getattr(hint, "__name__", str(hint)), data)
    return data
