"""Who may ask: hosts, origins and the token, before a byte of the body is read."""

from __future__ import annotations

import socket

import pytest

from boucle.adapters.memory.models import MemoryModels, MemoryRoutes
from boucle.core.i18n import _, speaking
from gateway.conftest import FUNCTIONS, Launch, Running, until
from routed import ROW, routed, table


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "evil.example:80", "", "[::2]", "localhost:x"]
)
def test_another_host_name_is_not_served(bank: Running, host: str) -> None:
    for path in ("/livez", "/readyz", "/metrics", "/models/bank", "/nowhere"):
        answer = bank.client.get(path, headers={"host": host})

        assert answer.status_code == 403
        assert answer.json()["type"] == "urn:boucle:problem:unknown-host"
        assert "evil" not in answer.text


@pytest.mark.parametrize("host", ["localhost", "LocalHost:1", "127.0.0.1", "127.0.0.1:9", "[::1]", "[::1]:8080"])
def test_the_names_of_this_machine_are_served(bank: Running, host: str) -> None:
    assert bank.client.get("/livez", headers={"host": host}).status_code == 200


def test_a_request_without_a_host_is_not_served(bank: Running) -> None:
    assert bank.raw(b"GET /livez HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 403 ")


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
    ids=str,
)
def test_a_page_of_another_origin_cannot_ask(bank: Running, headers: dict[str, str]) -> None:
    answer = bank.ask([ROW], headers=headers)

    assert answer.status_code == 403
    assert answer.json()["type"] == "urn:boucle:problem:foreign-origin"


def test_a_page_of_this_origin_may_ask(bank: Running) -> None:
    headers = {"origin": bank.url, "sec-fetch-site": "same-origin"}

    assert bank.ask([ROW], headers=headers).status_code == 200


@pytest.fixture
def guarded(launch: Launch) -> Running:
    source = MemoryRoutes(table(1, routed(1, "a" * 64)))
    running = launch(MemoryModels(FUNCTIONS), source, token="s3cret-token", allowed_hosts=("models.example",))
    until(lambda: len(running.app.fleet.loaded) == 1)
    return running


@pytest.mark.parametrize("path", ["/readyz", "/metrics", "/models/bank", "/models/bank/schema", "/nowhere"])
def test_without_the_token_nothing_but_livez_is_told(guarded: Running, path: str) -> None:
    without = guarded.client.get(path)
    wrong = guarded.client.get(path, headers={"authorization": "Bearer other"})

    assert (without.status_code, without.headers["www-authenticate"]) == (401, "Bearer")
    assert (without.json()["type"], wrong.json()["type"]) == (
        "urn:boucle:problem:missing-token",
        "urn:boucle:problem:wrong-token",
    )
    assert "s3cret" not in without.text + wrong.text
    assert guarded.client.get("/livez").status_code == 200


def test_the_token_lets_in_under_each_allowed_host(guarded: Running) -> None:
    headers = {"authorization": "Bearer s3cret-token"}

    assert guarded.ask([ROW], headers=headers).status_code == 200
    assert guarded.ask([ROW], headers={**headers, "host": "Models.Example:8080"}).status_code == 200
    assert guarded.ask([ROW], headers={**headers, "host": "other.example"}).status_code == 403


def test_a_wrong_token_is_refused_before_the_body_is_read(guarded: Running) -> None:
    with socket.create_connection(("127.0.0.1", guarded.port), timeout=5) as connection:
        connection.sendall(
            b"POST /models/bank/invocations HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer no\r\n"
            b"content-type: application/json\r\ncontent-length: 500000\r\n\r\n"
        )

        assert connection.recv(4096).startswith(b"HTTP/1.1 401 ")


def test_problems_speak_the_language_of_the_caller(bank: Running) -> None:
    answer = bank.ask([], headers={"accept-language": "fr-CA,fr;q=0.8"})

    with speaking("fr"):
        assert answer.json()["detail"] == _("The request holds no row. Send at least one.")
    assert bank.ask([]).json()["detail"] == "The request holds no row. Send at least one."
