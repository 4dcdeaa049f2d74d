"""Every format that callers send gives the same rows."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from boucle.core.errors import BoucleError, InvalidRequest, InvalidRows, TooLarge
from boucle.core.schema import ColumnSchema, Schema
from boucle.serving.decode import CSV, JSON, decode, media_type, unzipped
from boucle.serving.limits import Limits
from boucle.serving.raw import Names, RawRows

SCHEMA = Schema((ColumnSchema("age", "int"), ColumnSchema("job", "text", nullable=True)))
NAMES = Names(SCHEMA, Limits())
COLUMNS = [(41, 7), ("clerk", None)]
RECORDS = [{"age": 41, "job": "clerk"}, {"age": 7, "job": None}]
LISTS = [[41, "clerk"], [7, None]]


def columns_of(document: Any, media: str = JSON) -> list[tuple[Any, ...]]:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return [tuple(column) for column in decode(body, media, SCHEMA, NAMES).columns]


@pytest.mark.parametrize(
    "document",
    [
        RECORDS,
        {"rows": RECORDS},
        {"dataframe_records": RECORDS},
        {"dataframe_split": {"columns": ["age", "job"], "data": LISTS}},
        {"dataframe_split": {"columns": ["job", "age"], "index": [0, 1], "data": [["clerk", 41], [None, 7]]}},
        {"instances": RECORDS},
        {"instances": LISTS},
        {"inputs": {"age": [41, 7], "job": ["clerk", None]}},
        {"inputs": RECORDS},
        {"inputs": LISTS},
        b"age,job\r\n41,clerk\r\n7,\r\n",
        b"job,age\nclerk,41\n,7",
        b'\xef\xbb\xbf"age","job"\n"41","clerk"\n7,\n\n',
    ],
    ids=lambda document: str(document)[:50],
)
def test_every_format_gives_the_same_columns(document: Any) -> None:
    assert columns_of(document, CSV if isinstance(document, bytes) else JSON) == COLUMNS


def test_instances_of_a_model_with_one_column_may_be_plain_values() -> None:
    one = Schema((ColumnSchema("age", "int"),))

    assert decode(b'{"instances": [41, 7]}', JSON, one, Names(one, Limits())).columns == [[41, 7]]


def test_a_missing_content_type_is_json_when_the_first_byte_says_so() -> None:
    assert columns_of(json.dumps(RECORDS, indent=2).encode(), media="") == COLUMNS


def test_a_missing_content_type_is_never_guessed_to_be_csv() -> None:
    with pytest.raises(InvalidRequest, match="no Content-Type") as refused:
        columns_of(b"age,job\n41,clerk", media="")

    assert refused.value.code == "unsupported-media-type"


@pytest.mark.parametrize("header", ["application/json", "Application/JSON; charset=UTF-8", "application/json;x=1", ""])
def test_json_is_read_whatever_its_parameters(header: str) -> None:
    assert media_type(header) in (JSON, "")


@pytest.mark.parametrize(
    "header",
    [
        "application/x-pickle",
        "application/octet-stream",
        "application/x-www-form-urlencoded",
        "application/json; charset=utf-16",
        "text/plain",
        "../../etc",
        "x" * 5000,
    ],
)
def test_no_other_reader_is_chosen_by_a_header(header: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        media_type(header)

    assert refused.value.code == "unsupported-media-type"
    assert len(str(refused.value)) < 300


def test_extra_columns_are_ignored_and_named() -> None:
    body = json.dumps([{"age": 1, "job": "a", "x": [[[1]]]}, {"y": 2, "age": 1, "job": "b"}]).encode()

    raw = decode(body, JSON, SCHEMA, NAMES)

    assert raw == RawRows(2, [(1, 1), ("a", "b")], ("x", "y"))


def test_a_missing_column_is_named_with_what_was_expected() -> None:
    with pytest.raises(
        InvalidRows, match=r"Column 'job' is missing\. Expected columns: age \(int\), job \(text\)"
    ) as refused:
        columns_of([{"age": 1}, {"age": 2}])

    assert [(p.code, p.column, p.row) for p in refused.value.problems] == [("missing-column", "job", None)]


def test_a_column_missing_in_one_row_is_named_with_the_row() -> None:
    with pytest.raises(InvalidRows, match="Row 1 has no column 'job'") as refused:
        columns_of([*RECORDS[:1], {"age": 2}])

    assert [(p.column, p.row) for p in refused.value.problems] == [("job", 1)]


def test_a_column_that_need_not_be_there_is_null() -> None:
    schema = Schema((ColumnSchema("age", "int"), ColumnSchema("job", "text", required=False, nullable=True)))

    assert decode(b'[{"age": 1}]', JSON, schema, Names(schema, Limits())).columns == [(1,), (None,)]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "empty-body"),
        (b"[]", "no-rows"),
        (b"{}", "unknown-format"),
        (b"1", "unknown-format"),
        (b'"text"', "unknown-format"),
        (b"null", "unknown-format"),
        (b"[1, 2]", "unknown-format"),
        (b"[[1, 2]]", "unknown-format"),
        (b'[{"age": 1, "job": "a"}, 3]', "unknown-format"),
        (b'{"age": 1, "job": "a"}', "unknown-format"),
        (b'{"rows": []}', "no-rows"),
        (b'{"rows": {}}', "unknown-format"),
        (b'{"rows": [], "more": 1}', "unknown-format"),
        (b'{"instances": []}', "no-rows"),
        (b'{"instances": [[1]]}', "ragged-rows"),
        (b'{"instances": [[1, "a"], [1, "a", 2]]}', "ragged-rows"),
        (b'{"instances": [[1, "a"], 3]}', "unknown-format"),
        (b'{"inputs": {}}', "unknown-format"),
        (b'{"inputs": {"age": 1, "job": "a"}}', "unknown-format"),
        (b'{"inputs": {"age": [1], "job": []}}', "ragged-columns"),
        (b'{"inputs": {"age": [], "job": []}}', "no-rows"),
        (b'{"dataframe_split": []}', "unknown-format"),
        (b'{"dataframe_split": {"columns": ["age"]}}', "unknown-format"),
        (b'{"dataframe_split": {"columns": ["age", 1], "data": [[1, 2]]}}', "unknown-format"),
        (b'{"dataframe_split": {"columns": ["age", "age"], "data": [[1, 2]]}}', "duplicate-column"),
        (b'{"dataframe_split": {"columns": ["age", "job"], "data": [[1]]}}', "ragged-rows"),
        (b'{"dataframe_split": {"columns": ["age", "job"], "data": [1]}}', "unknown-format"),
        (b'{"dataframe_split": {"columns": ["age", "job"], "data": []}}', "no-rows"),
        (b'{"dataframe_split": {"columns": ["age"], "data": [[1]]}}', "invalid-rows"),
        (b'{"dataframe_split": {"columns": "age", "data": [[1]]}}', "unknown-format"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_json_of_another_shape_is_refused(body: bytes, code: str) -> None:
    with pytest.raises(BoucleError) as refused:
        decode(body, JSON, SCHEMA, NAMES)

    assert refused.value.code == code


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"age,job", "no-rows"),
        (b"\n", "no-rows"),
        (b"age,age\n1,2", "duplicate-column"),
        (b"age,job\n1", "ragged-rows"),
        (b"age,job\n1,a,b", "ragged-rows"),
        (b'age,job\n1,"a', "malformed-csv"),
        (b'age,job\n1,"a"b', "malformed-csv"),
        (b"age,job\n1,\xff", "malformed-csv"),
        (b"age\n1", "invalid-rows"),
        (b"a,job\n1,x", "invalid-rows"),
        (b"age,job\n1," + b"x" * 200_000, "malformed-csv"),
        (",".join(f"c{i}" for i in range(50_000)).encode() + b"\n1", "too-large"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_csv_of_another_shape_is_refused(body: bytes, code: str) -> None:
    with pytest.raises(BoucleError) as refused:
        decode(body, CSV, SCHEMA, NAMES)

    assert refused.value.code == code


def test_na_and_null_in_csv_stay_text_and_quotes_may_hold_lines() -> None:
    assert columns_of(b'age,job\n1,NA\n2,null\n3,"a,\r\n""b"""\n', CSV)[1] == ("NA", "null", 'a,\r\n"b"')


def test_csv_cells_become_what_the_schema_wants_and_else_stay_text() -> None:
    kinds = ("int", "float", "bool", "text", "datetime")
    schema = Schema(tuple(ColumnSchema(kind, kind, nullable=True) for kind in kinds))  # type: ignore[arg-type]
    body = (
        b"int,float,bool,text,datetime\n-7,1e3,True,12,2024-05-01\n1.5,nan,1,,x\n5.0,.5,false,NA,\n1_0,1e999,yes,0,0\n"
    )

    raw = decode(body, CSV, schema, Names(schema, Limits()))

    assert raw.columns == [
        (-7, 1.5, 5.0, "1_0"),
        (1000.0, "nan", 0.5, "1e999"),
        (True, "1", False, "yes"),
        ("12", None, "NA", "0"),
        ("2024-05-01", "x", None, "0"),
    ]


def test_more_rows_than_the_limit_are_refused() -> None:
    names = Names(SCHEMA, Limits(max_rows=1))

    with pytest.raises(TooLarge, match="rows: 2 is more than the limit of 1"):
        decode(json.dumps(RECORDS).encode(), JSON, SCHEMA, names)
    with pytest.raises(TooLarge, match="rows: 2 is more than the limit of 1"):
        decode(b"age,job\n1,a\n2,b\n3,c", CSV, SCHEMA, names)


def test_more_columns_than_the_limit_are_refused() -> None:
    row: dict[str, Any] = dict.fromkeys((*NAMES.names, *map(str, range(10_000))), 0)

    with pytest.raises(TooLarge, match="columns: 10002"):
        columns_of([row])


def test_gzip_is_unpacked_up_to_the_limit_and_not_beyond() -> None:
    limits = Limits(max_body_bytes=1_000)

    assert unzipped(gzip.compress(b"x" * 1_000), limits) == b"x" * 1_000
    with pytest.raises(TooLarge, match="unpacked"):
        unzipped(gzip.compress(b"x" * 10_000_000), limits)


@pytest.mark.parametrize("body", [b"", b"plain", gzip.compress(b"x" * 100)[:-3], gzip.compress(b"x") + b"y"])
def test_what_is_not_one_gzip_file_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest) as refused:
        unzipped(body, Limits())

    assert refused.value.code == "malformed-gzip"
