"""A real gateway on a free port, with models that are plain functions."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import uvicorn
import uvloop

from boucle.adapters.memory.models import MemoryModels, MemoryRoutes
from boucle.core.errors import ModelFailed
from boucle.core.routes import RouteTable
from boucle.core.table import Column
from boucle.gateway.app import Gateway, GatewayOptions, create_app
from boucle.gateway.protocol import ReceiptLimits, ReceiptProtocol
from boucle.serving.limits import Limits
from boucle.serving.ports import Journal, Models, RouteSource
from boucle_worker.frames import Columns
from routed import doubled_age, routed, table, tripled_age

SHORT = ReceiptLimits(headers_s=1.0, body_s=1.5, reading_s=1.5, idle_s=2.0, linger_s=0.5, max_header_bytes=16_384)


class ShortProtocol(ReceiptProtocol):
    """Deadlines that a test can wait for."""

    limits = SHORT


def raising(columns: Columns) -> Columns:
    """A model that answers its example, but raises for anyone older."""
    if columns["age"].values.max() > 60:
        raise ModelFailed("ValueError: too old for this model")
    return doubled_age(columns)


def slow(columns: Columns) -> Columns:
    """A model that takes a second for anyone older."""
    time.sleep(1.0 if columns["age"].values.max() > 60 else 0.0)
    return doubled_age(columns)


def without_answer(columns: Columns) -> Columns:
    """A model that answers numbers that are none."""
    return {"prediction": Column("float", np.full(len(columns["age"].values), np.nan))}


FUNCTIONS = {
    "a" * 64: doubled_age,
    "b" * 64: tripled_age,
    "c" * 64: raising,
    "d" * 64: slow,
    "e" * 64: without_answer,
}


@dataclass
class Running:
    """A gateway that serves, and what a test needs to talk to it."""

    app: Gateway
    port: int
    client: httpx.Client
    server: uvicorn.Server

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, rows: Any, model: str = "bank", **options: Any) -> httpx.Response:
        """Send rows as JSON."""
        return self.client.post(f"/models/{model}/invocations", json=rows, **options)

    def raw(self, data: bytes, timeout_s: float = 10.0) -> bytes:
        """Send bytes and return all that comes back until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout_s) as connection:
            connection.sendall(data)
            return received(connection)


def received(connection: socket.socket) -> bytes:
    """Return what a connection still sends until it is closed."""
    parts = []
    try:
        while part := connection.recv(65_536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def until(is_so: Callable[[], bool], timeout_s: float = 10.0) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.005)


@dataclass
class Launch:
    """How to start a gateway."""

    folder: Path
    running: list[tuple[Running, threading.Thread]] = field(default_factory=list)

    def __call__(self, models: Models, source: RouteSource, journal: Journal | None = None, **options: Any) -> Running:
        told = {"routes_copy": self.folder / "routes.json", "limits": Limits(max_body_bytes=1_000_000), **options}
        app = create_app(GatewayOptions(**told), models, source, journal)
        listener = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(app, http=ShortProtocol, access_log=False, log_config=None, timeout_graceful_shutdown=2)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=lambda: uvloop.run(server.serve(sockets=[listener])), daemon=True)
        thread.start()
        port = listener.getsockname()[1]
        client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20, trust_env=False)
        running = Running(app, port, client, server)
        self.running.append((running, thread))
        until(lambda: server.started)
        return running

    def stop(self) -> None:
        """Stop every gateway that was started, and wait for its end."""
        for running, thread in self.running:
            running.client.close()
            running.server.should_exit = True
            thread.join(10)
            assert not thread.is_alive()
        self.running.clear()


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    launching = Launch(tmp_path)
    yield launching
    launching.stop()


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One gateway for a module: models bank (with a challenger), raising, slow and silent."""
    launching = Launch(tmp_path_factory.mktemp("gateway"))
    first, second = routed(1, "a" * 64), routed(2, "b" * 64)
    routes = table(1, first, second, champion=1, challenger=2).routes
    for name, letter, runtime in (("raising", "c", "python"), ("slow", "d", "python"), ("silent", "e", "onnx")):
        routes += table(1, routed(1, letter * 64, runtime=runtime, format="skops"), name=name).routes
    running = launching(MemoryModels(FUNCTIONS), MemoryRoutes(RouteTable(1, routes)), timeout_s=0.5)
    until(lambda: len(running.app.fleet.loaded) == 5)
    yield running
    launching.stop()
