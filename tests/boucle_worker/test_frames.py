"""Frames: what goes in comes out, and bytes that are no frame are refused whatever they are."""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from boucle_worker.frames import PREFIX, Column, FrameError, lengths, pack, unpack

COLUMNS = {
    "é": Column("text", np.array(["abc", None, ""], dtype=object)),
    "x": Column("float", np.array([1.5, np.nan, -0.0])),
    "n": Column("int", np.array([1, 2, 3]), np.array([False, True, False])),
    "b": Column("bool", np.array([True, False, True])),
    "t": Column("datetime", np.array(["2024-01-01", "NaT", "1960-01-01"], dtype="datetime64[us]")),
    "m": Column("matrix", np.arange(6.0).reshape(3, 2)),
}


def raw(header: Any, body: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return PREFIX.pack(b"BCL1", len(text), len(body)) + text + body


def same(one: Column, other: Column) -> bool:
    assert one.kind == other.kind
    np.testing.assert_array_equal(one.values, other.values)
    if one.missing is None or other.missing is None:
        return one.missing is other.missing
    return bool(np.array_equal(one.missing, other.missing))


def test_a_frame_gives_back_its_header_and_columns() -> None:
    header, columns = unpack(pack({"op": "predict"}, COLUMNS))

    assert header == {"op": "predict"}
    assert list(columns) == list(COLUMNS)
    assert all(same(COLUMNS[name], columns[name]) for name in COLUMNS)


@given(st_numpy.arrays(np.float64, st.integers(0, 20)), st.lists(st.none() | st.text(max_size=5)))
def test_any_numbers_and_texts_survive_a_frame(numbers: Any, words: list[str | None]) -> None:
    words = [None if word is None else word.encode("utf-8", "replace").decode() for word in words]
    texts = np.empty(len(words), dtype=object)
    texts[:] = words

    _header, columns = unpack(pack({}, {"w": Column("text", texts), "x": Column("float", numbers)}))

    assert columns["w"].values.tolist() == words
    np.testing.assert_array_equal(columns["x"].values, numbers)


def test_the_layout_is_the_one_that_other_languages_read() -> None:
    frame = pack({"op": "p"}, {"x": Column("int", np.array([258]), np.array([True]))})

    header_bytes, body_bytes = lengths(frame[:16])
    header = json.loads(frame[16 : 16 + header_bytes])

    assert frame[:4] == b"BCL1"
    assert header == {"op": "p", "columns": [{"name": "x", "kind": "int", "rows": 1, "parts": [8, 1]}]}
    assert frame[-body_bytes:] == bytes([2, 1, 0, 0, 0, 0, 0, 0, 1])


def test_columns_after_a_text_of_odd_length_are_aligned_and_writable_from_a_bytearray() -> None:
    _header, columns = unpack(bytearray(pack({}, COLUMNS)))

    for name in ("x", "n", "m"):
        assert columns[name].values.flags.aligned
        assert columns[name].values.flags.writeable


BROKEN: dict[str, bytes] = {
    "empty": b"",
    "other magic": b"HTTP" + bytes(12),
    "cut prefix": b"BCL1",
    "cut body": pack({}, COLUMNS)[:-1],
    "more than announced": pack({}, COLUMNS) + b"x",
    "no JSON": raw(b"{"),
    "no UTF-8": raw(b"\xff\xfe"),
    "a list": raw([]),
    "a text": raw("columns"),
    "no columns": raw({}),
    "deep": raw(b"[" * 100_000),
    "column is no object": raw({"columns": [1]}),
    "unknown kind": raw({"columns": [{"name": "x", "kind": "pickle", "rows": 0, "parts": [0]}]}),
    "no parts": raw({"columns": [{"name": "x", "kind": "float", "rows": 0, "parts": []}]}),
    "one part of two": raw({"columns": [{"name": "x", "kind": "int", "rows": 0, "parts": [0]}]}),
    "negative part": raw({"columns": [{"name": "x", "kind": "float", "rows": 0, "parts": [-8]}]}),
    "part beyond the frame": raw({"columns": [{"name": "x", "kind": "float", "rows": 1, "parts": [8]}]}),
    "half a number": raw({"columns": [{"name": "x", "kind": "float", "rows": 1, "parts": [4]}]}, bytes(4)),
    "other rows": raw({"columns": [{"name": "x", "kind": "float", "rows": 2, "parts": [8]}]}, bytes(8)),
    "mask of other length": raw({"columns": [{"name": "x", "kind": "int", "rows": 1, "parts": [8, 3]}]}, bytes(11)),
    "ragged matrix": raw(
        {"columns": [{"name": "m", "kind": "matrix", "rows": 1, "width": 3, "parts": [16]}]}, bytes(16)
    ),
    "text beyond its part": raw(
        {"columns": [{"name": "t", "kind": "text", "rows": 1, "parts": [4, 1]}]}, b"\x09\x00\x00\x00a"
    ),
    "text that is no UTF-8": raw(
        {"columns": [{"name": "t", "kind": "text", "rows": 1, "parts": [4, 1]}]}, b"\x01\x00\x00\x00\xff"
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_bytes_that_are_no_frame_are_refused(name: str) -> None:
    with pytest.raises(FrameError):
        unpack(BROKEN[name])


def test_a_frame_with_flipped_bytes_is_read_or_refused_and_nothing_else() -> None:
    chosen = random.Random(3)  # noqa: S311  # a repeatable choice of bytes, no secret
    frame = pack({"op": "predict"}, COLUMNS)
    for _ in range(3000):
        flipped = bytearray(frame)
        for _ in range(chosen.randrange(1, 4)):
            flipped[chosen.randrange(len(frame))] = chosen.randrange(256)
        try:
            _header, columns = unpack(flipped)
        except FrameError:
            continue
        assert all(c.missing is None or len(c.missing) == len(c.values) for c in columns.values())
