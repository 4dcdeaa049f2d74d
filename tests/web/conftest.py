"""The application over a platform in memory, and a gateway that answers what a test tells it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from boucle.web.app import create_app
from web.in_process import client
from web.made_up import TOKEN, World, populated


@pytest.fixture
def world() -> World:
    """A platform with models in every state."""
    return populated()


@pytest.fixture
def empty_world() -> World:
    """A platform without a model."""
    return World()


@pytest.fixture
def browser(world: World) -> httpx.Client:
    """A person's browser on loopback: no token."""
    return client(create_app(world.plane()), Accept="text/html")


@pytest.fixture
def api(world: World) -> httpx.Client:
    """A program with the token."""
    return client(create_app(world.plane()), Authorization=f"Bearer {TOKEN}")


@dataclass
class Gateway:
    """What a stand-in for the gateway answers (``body`` may make it from the rows), and what it was asked."""

    status: int = 200
    body: Any = None
    raw: bytes | None = None
    asked: list[tuple[str, Any, dict[str, str]]] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def gateway(world: World) -> Iterator[Gateway]:
    """A real HTTP server on a free port, known to the platform as its gateway."""
    told = Gateway()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers["Content-Length"]))
            rows = sent.decode() if self.headers["Content-Type"] == "text/csv" else json.loads(sent)
            told.asked.append((self.path, rows, dict(self.headers)))
            body = told.body(rows) if callable(told.body) else told.body
            content = told.raw if told.raw is not None else json.dumps(body).encode()
            self.send_response(told.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("X-Boucle-Version", "2")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the name it has in http.server
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    told.url = world.gateway_url = f"http://127.0.0.1:{server.server_address[1]}"
    yield told
    server.shutdown()
    thread.join()
    server.server_close()
