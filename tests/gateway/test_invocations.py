"""The way of a row, over HTTP."""

from __future__ import annotations

import csv
import gzip
import io
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from boucle.gateway.problems import MAX_BYTES
from gateway.conftest import Running
from routed import ROW


def test_a_row_is_answered_with_its_model_version_and_id(bank: Running) -> None:
    answer = bank.ask([ROW])

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["predictions"] == [82.0]
    assert (answer.headers["x-boucle-model"], answer.headers["x-boucle-version"]) == ("bank", "1")
    assert answer.headers["x-prediction-id"] == answer.json()["prediction_id"]
    assert answer.json()["prediction_id"][14] == "7"
    assert "x-boucle-ignored-columns" not in answer.headers


def test_an_alias_chooses_the_version(bank: Running) -> None:
    answer = bank.ask([ROW], params={"alias": "challenger"})

    assert (answer.json()["predictions"], answer.headers["x-boucle-version"]) == ([123.0], "2")


def test_a_query_that_means_nothing_is_refused_rather_than_ignored(bank: Running) -> None:
    answer = bank.ask([ROW], params={"version": "2"})

    assert (answer.status_code, answer.json()["type"]) == (400, "urn:boucle:problem:invalid-query")
    assert "'version' means nothing here" in answer.json()["detail"]


def test_a_whole_number_below_int64_is_refused_in_csv_too(bank: Running) -> None:
    row = "age,balance,job,note,since,married\n{},,clerk,,2024-05-01,true\n"
    for age, status in ((20, 200), (-(10**19), 422), (10**19, 422)):
        answer = bank.client.post(
            "/models/bank/invocations", content=row.format(age), headers={"content-type": "text/csv"}
        )
        assert answer.status_code == status, answer.text


def test_csv_is_answered_in_csv_unless_json_is_wanted(bank: Running) -> None:
    body = "age,balance,job,note,since,married\n20,,clerk,,2024-05-01,true\n30,1.5,,a,,false\n"
    headers = {"content-type": "text/csv"}
    path = "/models/bank/invocations"
    del bank.client.headers["accept"]

    as_csv = bank.client.post(path, content=body, headers=headers)
    as_json = bank.client.post(path, content=body, headers={**headers, "accept": "application/json"})
    asked_for = bank.ask([ROW], headers={"accept": "text/csv"})

    assert list(csv.reader(io.StringIO(as_csv.text))) == [["prediction"], ["40.0"], ["60.0"]]
    assert as_csv.headers["content-type"] == "text/csv; charset=utf-8"
    assert as_csv.headers["x-prediction-id"]
    assert as_json.json()["predictions"] == [40.0, 60.0]
    assert asked_for.text == "prediction\r\n82.0\r\n"


def test_extra_columns_are_ignored_and_named_in_a_header(bank: Running) -> None:
    answer = bank.ask([{**ROW, "extra one": 1, "é\r\nx-evil: 1": 2}])

    assert answer.status_code == 200
    assert answer.headers["x-boucle-ignored-columns"] == "extra one, %C3%A9%0D%0Ax-evil%3A 1"
    assert "x-evil" not in answer.headers


def test_a_gzip_body_is_read(bank: Running) -> None:
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    body = gzip.compress(json.dumps([ROW]).encode())

    answer = bank.client.post("/models/bank/invocations", content=body, headers=headers)

    assert answer.json()["predictions"] == [82.0]


def test_many_rows_keep_their_order(bank: Running) -> None:
    rows = [{**ROW, "age": 18 + i % 70, "note": str(i)} for i in range(5_000)]

    assert bank.ask(rows).json()["predictions"] == [2.0 * row["age"] for row in rows]


def test_callers_at_the_same_time_get_their_own_answers(bank: Running) -> None:
    ages = [18 + i % 70 for i in range(400)]

    with ThreadPoolExecutor(16) as threads:
        found = list(threads.map(lambda age: bank.ask([{**ROW, "age": age}]).json()["predictions"], ages))

    assert found == [[2.0 * age] for age in ages]


def test_answers_that_are_no_numbers_are_null(bank: Running) -> None:
    assert bank.ask([ROW], "silent").json()["predictions"] == [None]


def test_a_model_that_raises_is_a_500_in_one_line(bank: Running) -> None:
    answer = bank.ask([{**ROW, "age": 61}], "raising")

    assert answer.status_code == 500
    assert answer.json()["type"] == "urn:boucle:problem:model-failed"
    assert answer.json()["detail"] == "ValueError: too old for this model"
    assert "Traceback" not in answer.text
    assert bank.ask([ROW], "raising").status_code == 200


def test_a_model_beyond_its_deadline_is_a_504(bank: Running) -> None:
    answer = bank.ask([{**ROW, "age": 61}], "slow")

    assert answer.status_code == 504
    assert answer.json()["type"] == "urn:boucle:problem:too-slow"
    assert "0.5 s" in answer.json()["detail"]


def test_a_problem_names_row_and_column_and_what_was_expected(bank: Running) -> None:
    answer = bank.ask([ROW, {**ROW, "age": "old", "since": "yesterday"}])

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == "urn:boucle:problem:invalid-rows"
    assert problem["status"] == 422
    assert problem["instance"].startswith("urn:boucle:request:")
    assert problem["errors"] == [
        {
            "pointer": "#/1/age",
            "row": 1,
            "column": "age",
            "code": "wrong-type",
            "detail": "Row 1, column 'age': expected a whole number, found a text: 'old'.",
            "expected": "a whole number",
        },
        {
            "pointer": "#/1/since",
            "row": 1,
            "column": "since",
            "code": "invalid-date",
            "detail": "Row 1, column 'since': expected an ISO 8601 date such as 2024-05-01T10:00:00Z or null, "
            "found a text: 'yesterday'.",
            "expected": "an ISO 8601 date such as 2024-05-01T10:00:00Z or null",
        },
    ]


def test_a_missing_column_is_named_with_the_columns_expected(bank: Running) -> None:
    row = {name: cell for name, cell in ROW.items() if name != "job"}

    problem = bank.ask([row]).json()

    assert problem["type"] == "urn:boucle:problem:missing-column"
    assert "Column 'job' is missing. Expected columns: age (int), balance (float), job (category)" in problem["detail"]


def test_a_problem_is_at_most_16_kib_and_20_items(bank: Running) -> None:
    answer = bank.ask([{**ROW, "age": "é" * 500, "note": ["x" * 1000]} for _row in range(90)])

    assert answer.status_code == 422
    assert len(answer.content) <= MAX_BYTES
    assert len(answer.json()["errors"]) == 20
    assert answer.json()["total"] == 180


@pytest.mark.parametrize(
    ("given", "is_kept"), [("abc_DEF-12", True), ("x" * 65, False), ("a b", False), ("../x", False), ("", False)]
)
def test_a_plain_request_id_is_kept_and_any_other_replaced(bank: Running, given: str, is_kept: bool) -> None:
    answer = bank.ask([], headers={"x-request-id": given})

    assert (answer.headers["x-request-id"] == given) is is_kept
    assert answer.json()["instance"] == f"urn:boucle:request:{answer.headers['x-request-id']}"


@pytest.mark.parametrize("path", ["/", "/models", "/models/bank/", "/models/bank/invocations/x", "/docs", "/%2e%2e/x"])
def test_a_path_that_is_not_served_lists_those_that_are(bank: Running, path: str) -> None:
    answer = bank.client.get(path)

    assert answer.status_code == 404
    assert "/models/{name}/invocations" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/models/bank/invocations", "POST"),
        ("DELETE", "/models/bank/invocations", "POST"),
        ("POST", "/models/bank", "GET, HEAD"),
        ("PUT", "/models/bank/schema", "GET, HEAD"),
        ("POST", "/metrics", "GET, HEAD"),
        ("POST", "/readyz", "GET, HEAD"),
    ],
)
def test_another_method_is_a_405_that_names_the_right_one(bank: Running, method: str, path: str, allow: str) -> None:
    answer = bank.client.request(method, path)

    assert (answer.status_code, answer.headers["allow"]) == (405, allow)


def test_head_tells_the_length_and_sends_no_body(bank: Running) -> None:
    answer = bank.client.head("/livez")

    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", "18")
    assert bank.client.get("/livez").content == b'{"status":"alive"}'


def test_the_model_and_its_schema_are_told(bank: Running) -> None:
    told = bank.client.get("/models/bank").json()
    schema = bank.client.get("/models/bank/schema").json()

    assert told == {
        "name": "bank",
        "version": 1,
        "runtime": "onnx",
        "aliases": {"champion": 1, "challenger": 2},
        "loaded": [1, 2],
        "description": "",
    }
    assert schema["required"] == list(ROW)
    assert schema["properties"]["age"] == {"type": "integer", "x-boucle-minimum": 18, "x-boucle-maximum": 95}
    assert bank.ask(schema["examples"]).status_code == 200


def test_an_unknown_model_and_alias_list_what_there_is(bank: Running) -> None:
    model, alias = bank.ask([ROW], "banc"), bank.ask([ROW], params={"alias": "shadow"})

    assert (model.status_code, alias.status_code) == (404, 404)
    assert "There is no model 'banc'. There is: bank, raising, slow, silent." in model.json()["detail"]
    assert "There is no alias 'shadow'. There is: challenger, champion." in alias.json()["detail"]


def test_more_requests_than_the_gateway_takes_are_503_with_retry_after(bank: Running, monkeypatch: Any) -> None:
    monkeypatch.setattr(bank.app, "in_flight", 5_000)

    answer = bank.ask([ROW])

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json()["type"] == "urn:boucle:problem:unavailable"
