"""A platform for the client's tests: the real control plane over memory adapters, a builder that follows a script,
and a small gateway of the test's own that answers each row with its first cell."""

from __future__ import annotations

import csv
import io
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import uvicorn

from boucle.adapters.memory.artifacts import MemoryArtifacts
from boucle.adapters.memory.jobs import MemoryJobStore, MemoryScheduleStore
from boucle.adapters.memory.registry import MemoryRegistryStore
from boucle.core.check import Check
from boucle.core.errors import BoucleError, NotFound
from boucle.core.traffic import ModelTraffic
from boucle.core.version import Version
from boucle.registry.model import BuildFound
from boucle.registry.registry import Registry
from boucle.web.app import create_app
from boucle.web.plane import ControlPlane

TOKEN = "t0ken-of-the-client-tests"
PASSING = (Check("artifacts", "pass", "all there"), Check("load", "pass", "loaded in 0.1 s"))
FAILING = (Check("load", "fail", "No module named 'shop'", "it loads", "Carry it: code=[shop]"),)


class NoTraffic:
    """Nobody asked anything."""

    def read(self) -> dict[str, ModelTraffic]:
        """Return no counts."""
        return {}


@dataclass
class Asked:
    """One request that the gateway got."""

    path: str
    body: bytes
    media: str
    alias: str


@dataclass
class Platform:
    """``script`` is what the next builds find; ``asked`` what the gateway was asked; ``gateway_lag_s`` how late it
    learns of a new pointer."""

    registry: Registry
    artifacts: MemoryArtifacts
    script: tuple[Check, ...] = PASSING
    url: str = ""
    gateway_url: str = ""
    asked: list[Asked] = field(default_factory=list)
    gateway_status: int = 200
    is_stopping: threading.Event = field(default_factory=threading.Event)

    def build(self) -> None:
        """Build what waits, as the worker would, until told to stop."""
        while not self.is_stopping.wait(0.01):
            for model in self.registry.models():
                for version in self.registry.versions(model.name):
                    if version.state == "building":
                        self._build(version)

    def _build(self, version: Version) -> None:
        for check in self.script:
            self.registry.add_check(version.name, version.number, check)
            time.sleep(0.05)
        if any(check.is_failed for check in self.script):
            self.registry.mark_failed(version.name, version.number, "a check failed")
            return
        self.registry.found(version.name, version.number, BuildFound("python", "runs in Python", "3.11"))
        self.registry.mark_ready(version.name, version.number)


@contextmanager
def running() -> Iterator[Platform]:
    """Run a platform on free ports for the length of a ``with`` block."""
    registry = Registry(MemoryRegistryStore(), lambda: time.time_ns() // 1000)
    platform = Platform(registry, MemoryArtifacts())
    with _gateway(platform), _control(platform):
        builder = threading.Thread(target=platform.build)
        builder.start()
        try:
            yield platform
        finally:
            platform.is_stopping.set()
            builder.join()


@contextmanager
def _control(platform: Platform) -> Iterator[None]:
    jobs = MemoryJobStore()
    plane = ControlPlane(
        registry=platform.registry,
        jobs=jobs,
        schedules=MemoryScheduleStore(jobs),
        artifacts=platform.artifacts,
        traffic=NoTraffic(),
        token=TOKEN,
        gateway_url=lambda: platform.gateway_url,
        version="0.1.0",
        is_stopping=platform.is_stopping.is_set,
    )
    listener = socket.create_server(("127.0.0.1", 0))
    platform.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(create_app(plane), log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield
    finally:
        platform.is_stopping.set()
        server.should_exit = True
        thread.join()
        listener.close()


@contextmanager
def _gateway(platform: Platform) -> Iterator[None]:
    with serving(type("Gateway", (_Gateway,), {"platform": platform})) as url:
        platform.gateway_url = url
        yield


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Serve requests with a handler class; give the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Quiet(BaseHTTPRequestHandler):
    """A handler that keeps connections and logs nothing."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None:
        """Say nothing."""

    def answer(self, status: int, document: Any, **headers: str) -> None:
        """Send a JSON answer."""
        body = b"" if document is None else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "application/json")
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class _Gateway(Quiet):
    platform: Platform

    def do_GET(self) -> None:
        name = self.path.split("/")[2]
        try:
            model = self.platform.registry.model(name)
        except NotFound as error:
            self.answer(404, problem("not-found", str(error)))
            return
        ready = [v.number for v in self.platform.registry.versions(name) if v.state == "ready"]
        self.answer(200, {"name": name, "aliases": model.aliases, "loaded": ready})

    def do_POST(self) -> None:
        where = urlsplit(self.path)
        alias = parse_qs(where.query).get("alias", ["champion"])[0]
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.platform.asked.append(Asked(where.path, body, self.headers["Content-Type"], alias))
        if self.platform.gateway_status != 200:
            self.answer(self.platform.gateway_status, problem("unavailable", "busy"), Retry_After="3")
            return
        name = where.path.split("/")[2]
        try:
            number = self.platform.registry.model(name).aliases[alias]
        except (BoucleError, KeyError):
            self.answer(404, problem("not-found", f"There is no alias {alias}."))
            return
        firsts = first_cells(body, self.headers["Content-Type"])
        answer = {"predictions": firsts, "prediction_id": f"id{len(self.platform.asked)}"}
        self.answer(200, answer, X_Boucle_Model=name, X_Boucle_Version=str(number))


def first_cells(body: bytes, media: str) -> list[Any]:
    """Return the first cell of each row of a request."""
    if media == "text/csv":
        return [row[0] for row in list(csv.reader(io.StringIO(body.decode())))[1:]]
    document = json.loads(body)
    if "dataframe_split" in document:
        return [row[0] for row in document["dataframe_split"]["data"]]
    return [next(iter(row.values())) for row in document["dataframe_records"]]


def problem(code: str, detail: str, **more: Any) -> dict[str, Any]:
    """Return an RFC 9457 document."""
    return {"type": f"urn:boucle:problem:{code}", "title": "A problem", "detail": detail, **more}
