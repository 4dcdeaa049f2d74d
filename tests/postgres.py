"""A PostgreSQL of the tests' own: a cluster in a new folder, reached by a socket in it, gone with the session."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

START_S = 30.0
FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=32MB", "max_connections=30")


class NoPostgres(Exception):
    """It cannot be had here; the text says why."""


def binaries() -> Path:
    """Return the folder of ``initdb`` and ``postgres``. Raises NoPostgres."""
    if find_spec("psycopg") is None:
        raise NoPostgres("psycopg is not installed: uv pip install 'psycopg[binary]'")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    if not found and on_path is None:
        raise NoPostgres("PostgreSQL is not installed: apt-get install postgresql")
    return found[-1].parent if found else Path(str(on_path)).parent


@contextmanager
def cluster() -> Iterator[str]:
    """Start a cluster and give the address of an empty database. Raises NoPostgres."""
    tools, owner = binaries(), _owner()
    root = Path(tempfile.mkdtemp(prefix="boucle-pg-"))
    try:
        if "user" in owner:
            shutil.chown(root, owner["user"], owner["group"])
        _run([tools / "initdb", "-D", root / "data", "-U", "boucle", "-A", "trust", "--no-sync", "-E", "UTF8"], owner)
        with _server(tools, root, owner):
            yield f"postgresql://boucle@/postgres?host={root}"
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _owner() -> dict[str, Any]:
    """Whom it runs as: PostgreSQL refuses to be root."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": name, "group": user.pw_gid, "extra_groups": []}
    raise NoPostgres("PostgreSQL does not run as root, and there is no user to run it as: make one named postgres")


def _run(command: list[Any], owner: dict[str, Any]) -> None:
    done = subprocess.run(
        [str(part) for part in command], check=False, capture_output=True, text=True, cwd="/", **owner
    )
    if done.returncode != 0:
        raise NoPostgres(f"PostgreSQL could not be made ready: {done.stderr.strip()[-300:]}")


@contextmanager
def _server(tools: Path, root: Path, owner: dict[str, Any]) -> Iterator[None]:
    options = [part for each in (*FAST, "listen_addresses=") for part in ("-c", each)]
    command = [str(tools / "postgres"), "-D", str(root / "data"), "-k", str(root), *options]
    with (root / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd="/", **owner)
    try:
        _await(tools, root, process, owner)
        yield
    finally:
        process.send_signal(signal.SIGINT)  # fast: connections are cut
        process.wait(START_S)


def _await(tools: Path, root: Path, process: subprocess.Popen[bytes], owner: dict[str, Any]) -> None:
    deadline = time.monotonic() + START_S
    asking = [str(tools / "pg_isready"), "-q", "-h", str(root)]
    while subprocess.run(asking, cwd="/", check=False, **owner).returncode != 0:
        if process.poll() is not None or time.monotonic() > deadline:
            raise NoPostgres(f"PostgreSQL did not start: {(root / 'log').read_text()[-300:]}")
        time.sleep(0.05)
