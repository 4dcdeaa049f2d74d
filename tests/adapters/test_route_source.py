"""Route tables over HTTP, from a real server."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from boucle.adapters.route_source import HttpRouteSource
from boucle.core.document import canonical
from boucle.core.errors import Unavailable
from boucle.core.routes import RouteTable
from routed import routed, table


@dataclass
class ControlPlane:
    """Answers with what a test sets, and remembers what it was asked."""

    status: int = 200
    body: bytes = b""
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def control() -> Iterator[ControlPlane]:
    plane = ControlPlane()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the standard library's name
            plane.asked.append((self.path, self.headers["authorization"]))
            self.send_response(plane.status)
            self.send_header("content-length", str(len(plane.body)))
            self.end_headers()
            self.wfile.write(plane.body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the standard library's name
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        plane.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield plane
        server.shutdown()
        thread.join()


def asked(url: str, sequence: int) -> RouteTable | None:
    async def run() -> RouteTable | None:
        source = HttpRouteSource(url, lambda: "s3cret")
        try:
            return await source.next_after(sequence)
        finally:
            await source.close()

    return asyncio.run(run())


def test_a_newer_table_is_read_as_it_was_published(control: ControlPlane) -> None:
    published = table(7, routed(3))
    control.body = canonical(published)

    assert asked(control.url + "/", 6) == published
    assert control.asked == [("/api/v1/routes?after=6&wait_s=20", "Bearer s3cret")]


def test_the_first_table_is_asked_for_without_waiting(control: ControlPlane) -> None:
    control.status = 204

    assert asked(control.url, -1) is None
    assert control.asked[0][0] == "/api/v1/routes?after=0&wait_s=0"


@pytest.mark.parametrize("status", [301, 401, 404, 500, 503])
def test_any_other_answer_is_unavailable_and_no_redirect_is_followed(control: ControlPlane, status: int) -> None:
    control.status = status

    with pytest.raises(Unavailable, match=f"answered {status}"):
        asked(control.url, 1)
    assert len(control.asked) == 1


@pytest.mark.parametrize("body", [b"", b"{", b"[]", json.dumps({"sequence": "7"}).encode(), b'{"sequence": 1, "x": 2}'])
def test_a_document_that_is_no_table_is_unavailable(control: ControlPlane, body: bytes) -> None:
    control.body = body

    with pytest.raises(Unavailable, match="No route table from"):
        asked(control.url, 1)


def test_a_control_plane_that_is_down_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="No route table from"):
        asked("http://127.0.0.1:1", 1)
