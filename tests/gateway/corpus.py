"""Hundreds of requests that a hostile or careless caller sends. None may give a 5xx, a trace, or a hang."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from routed import ROW

JSON, CSV = "application/json", "text/csv"
HEADER = "age,balance,job,note,since,married"
CSV_ROW = "41,1250.5,clerk,calls back,2021-03-04T05:06:07Z,true"


_SHAPES = """\
null
true
1
"text"
{}
[[]]
[null]
[1]
["a"]
[[1]]
[ROW, null]
[ROW, []]
{"a": 1}
ROW
{"data": [ROW]}"""
_INSIDES = """\
null
1
"x"
[]
{}
[1]
[[]]
[[1, 2]]
{"a": 1}
{"columns": [], "data": []}"""
_DATES = """\
now
today
tomorrow
01/02/2024
1/2/24
2024
2024-01
20240102
2024-W01-1
2024-001
2024-13-01
2024-02-30
2023-02-29
2024-01-01T24:01
2024-01-01T10:60
2024-01-01T10:00:61
2024-01-01T10:00:00+25:00
2024-01-01T10:00:00 UTC
2024-01-01T10:00:00[Europe/Paris]
2024-01-01Z
0000-01-01
10000-01-01
-2024-01-01
2024-01-01T10:00:00.1234567
NaT
null
1e9
２０２４-01-01
0001-01-01T00:00:00+23:59
9999-12-31T23:59:59-23:59"""
_TYPES = """\
application/x-pickle
application/octet-stream
application/python-pickle
application/vnd.apache.arrow.file
application/x-www-form-urlencoded
multipart/form-data
text/plain
text/html
application/xml
*/*
application/json; charset=utf-16
application/json; charset=latin-1
json
/
é
application/jsonp
text/csv2
application/yaml
application/msgpack
application/../json"""


@dataclass(frozen=True)
class Bad:
    """One request, and the statuses that are right for it."""

    name: str
    body: bytes
    statuses: tuple[int, ...]
    content_type: str | None = JSON
    headers: tuple[tuple[str, str], ...] = ()


def corpus() -> Iterator[Bad]:
    """Yield every request; names are unique."""
    for part in (_malformed, _numbers, _nesting, _duplicates, _shapes, _cells, _texts, _csv, _types, _codings, _sizes):
        yield from part()


def _row(**changes: Any) -> bytes:
    return json.dumps([{**ROW, **changes}]).encode()


def _with(text: str, column: str = "age") -> bytes:
    """A row whose cell is a piece of raw JSON."""
    cells = [f'"{name}": {text if name == column else json.dumps(cell)}' for name, cell in ROW.items()]
    return ("[{" + ", ".join(cells) + "}]").encode()


def _malformed() -> Iterator[Bad]:
    whole = json.dumps([ROW]).encode()
    for size in range(0, len(whole), 5):
        yield Bad(f"cut-at-{size}", whole[:size], (400,))
    for byte in (0x00, 0x0B, 0x7F, 0x80, 0xC0, 0xED, 0xF5, 0xFE, 0xFF):
        yield Bad(f"byte-{byte:02x}-before", bytes([byte]) + whole, (400,))
        yield Bad(f"byte-{byte:02x}-after", whole + bytes([byte]), (400,))
        yield Bad(f"byte-{byte:02x}-in-key", whole.replace(b"age", b"a" + bytes([byte])), (400, 422))
    for i, text in enumerate(
        [
            "[1,]",
            "[,1]",
            "{]",
            "[}",
            "{'a': 1}",
            "[{a: 1}]",
            "// x",
            "/* x */ []",
            "[] []",
            "[]]",
            "tru",
            "nul",
            "-",
            "+1",
        ]
    ):
        yield Bad(f"malformed-{i}", text.encode(), (400,))
    for coding in ("utf-16", "utf-32", "utf-16-le"):
        yield Bad(f"json-in-{coding}", json.dumps([ROW]).encode(coding), (400,))
    for name, text in (("lone-high", '"\\ud800"'), ("lone-low", '"\\udfff"'), ("swapped", '"\\udc00\\ud800"')):
        yield Bad(f"surrogate-{name}", _with(text, "note"), (400,))
        yield Bad(f"surrogate-{name}-key", _row().replace(b'"note"', text.encode()), (400,))
    for name, data in (("overlong", b"\xc0\xaf"), ("surrogate", b"\xed\xa0\x80"), ("beyond", b"\xf4\x90\x80\x80")):
        yield Bad(f"utf8-{name}", _row(note="@@").replace(b"@@", data), (400,))


def _numbers() -> Iterator[Bad]:
    for text in (
        "NaN",
        "Infinity",
        "-Infinity",
        "nan",
        "1e400",
        "-1e400",
        "0x10",
        "01",
        "1.",
        ".5",
        "1e",
        "--1",
        "1_0",
    ):
        yield Bad(f"number-{text}", _with(text, "balance"), (400,))
    for digits in (20, 21, 25, 40, 309, 4_301, 5_000, 100_000):
        yield Bad(f"int-of-{digits}-digits", _with("9" * digits), (400,))
        yield Bad(f"negative-int-of-{digits}-digits", _with("-" + "9" * digits, "balance"), (400,))
    for text in ("9223372036854775808", "-9223372036854775809", "1e19", "1.5", "1e-5", "1e308", "41.000000001"):
        yield Bad(f"int-{text}", _with(text), (422,))
    yield Bad("float-of-5000-digits", _with("1." + "3" * 5_000 + "e999999999", "balance"), (400,))
    yield Bad("exponent-of-5000-digits", _with("1e" + "9" * 5_000, "balance"), (400,))


def _nesting() -> Iterator[Bad]:
    for depth in (65, 66, 100, 1_000, 1_024, 1_025, 5_000, 100_000):
        yield Bad(f"lists-{depth}-deep", b"[" * depth + b"]" * depth, (400, 413))
        yield Bad(f"lists-{depth}-deep-unclosed", b"[" * depth, (400, 413))
        yield Bad(f"objects-{depth}-deep", b'{"a":' * depth + b"1" + b"}" * depth, (400, 413))
        yield Bad(f"cell-{depth}-deep", _with("[" * depth + "]" * depth), (400, 413))
        yield Bad(f"extra-column-{depth}-deep", _row(x="@").replace(b'"@"', b"[" * depth + b"]" * depth), (400, 413))
    for depth in (1, 2, 10, 60):
        yield Bad(f"cell-{depth}-lists", _with("[" * depth + "]" * depth), (422,))
        yield Bad(f"cell-{depth}-objects", _with('{"a":' * depth + "1" + "}" * depth), (422,))
    yield Bad("many-empty-lists", b"[" + b"[]," * 200_000 + b"[]]", (413,))
    yield Bad("many-empty-objects", b"[" + b"{}," * 200_000 + b"{}]", (413,))


def _duplicates() -> Iterator[Bad]:
    whole = _row()
    yield Bad("key-twice", whole.replace(b'"age"', b'"age": 1, "age"', 1), (400,))
    yield Bad("key-twice-escaped", whole.replace(b'"age"', b'"\\u0061ge": 1, "age"', 1), (400,))
    yield Bad("extra-key-twice", whole.replace(b'"age"', b'"x": 1, "x": 2, "age"', 1), (400,))
    yield Bad("wrapper-twice", b'{"rows": ' + whole + b', "rows": ' + whole + b"}", (400,))
    yield Bad(
        "split-column-twice",
        json.dumps({"dataframe_split": {"columns": ["age"] * 2, "data": [[1, 2]]}}).encode(),
        (400,),
    )
    yield Bad("csv-column-twice", b"age,age\n1,2\n", (400,), CSV)


def _shapes() -> Iterator[Bad]:
    records, lists = [ROW], [list(ROW.values())]
    for i, text in enumerate(_SHAPES.splitlines()):
        yield Bad(f"shape-{i}", text.replace("ROW", json.dumps(ROW)).encode(), (400, 422))
    yield Bad("no-rows", b"[]", (422,))
    for wrapper in ("rows", "dataframe_records", "dataframe_split", "instances", "inputs", "unknown", "__proto__", ""):
        for i, inside in enumerate(_INSIDES.splitlines()):
            yield Bad(f"{wrapper}-{i}", f'{{"{wrapper}": {inside}}}'.encode(), (400, 422))
        yield Bad(f"{wrapper}-and-more", json.dumps({wrapper: records, "more": 1}).encode(), (400,))
    for i, split in enumerate(
        [
            {"columns": list(ROW), "data": [[1]]},
            {"columns": list(ROW), "data": [lists[0], [1]]},
            {"columns": list(ROW), "data": lists, "other": 1},
            {"columns": [1, 2], "data": [[1, 2]]},
            {"columns": [["age"]], "data": [[1]]},
            {"columns": list(ROW) * 2, "data": [lists[0] * 2]},
            {"columns": None, "data": None},
            {"columns": list(ROW), "data": [ROW]},
            {"columns": list(ROW)[:-1], "data": [lists[0][:-1]]},
        ]
    ):
        yield Bad(f"split-{i}", json.dumps({"dataframe_split": split}).encode(), (400, 422))
    for i, inputs in enumerate(
        [
            {"age": [1], "job": []},
            {"age": 1},
            {"age": [[1]]},
            {k: [v, v] if k == "age" else [v] for k, v in ROW.items()},
        ]
    ):
        yield Bad(f"columns-of-inputs-{i}", json.dumps({"inputs": inputs}).encode(), (400, 422))


def _cells() -> Iterator[Bad]:
    for name in ROW:
        yield Bad(f"without-{name}", json.dumps([{k: v for k, v in ROW.items() if k != name}]).encode(), (422,))
        for i, cell in enumerate([[], {}, [1], {"a": 1}, [[ROW["age"]]]]):
            yield Bad(f"{name}-container-{i}", _row(**{name: cell}), (422,))
    wrong: dict[str, list[Any]] = {
        "age": [None, True, False, "41", "", 41.5, -0.5, 1e300, 2**63, "NaN", "1e3", "٤١"],
        "balance": [True, "1.5", "", "NaN", "inf", "1,5"],
        "job": [1, 1.5, True, 0],
        "note": [1, False, 2.5],
        "since": [0, 1714558830, 1714558830000.5, True],
        "married": [None, 0, 1, "true", "", 1.0],
    }
    for name, cells in wrong.items():
        for i, cell in enumerate(cells):
            yield Bad(f"{name}-wrong-{i}", _row(**{name: cell}), (422,))
    longest = "2024-01-01T10:00:00Z" + "0" * 10_000
    for i, date in enumerate([*_DATES.splitlines(), "", " ", "2024-01-01\x00", longest]):
        yield Bad(f"date-{i}", _row(since=date), (422,))


def _texts() -> Iterator[Bad]:
    yield Bad("text-beyond-64-kib", _row(note="x" * 65_537), (422,))
    yield Bad("text-beyond-64-kib-in-utf8", _row(note="é" * 40_000), (422,))
    yield Bad("category-beyond-64-kib", _row(job="x" * 100_000), (422,))
    yield Bad("date-of-100-kib", _row(since="2" * 100_000), (422,))
    yield Bad("name-of-100-kib", json.dumps([{"x" * 100_000: 1}]).encode(), (422,))
    yield Bad("name-with-control-codes", json.dumps([{"\r\nx-evil: 1\x1b[31m": 1}]).encode(), (422,))
    yield Bad("wrong-cell-of-100-kib", _row(age="<script>" * 12_000), (422,))


def _csv() -> Iterator[Bad]:
    for i, (body, statuses) in enumerate(
        [
            ("", (400,)),
            ("\n", (422,)),
            (HEADER, (422,)),
            (HEADER + "\n", (422,)),
            (HEADER + "\n41", (400,)),
            (HEADER + "\n" + CSV_ROW + ",1", (400,)),
            (HEADER + "\n\n" + CSV_ROW, (400,)),
            (HEADER + '\n"' + CSV_ROW, (400,)),
            (HEADER + "\n" + CSV_ROW.replace("clerk", '"cl"erk'), (400,)),
            (HEADER.replace("age", ""), (422,)),
            (HEADER.replace("age", "Age") + "\n" + CSV_ROW, (422,)),
            (HEADER.replace(",", ";") + "\n" + CSV_ROW.replace(",", ";"), (422,)),
            (HEADER.replace(",", "\t") + "\n" + CSV_ROW.replace(",", "\t"), (422,)),
            ("\x00", (400, 422)),
            (HEADER + "\n" + CSV_ROW.replace("calls", "x" * 70_000), (422,)),
            (HEADER + "\n" + CSV_ROW.replace("calls", "x" * 140_000), (400,)),
            (",".join(f"c{i}" for i in range(50_000)) + "\n" + ",".join("1" for _i in range(50_000)), (413,)),
            ("," * 50_000, (413,)),
            (HEADER + "\n" + "\n" * 200_000, (422,)),
            ("x\n" + "\n" * 100_000 + "1", (413, 422)),
        ]
    ):
        yield Bad(f"csv-{i}", body.encode(), statuses, CSV)
    wrong = {
        "41": [
            "",
            "x",
            "4 1",
            "41.5",
            "1_0",
            "٤١",
            "0x10",
            "99999999999999999999",
            "9" * 5_000,
            "true",
            "1e400",
            "=1+1",
            "41 ",
        ],
        "1250.5": ["x", "nan", "inf", "-Infinity", "1e999", "1,5e", "1_0.0", "--1", "1e", "0x1p3"],
        "2021-03-04T05:06:07Z": ["now", "01/02/2024", "1714558830", "2024-02-30", "NaT"],
        "true": ["", "yes", "1", "0", "t", "TrUe", "None"],
    }
    for cell, others in wrong.items():
        for i, other in enumerate(others):
            body = f"{HEADER}\n{CSV_ROW.replace(cell, chr(34) + other + chr(34))}"
            yield Bad(f"csv-{cell}-{i}", body.encode(), (422,), CSV)
    yield Bad("csv-not-utf8", (HEADER + "\n" + CSV_ROW.replace("calls", "é")).encode("latin-1"), (400,), CSV)
    yield Bad("csv-utf16", (HEADER + "\n" + CSV_ROW).encode("utf-16"), (400, 422), CSV)


def _types() -> Iterator[Bad]:
    body = json.dumps([ROW]).encode()
    for kind in [*_TYPES.splitlines(), "x" * 4_000]:
        yield Bad(f"type-{kind[:40]}", body, (400, 415), kind)
    yield Bad("no-type-and-csv", f"{HEADER}\n{CSV_ROW}".encode(), (415,), None)
    yield Bad("no-type-and-pickle", b"\x80\x04K\x01.", (415,), None)
    yield Bad("no-type-and-nothing", b"", (400,), None)
    yield Bad("json-called-csv", body, (400, 413, 422), CSV)
    yield Bad("csv-called-json", f"{HEADER}\n{CSV_ROW}".encode(), (400,))


def _codings() -> Iterator[Bad]:
    body = json.dumps([ROW]).encode()
    gzipped = gzip.compress(body)
    for coding in ("br", "deflate", "zstd", "gzip, gzip", "compress", "x" * 500, "../gzip"):
        yield Bad(f"coding-{coding[:20]}", body, (415,), JSON, (("content-encoding", coding),))
    for name, data in (
        ("plain", body),
        ("cut", gzipped[:-9]),
        ("more", gzipped + b"x"),
        ("twice", gzipped + gzipped),
        ("zlib", zlib.compress(body)),
        ("flipped", gzipped[:30] + bytes([gzipped[30] ^ 0xFF]) + gzipped[31:]),
        ("empty", b""),
    ):
        yield Bad(f"gzip-{name}", data, (400,), JSON, (("content-encoding", "gzip"),))
    bomb = gzip.compress(b"[" + b" " * 50_000_000 + b"]")
    yield Bad("gzip-bomb", bomb, (413,), JSON, (("content-encoding", "gzip"),))


def _sizes() -> Iterator[Bad]:
    yield Bad("body-beyond-the-limit", b"[" + b" " * 1_000_001 + b"]", (413,))
    yield Bad("rows-beyond-the-limit", b"[" + b"{}," * 50_000 + b"{}]", (413,))
    yield Bad("columns-beyond-the-limit", json.dumps([{**ROW, **{f"c{i}": 0 for i in range(10_000)}}]).encode(), (413,))
    yield Bad("instances-too-wide", json.dumps({"instances": [[0] * 50_000]}).encode(), (400, 413))
    yield Bad(
        "split-too-wide",
        json.dumps({"dataframe_split": {"columns": [str(i) for i in range(20_000)], "data": [[]]}}).encode(),
        (400, 413),
    )
    yield Bad("one-huge-number-list", b"[" + b"0," * 400_000 + b"0]", (400, 413))
    yield Bad("inputs-too-wide", json.dumps({"inputs": {str(i): [] for i in range(20_000)}}).encode(), (400, 413, 422))
