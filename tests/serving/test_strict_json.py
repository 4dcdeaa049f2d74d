"""JSON is read strictly, and no shortcut lets through what the long way refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boucle.core.errors import InvalidRequest, TooLarge
from boucle.serving.limits import Limits
from boucle.serving.strict_json import parse

LIMITS = Limits()


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": 1, "a": 2}',
        b'[{"a": 1, "b": 2}, {"a": 1, "a": 2}]',
        b'[{"a": 1, "\\u0061": 2}]',
        b'[{"a" : 1, "a"\t:2}]',
        b'[{"at": "10:20", "at": "11:30"}]',
        b'[{"at": "10:20", "x": ":", "x": "no colon"}]',
        b'[{"at": "1\\u003a2", "at": "3"}, {"at": "x"}]',
        b'{"dataframe_split": {"columns": ["a"], "columns": ["a"], "data": [[1]]}}',
        b'{"dataframe_records": [{"a": 1}], "dataframe_records": [{"a": 2}]}',
        b'[{"a": {"b": 1, "b": 2}}]',
        b'[{"a": "[{", "a": 2}]',
        b'[{"a\\"b": 1, "a\\"b": 2}]',
        b'[{"a\\\\": 1, "a\\\\": ":"}]',
    ],
    ids=lambda body: body.decode()[:40],
)
def test_a_duplicate_key_is_refused_wherever_it_hides(body: bytes) -> None:
    with pytest.raises(InvalidRequest, match="same key twice") as refused:
        parse(body, LIMITS)

    assert refused.value.code == "duplicate-key"


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(':{}[]"\\ab\n é', max_size=6),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(':{["\\ab', max_size=3), children),
    max_leaves=20,
)


@given(JSON_VALUES, st.sampled_from([None, 1]), st.booleans())
@settings(max_examples=400)
def test_every_honest_document_is_read_as_the_standard_library_reads_it(
    value: Any, indent: int | None, ensure_ascii: bool
) -> None:
    body = json.dumps(value, indent=indent, ensure_ascii=ensure_ascii).encode()

    assert parse(body, LIMITS) == json.loads(body)


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c:", "t"]), st.sampled_from(['"1:2"', "1", '"["', '"x"']))))
@settings(max_examples=400)
def test_a_row_is_refused_exactly_when_the_standard_library_sees_a_key_twice(pairs: list[tuple[str, str]]) -> None:
    body = ("[{" + ", ".join(f'"{key}": {value}' for key, value in pairs) + "}]").encode()
    is_duplicate = len({key for key, _value in pairs}) < len(pairs)

    if is_duplicate:
        with pytest.raises(InvalidRequest, match="same key twice"):
            parse(body, LIMITS)
    else:
        assert parse(body, LIMITS) == json.loads(body)


@pytest.mark.parametrize("body", [b"[NaN]", b'[{"a": -Infinity}]', b"Infinity"])
def test_nan_and_infinity_are_refused_with_the_cure(body: bytes) -> None:
    with pytest.raises(InvalidRequest, match="Send null"):
        parse(body, LIMITS)


@pytest.mark.parametrize(
    "body",
    [
        b'"\xff"',
        b'["\\ud800"]',
        b'["\\udc00\\ud800"]',
        b"[1,]",
        b"[01]",
        b"{",
        b"[1] 2",
        b"'a'",
        b'["a\nb"]',
        b"[1e400]",
    ],
    ids=repr,
)
def test_what_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest, match="not JSON") as refused:
        parse(body, LIMITS)

    assert refused.value.code == "malformed-json"


@pytest.mark.parametrize("depth", [65, 200, 1000, 1024, 1025, 100_000])
@pytest.mark.parametrize("opener", ["[", '{"a":'])
def test_nesting_beyond_64_levels_is_refused(depth: int, opener: str) -> None:
    closer = "]" if opener == "[" else "}"

    with pytest.raises((InvalidRequest, TooLarge)) as refused:
        parse((opener * depth + "1" + closer * depth).encode(), LIMITS)

    assert refused.value.code in ("too-deep", "too-large")


def test_64_levels_are_read() -> None:
    body = b"[" * 64 + b"]" * 64

    assert parse(body, LIMITS) == json.loads(body)


def test_brackets_in_texts_are_no_nesting() -> None:
    assert parse(json.dumps([{"a": "[" * 200}]).encode(), LIMITS) == [{"a": "[" * 200}]


@pytest.mark.parametrize("digits", [20, 5_000, 100_000])
@pytest.mark.parametrize("pattern", ["[%s]", '[{"a": %s}]', '[{"a": -%s}]', '{"inputs": {"a": [1, %s]}}'])
def test_integers_of_more_than_19_digits_are_refused(digits: int, pattern: str) -> None:
    with pytest.raises(InvalidRequest, match="at most 19") as refused:
        parse((pattern % ("9" * digits)).encode(), LIMITS)

    assert refused.value.code == "integer-too-long"


@pytest.mark.parametrize("text", ["0.12345678901234567890123", "12345678901234567890.5", '"12345678901234567890"'])
def test_long_fractions_and_texts_of_digits_are_read(text: str) -> None:
    assert parse(f"[{text}]".encode(), LIMITS) == json.loads(f"[{text}]")


def test_a_byte_order_mark_is_read_over() -> None:
    assert parse(b"\xef\xbb\xbf[1]", LIMITS) == [1]


def test_a_body_of_nothing_but_empty_lists_is_refused_before_it_is_built() -> None:
    with pytest.raises(TooLarge, match="nested values"):
        parse(b"[" + b"[]," * 100_000 + b"[]]", LIMITS)
