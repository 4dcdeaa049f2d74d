"""Ground truth is read whole, or refused with the place and the cure."""

from __future__ import annotations

import json
from typing import Any

import pytest

from boucle.core.errors import InvalidRequest
from boucle.labels.reading import Told, read_id, truths_of_csv, truths_of_json
from boucle.labels.truth import Truth

ONE = "0192f0c1-2d3e-7abc-8def-0123456789ab"
TOLD = Told("churn", 5, 7)


def read(data: Any) -> list[tuple[str, Any]]:
    return [(truth.id, truth.value) for truth in truths_of_json(json.dumps(data).encode(), TOLD)]


@pytest.mark.parametrize("alone", [False, True], ids=["under truth", "the list alone"])
def test_outcomes_are_read_by_id(alone: Any) -> None:
    items = [{"id": f"{ONE}:0", "value": "yes"}, {"id": f"{ONE}:1", "value": ["r", "stan"]}]
    assert read(items if alone else {"truth": items}) == [(f"{ONE}:0", "yes"), (f"{ONE}:1", ["r", "stan"])]


def test_one_outcome_alone_will_do_and_keeps_when_it_was_told() -> None:
    body = json.dumps({"id": ONE, "value": True}).encode()
    assert truths_of_json(body, TOLD) == (Truth("churn", f"{ONE}:0", value=True, at=5, logged_at=7),)


@pytest.mark.parametrize(
    ("text", "kept"), [(ONE, f"{ONE}:0"), (f" {ONE.upper()}:012 ", f"{ONE}:12")], ids=["alone", "spelled otherwise"]
)
def test_an_id_has_one_spelling(text: str, kept: str) -> None:
    assert read_id(text) == kept


@pytest.mark.parametrize("text", ["", "7", f"{ONE}:", f"{ONE}:-1", f"{ONE}:1x", f"{ONE}\n:1", 7, None])
def test_what_is_no_id_is_refused(text: Any) -> None:
    with pytest.raises(InvalidRequest, match=r"Outcome 1 \(from 0\): the id is .* Nothing was kept"):
        read([{"id": ONE, "value": 1}, {"id": text, "value": 1}])


@pytest.mark.parametrize("value", [None, "", {"a": 1}, [None], [[1]], "x" * 1_001, "a\0b", "\ud800", 2**63], ids=ascii)
def test_what_is_no_outcome_is_refused(value: Any) -> None:
    with pytest.raises(InvalidRequest, match="the value is"):
        read([{"id": ONE, "value": value}])


@pytest.mark.parametrize("body", [b"", b"{", b"3", b"[3]", b'{"truth": 3}', b'[{"id": 1}]', b"\xff", b"[" * 100_000])
def test_a_body_that_is_not_understood_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        truths_of_json(body, TOLD)


def test_not_a_number_is_no_outcome() -> None:
    with pytest.raises(InvalidRequest, match="the value is nan"):
        truths_of_json(f'[{{"id": "{ONE}", "value": NaN}}]'.encode(), TOLD)


def test_a_csv_file_names_its_columns_in_any_order() -> None:
    body = f'\ufefftruth,who,id\r\n"1,5",a,{ONE}:3\r\n\r\nyes,b,{ONE}:4\r\n'.encode()
    assert [(t.id, t.value) for t in truths_of_csv(body, TOLD)] == [(f"{ONE}:3", "1,5"), (f"{ONE}:4", "yes")]


@pytest.mark.parametrize("body", [b"", b"a,b\n1,2", b"id,value\n1", b"\xff\xfe", b"id,value\n" + ONE.encode() + b","])
def test_a_csv_file_that_is_not_understood_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        truths_of_csv(body, TOLD)
