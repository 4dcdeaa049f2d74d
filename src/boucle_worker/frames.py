"""The frames that the platform and a model's worker exchange: one binary layout for Python and R.

A frame is a fixed prefix, a JSON header and the column buffers, all little-endian::

    "BCL1"  uint32 header_bytes  uint64 body_bytes  header (UTF-8 JSON)  body

The header is an object of the caller's, plus ``"columns"``: a list of
``{"name", "kind", "rows", "parts": [bytes of each buffer, in order], "width"?}``. The buffers of each kind:

==========  =====================================================================================
bool        uint8 values, uint8 missing (a second part of 0 bytes when nothing is missing)
int         int64 values, uint8 missing (as above)
float       float64 values, NaN when missing
datetime    int64 microseconds since 1970 in UTC, the smallest int64 when missing
text        uint32 length of each text in bytes (0xFFFFFFFF when missing), then all texts in UTF-8
matrix      float64, rows x width, row by row
==========  =====================================================================================

Data only: nothing here is ever unpickled, so a hostile worker can answer with wrong numbers at worst.
"""

from __future__ import annotations

import json
import struct
from typing import Any, Dict, List, NamedTuple, Optional, Tuple, Union

import numpy as np

MAGIC = b"BCL1"
PREFIX = struct.Struct("<4sIQ")
MISSING_LENGTH = 0xFFFFFFFF
KINDS = ("bool", "int", "float", "datetime", "text", "matrix")


class FrameError(ValueError):
    """The bytes are not a frame: wrong magic, lengths that do not add up, or a kind nobody knows."""


class Column(NamedTuple):
    """One column: ``values`` has shape ``(n_rows,)`` (``(n_rows, width)`` for a matrix).

    ``kind`` is one of ``bool int float datetime text matrix``. Missing cells are NaN (float), NaT (datetime),
    None (text); for bool and int ``missing`` is a boolean mask, or None when nothing is missing.
    """

    kind: str
    values: Any
    missing: Optional[Any] = None


Columns = Dict[str, Column]
Bytes = Union[bytes, bytearray]


def pack(header: Dict[str, Any], columns: Columns) -> bytes:
    """Return the bytes of one frame.

    >>> frame = pack({"op": "predict"}, {"age": Column("float", np.array([41.0, np.nan]))})
    >>> header, columns = unpack(frame)
    >>> header["op"], columns["age"].values[0]
    ('predict', np.float64(41.0))
    """
    described: List[Dict[str, Any]] = []
    body: List[bytes] = []
    for name, column in columns.items():
        parts = _buffers(column)
        entry: Dict[str, Any] = {"name": name, "kind": column.kind, "rows": len(column.values)}
        if column.kind == "matrix":
            entry["width"] = int(column.values.shape[1])
        entry["parts"] = [len(part) for part in parts]
        described.append(entry)
        body.extend(parts)
    text = json.dumps({**header, "columns": described}, ensure_ascii=False).encode("utf-8")
    return b"".join([PREFIX.pack(MAGIC, len(text), sum(map(len, body))), text, *body])


def lengths(prefix: Bytes) -> Tuple[int, int]:
    """Return ``(header_bytes, body_bytes)`` told by the first 16 bytes of a frame."""
    if len(prefix) != PREFIX.size:
        raise FrameError(f"not a boucle frame: {len(prefix)} bytes, expected at least {PREFIX.size}")
    magic, header_bytes, body_bytes = PREFIX.unpack(prefix)
    if magic != MAGIC:
        raise FrameError(f"not a boucle frame: it starts with {magic!r}, expected {MAGIC!r}")
    return header_bytes, body_bytes


def unpack(frame: Bytes) -> Tuple[Dict[str, Any], Columns]:
    """Return the header (without its column list) and the columns of one whole frame.

    The arrays share the memory of the frame: they are writable when it is a bytearray. Raises FrameError for
    bytes that are not a frame, whatever they are.
    """
    header_bytes, body_bytes = lengths(frame[: PREFIX.size])
    if len(frame) != PREFIX.size + header_bytes + body_bytes:
        raise FrameError(f"frame of {len(frame)} bytes announces {PREFIX.size + header_bytes + body_bytes}")
    start = PREFIX.size + header_bytes
    try:
        header = json.loads(frame[PREFIX.size : start].decode("utf-8"))
        return _columns(header, memoryview(frame)[start:])
    except FrameError:
        raise
    except (LookupError, TypeError, AttributeError, ValueError, OverflowError, RecursionError) as error:
        raise FrameError(f"frame is malformed: {error}") from error


def _columns(header: Dict[str, Any], body: memoryview) -> Tuple[Dict[str, Any], Columns]:
    columns: Columns = {}
    at = 0
    for entry in header.pop("columns"):
        parts = []
        for size in entry["parts"]:
            if size < 0 or at + size > len(body):
                raise FrameError("column {!r} reaches beyond the frame".format(entry["name"]))
            parts.append(body[at : at + size])
            at += size
        column = _column(entry["kind"], parts, entry.get("width"))
        if column.missing is not None and len(column.missing) != len(column.values):
            raise FrameError("column {!r} does not say of each cell whether it is missing".format(entry["name"]))
        if len(column.values) != entry["rows"]:
            raise FrameError(
                "column {!r} has {} rows, announced {}".format(entry["name"], len(column.values), entry["rows"])
            )
        columns[entry["name"]] = column
    return header, columns


def _buffers(column: Column) -> List[bytes]:
    kind, values, missing = column
    if kind == "float" or kind == "matrix":
        return [np.ascontiguousarray(values, dtype="<f8").tobytes()]
    if kind == "datetime":
        return [np.asarray(values, dtype="datetime64[us]").astype("<i8").tobytes()]
    if kind == "text":
        return _text_buffers(values)
    if kind not in ("bool", "int"):
        raise FrameError("unknown kind {!r}; kinds: {}".format(kind, ", ".join(KINDS)))
    mask = b"" if missing is None else np.ascontiguousarray(missing, dtype=np.uint8).tobytes()
    return [np.ascontiguousarray(values, dtype="u1" if kind == "bool" else "<i8").tobytes(), mask]


def _text_buffers(values: Any) -> List[bytes]:
    encoded = [None if value is None else value.encode("utf-8") for value in values]
    sizes = [MISSING_LENGTH if value is None else len(value) for value in encoded]
    return [np.array(sizes, dtype="<u4").tobytes(), b"".join(value for value in encoded if value)]


def _column(kind: str, parts: List[memoryview], width: Optional[int]) -> Column:
    if kind == "float":
        return Column(kind, _numbers(parts[0], "<f8"))
    if kind == "matrix":
        flat = _numbers(parts[0], "<f8")
        return Column(kind, flat.reshape(-1, width) if width else flat.reshape(0, 0))
    if kind == "datetime":
        return Column(kind, _numbers(parts[0], "<i8").view("datetime64[us]"))
    if kind == "text":
        return Column(kind, _texts(parts[0], bytes(parts[1])))
    if kind not in ("bool", "int"):
        raise FrameError("unknown kind {!r}; kinds: {}".format(kind, ", ".join(KINDS)))
    missing = np.frombuffer(parts[1], dtype=np.uint8).astype(bool) if len(parts[1]) else None
    values = _numbers(parts[0], "u1" if kind == "bool" else "<i8")
    return Column(kind, values.astype(bool) if kind == "bool" else values, missing)


def _numbers(part: memoryview, dtype: str) -> Any:
    values = np.frombuffer(part, dtype=dtype)
    return values if values.flags.aligned else values.copy()  # a text column before it may end anywhere


def _texts(sizes_part: memoryview, joined: bytes) -> Any:
    sizes = np.frombuffer(sizes_part, dtype="<u4").tolist()
    values = np.empty(len(sizes), dtype=object)
    at = 0
    for i, size in enumerate(sizes):
        if size == MISSING_LENGTH:
            continue
        if at + size > len(joined):
            raise FrameError("text column reaches beyond the frame")
        values[i] = joined[at : at + size].decode("utf-8")
        at += size
    return values
