"""Packed bytes of grids, profiles and references: arrays and JSON side by side, compressed, never pickled.

Layout: one byte of version, one byte naming what it is, then a zlib stream (whose checksum finds damage) of fields.
A field is a length in bytes, uint32 little-endian, and its bytes; arrays are little-endian with their bytes
transposed (all first bytes, then all second ones ...), for small numbers compress better so.

To change the format: raise ``VERSION`` and keep reading the older ones here.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from boucle.core.errors import InvalidDocument
from boucle.core.i18n import _

VERSION = 1
_LETTERS = {"grid": b"G", "profile": b"P", "reference": b"R"}
_LENGTH = struct.Struct("<I")
_LEVEL = 1  # of zlib: higher ones take twice the time for 2 % fewer bytes


class PackedWriter:
    """Gathers fields; ``done`` returns the bytes."""

    def __init__(self, what: str) -> None:
        self._head = bytes([VERSION]) + _LETTERS[what]
        self._fields: list[bytes] = []

    def field(self, data: bytes) -> None:
        """Add bytes."""
        self._fields += [_LENGTH.pack(len(data)), data]

    def document(self, value: Any) -> None:
        """Add a JSON value."""
        self.field(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8"))

    def array(self, values: Any) -> None:
        """Add a flat array; its dtype is known to the reader."""
        size = values.dtype.itemsize
        self.field(values.tobytes() if size == 1 else values.view(np.uint8).reshape(-1, size).T.tobytes())

    def done(self) -> bytes:
        """Return the packed bytes."""
        return self._head + zlib.compress(b"".join(self._fields), _LEVEL)


class PackedReader:
    """Reads the fields in the order in which they were written. Raises InvalidDocument for any other bytes."""

    def __init__(self, what: str, data: bytes) -> None:
        self._what = what
        head = bytes(data[:2])
        if head[:1] != bytes([VERSION]) or head[1:] != _LETTERS[what]:
            raise self.wrong(repr(head))
        inflate = zlib.decompressobj()
        try:
            self._body = inflate.decompress(memoryview(data)[2:])
        except zlib.error as error:
            raise self.wrong(str(error)) from error
        if not inflate.eof or inflate.unused_data:
            raise self.wrong(_("{n} bytes, cut short or followed by others").format(n=len(data)))
        self._at = 0

    def field(self) -> bytes:
        """Return the next bytes."""
        start = self._at + _LENGTH.size
        if start > len(self._body):
            raise self.wrong(_("too few fields"))
        self._at = start + _LENGTH.unpack_from(self._body, self._at)[0]
        if self._at > len(self._body):
            raise self.wrong(_("a field that is too short"))
        return self._body[start : self._at]

    def document(self) -> Any:
        """Return the next JSON value."""
        with self.refusing():
            return json.loads(self.field())

    def array(self, dtype: str) -> Any:
        """Return the next array, writable."""
        kind = np.dtype(dtype)
        data = np.frombuffer(self.field(), dtype=np.uint8)
        if len(data) % kind.itemsize:
            raise self.wrong(_("an array of {n} bytes").format(n=len(data)))
        return data.reshape(kind.itemsize, -1).T.copy().reshape(-1).view(kind)

    def end(self) -> None:
        """Check that nothing is left."""
        if self._at != len(self._body):
            raise self.wrong(_("too many fields"))

    def wrong(self, found: str) -> InvalidDocument:
        """Return the error to raise."""
        return InvalidDocument(self._what, _("packed bytes of version {n}").format(n=VERSION), found)

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Turn what goes wrong while fields are understood into InvalidDocument."""
        try:
            yield
        except (LookupError, TypeError, ValueError, OverflowError, RecursionError) as error:
            raise self.wrong(str(error)) from error
