"""Callers who are slow in any way are dropped; others do not notice."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from gateway.conftest import SHORT, Running, received, until
from routed import ROW

HEAD = b"POST /models/bank/invocations HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
SLACK_S = 3.0


@pytest.fixture
def connection(bank: Running) -> Iterator[socket.socket]:
    timeout_s = SHORT.headers_s + SHORT.body_s + SLACK_S
    with socket.create_connection(("127.0.0.1", bank.port), timeout=timeout_s) as connected:
        yield connected


def dripped(connection: socket.socket, data: bytes, pause_s: float) -> float:
    """Send byte after byte until the server closes; return the seconds that took."""
    start = time.monotonic()
    try:
        for i in range(len(data)):
            connection.sendall(data[i : i + 1])
            time.sleep(pause_s)
    except OSError:
        pass
    return time.monotonic() - start


def test_headers_that_drip_are_dropped(connection: socket.socket) -> None:
    took_s = dripped(connection, HEAD + b"x: y\r\n" * 100, 0.05)

    assert took_s < SHORT.headers_s + SLACK_S


def test_headers_that_stop_are_told_so(connection: socket.socket) -> None:
    connection.sendall(HEAD)

    assert received(connection).startswith(b"HTTP/1.1 408 ")


def test_a_body_that_drips_is_dropped(connection: socket.socket) -> None:
    connection.sendall(HEAD + b"content-length: 1000\r\n\r\n")

    assert dripped(connection, b" " * 1000, 0.05) < SHORT.body_s + SLACK_S


def test_a_body_that_stops_is_dropped_without_an_answer(connection: socket.socket) -> None:
    connection.sendall(HEAD + b"content-length: 10\r\n\r\n[")

    assert received(connection) == b""


def test_a_connection_that_says_nothing_is_dropped(connection: socket.socket) -> None:
    assert received(connection) == b""


def test_an_idle_connection_is_dropped_after_its_answer(connection: socket.socket) -> None:
    connection.sendall(b"GET /livez HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")

    answer = received(connection)

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b'{"status":"alive"}')


def test_headers_without_end_are_refused(connection: socket.socket) -> None:
    try:
        for _i in range(40):
            connection.sendall(b"x: " + b"y" * 1000 + b"\r\n") if _i else connection.sendall(HEAD)
            time.sleep(0.001)
    except OSError:
        pass

    assert b" 431 " in received(connection)[:20]


def test_a_caller_who_does_not_read_is_dropped(bank: Running, connection: socket.socket) -> None:
    def is_held() -> bool:
        mine = connection.getsockname()
        return any(getattr(held, "client", None) == mine for held in list(bank.server.server_state.connections))

    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.sendall(b"GET /metrics HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
    until(is_held, SLACK_S)
    with suppress(OSError):
        for _i in range(3_000):
            connection.send(b"GET /metrics HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")

    until(lambda: not is_held(), SHORT.reading_s + SHORT.idle_s + SLACK_S)


def test_requests_sent_in_one_go_are_answered_in_order(connection: socket.socket) -> None:
    one = b"GET /livez HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"
    last = b"GET /nowhere HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n"
    connection.sendall(one * 3 + last)

    answer = received(connection)

    assert re.findall(rb"HTTP/1.1 ([0-9]+)", answer) == [b"200", b"200", b"200", b"404"]


def test_others_are_served_while_hundreds_hang(bank: Running) -> None:
    hanging = [socket.create_connection(("127.0.0.1", bank.port)) for _i in range(300)]
    for connection in hanging:
        connection.sendall(HEAD)
    start = time.monotonic()

    answers = [bank.ask([ROW]).status_code for _i in range(100)]

    took_s = time.monotonic() - start
    for connection in hanging:
        connection.close()
    assert set(answers) == {200}
    assert took_s < 2.0


def test_a_caller_who_leaves_does_no_harm(bank: Running) -> None:
    for cut in (10, len(HEAD), len(HEAD) + 25):
        with socket.create_connection(("127.0.0.1", bank.port)) as leaving:
            leaving.sendall((HEAD + b"content-length: 500\r\n\r\n[{")[:cut])

    assert bank.ask([ROW]).status_code == 200
