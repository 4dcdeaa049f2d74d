"""The real Prometheus and Alertmanager on loopback, for the length of a test."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

DEPLOY = Path(__file__).parents[2] / "deploy"
PATIENCE_S = 15.0


def tool(name: str) -> str:
    """Return the path of a program, or skip the test with a word."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: apt-get install prometheus prometheus-alertmanager")
    return found


def ran(name: str, *arguments: str | Path) -> str:
    """Run a program to its end and return what it said; fail when it failed."""
    done = subprocess.run([tool(name), *map(str, arguments)], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def started(command: list[str], folder: Path, ready: str) -> Iterator[None]:
    """Run a server until the block ends; it is ready when an address answers 200."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
        try:
            eventually(lambda: answers(ready), (folder / "log"))
            yield
        finally:
            process.terminate()
            process.wait(10)


@contextmanager
def served(app: Any) -> Iterator[str]:
    """Serve an application from a thread; yield its address."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, "127.0.0.1", port, log_config=None, access_log=False, lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        eventually(lambda: server.started)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


def answers(url: str) -> bool:
    """Tell whether an address answers 200."""
    try:
        return httpx.get(url, trust_env=False, timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def eventually(is_so: Callable[[], object], log: Path | None = None) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline, log.read_text() if log else "it did not come"
        time.sleep(0.05)
