"""Bad requests of every kind: refused with a problem in time, and the gateway serves on."""

from __future__ import annotations

import json
import time

import pytest

from gateway.conftest import Running
from gateway.corpus import Bad, corpus
from routed import ROW

REQUESTS = list(corpus())
SECONDS = 3.0
POST = b"POST /models/bank/invocations HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"


def test_the_corpus_holds_hundreds_of_different_requests() -> None:
    assert len({bad.name for bad in REQUESTS}) == len(REQUESTS) >= 500


@pytest.mark.parametrize("bad", REQUESTS, ids=lambda bad: bad.name)
def test_a_bad_request_is_refused_with_a_short_problem_in_time(bank: Running, bad: Bad) -> None:
    headers = [(name.encode(), value.encode()) for name, value in bad.headers]
    if bad.content_type is not None:
        headers.append((b"content-type", bad.content_type.encode()))
    start = time.monotonic()

    answer = bank.client.post("/models/bank/invocations", content=bad.body, headers=headers)

    assert answer.status_code in bad.statuses, answer.text[:500]
    assert time.monotonic() - start < SECONDS
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(answer.content) <= 16 * 1024
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["type"].startswith("urn:boucle:problem:")
    assert len(problem["detail"]) <= 2_000
    assert len(problem.get("errors", [])) <= 20
    for word in ("Traceback", 'File "', ".py", "orjson", "numpy"):
        assert word not in answer.text


def test_the_gateway_serves_on_after_all_of_them(bank: Running) -> None:
    assert bank.ask([ROW]).json()["predictions"] == [82.0]


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        POST + b"content-length: -1\r\n\r\n",
        POST + b"content-length: 1\r\ncontent-length: 2\r\n\r\n12",
        POST + b"content-length: 9\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"transfer-encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nbad header\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n",
        b"GET http:// HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\r\n\r\n\r\n\x00\x00\x00\x00\r\n\r\n",
    ],
    ids=repr,
)
def test_what_is_not_http_is_a_400_and_the_end(bank: Running, request_bytes: bytes) -> None:
    answer = bank.raw(request_bytes)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["type"] == "urn:boucle:problem:malformed-http"


def test_a_body_announced_beyond_the_limit_is_refused_before_it_is_sent(bank: Running) -> None:
    start = time.monotonic()

    answer = bank.raw(POST + b"content-length: 99999999999\r\n\r\n[")

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert time.monotonic() - start < SECONDS


def test_a_chunked_body_that_never_ends_is_refused_at_the_limit(bank: Running) -> None:
    chunk = b"10000\r\n" + b" " * 65_536 + b"\r\n"

    answer = bank.raw(POST + b"transfer-encoding: chunked\r\n\r\n" + chunk * 20)

    assert answer.startswith(b"HTTP/1.1 413 ")
