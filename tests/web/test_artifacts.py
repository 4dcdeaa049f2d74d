"""Uploads: streamed, resumed, verified."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import httpx
import pytest

from boucle.web.app import create_app
from web.in_process import client
from web.made_up import TOKEN, World

DATA = bytes(range(256)) * 12_000  # 3 MB: several chunks
DIGEST = hashlib.sha256(DATA).hexdigest()
PATH = f"/api/v1/artifacts/{DIGEST}"


def test_an_artifact_sent_at_once_is_verified_and_fetched_again(api: httpx.Client) -> None:
    answer = api.put(PATH, content=DATA)

    assert (answer.status_code, answer.json()) == (201, {"digest": DIGEST, "size_bytes": len(DATA)})
    assert api.get(PATH).content == DATA
    assert api.head(PATH).headers["Upload-Offset"] == str(len(DATA))


def test_an_upload_goes_on_where_it_broke_off(api: httpx.Client) -> None:
    length = {"Upload-Length": str(len(DATA))}

    first = api.put(PATH, content=DATA[:1_500_000], headers=length)
    asked = api.head(PATH)
    offset = asked.headers["Upload-Offset"]
    second = api.put(PATH, content=DATA[int(offset) :], headers={**length, "Upload-Offset": offset})

    assert (first.status_code, first.json()) == (202, {"offset": 1_500_000})
    assert (asked.status_code, offset) == (404, "1500000")
    assert (second.status_code, second.json()["size_bytes"]) == (201, len(DATA))


def test_a_part_that_does_not_start_at_the_end_is_refused_with_the_end(api: httpx.Client) -> None:
    api.put(PATH, content=DATA[:1000], headers={"Upload-Length": str(len(DATA))})

    answer = api.put(PATH, content=DATA[500:], headers={"Upload-Offset": "500", "Upload-Length": str(len(DATA))})

    assert answer.status_code == 409
    assert answer.headers["Upload-Offset"] == "1000"
    assert answer.json()["type"] == "urn:boucle:problem:conflict"


def test_a_stream_of_unknown_length_is_complete_at_its_end(api: httpx.Client) -> None:
    def parts() -> Iterator[bytes]:
        for start in range(0, len(DATA), 70_000):
            yield DATA[start : start + 70_000]

    answer = api.put(PATH, content=parts())

    assert answer.status_code == 201


def test_an_empty_artifact_is_an_artifact(api: httpx.Client) -> None:
    digest = hashlib.sha256(b"").hexdigest()

    answer = api.put(f"/api/v1/artifacts/{digest}", content=b"", headers={"Upload-Length": "0"})

    assert (answer.status_code, answer.json()["size_bytes"]) == (201, 0)


def test_the_same_artifact_sent_again_is_harmless(api: httpx.Client) -> None:
    api.put(PATH, content=DATA)

    assert api.put(PATH, content=DATA).status_code == 201


def test_bytes_of_another_digest_are_refused_and_dropped(api: httpx.Client) -> None:
    answer = api.put(PATH, content=b"other bytes")

    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:boucle:problem:corrupt-artifact"
    assert api.head(PATH).headers["Upload-Offset"] == "0"


@pytest.mark.parametrize("headers", [{"Upload-Length": "2000"}, {}, {"Transfer-Encoding": "chunked"}])
def test_an_artifact_beyond_the_limit_is_refused(world: World, headers: dict[str, str]) -> None:
    asking = client(create_app(world.plane(max_artifact_bytes=1000)))
    content = iter([b"x" * 1500]) if "Transfer-Encoding" in headers else b"x" * 1500

    answer = asking.put(PATH, content=content, headers={**headers, "Authorization": f"Bearer {TOKEN}"})

    assert answer.status_code == 413
    assert "1000" in answer.json()["detail"]


@pytest.mark.parametrize("digest", ["..%2f..%2fetc%2fpasswd", "0" * 63, "G" * 64, "0" * 64 + "%00", "é" * 64, "%2e%2e"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
def test_what_is_no_digest_names_no_file(api: httpx.Client, method: str, digest: str) -> None:
    assert api.request(method, f"/api/v1/artifacts/{digest}", content=b"").status_code in (400, 404)


@pytest.mark.parametrize("header", ["Upload-Offset", "Upload-Length"])
@pytest.mark.parametrize("value", ["-1", "x", "1e3", "9" * 30, ""])
def test_a_header_that_is_no_number_is_named(api: httpx.Client, header: str, value: str) -> None:
    answer = api.put(PATH, content=b"", headers={header: value})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["in"] == "header"
    assert header.lower() in answer.json()["errors"][0]["parameter"].lower()
