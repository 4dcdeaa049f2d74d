"""Starting, finding and stopping the platform of a home: what `up`, `down` and `status` do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from boucle.bootstrap.home import Home
from boucle.bootstrap.logs import write_logs
from boucle.bootstrap.supervisor import Supervisor, last_words
from boucle.core.check import Check
from boucle.core.errors import BoucleError, Unavailable
from boucle.core.i18n import _
from boucle.settings import Settings, environment

START_S, STOP_S, POLL_S = 60.0, 30.0, 0.05
Told = dict[str, Any]


def ensure_up(settings: Settings, detach: bool, tell: Callable[[Told], None]) -> Told | None:
    """Start the platform unless it runs already.

    Detached, return its addresses. In the foreground, call ``tell`` with them once it is up and return None when
    it was stopped.
    """
    home = Home(Path(settings.home)).prepare()
    running = home.platform()
    if running is not None:
        return running
    home.token(settings.token)
    if detach:
        return _detached(settings, home)
    write_logs(home.logs, "supervisor", settings.log_level)
    supervisor = Supervisor(settings, home)
    supervisor.when_up = tell
    supervisor.run()
    return None


def stop(settings: Settings) -> bool:
    """Stop the platform of a home and wait until it is gone. Returns False when none ran.

    Raises Unavailable when it does not stop in half a minute.
    """
    home = Home(Path(settings.home))
    told = home.platform()
    if told is None:
        return False
    os.kill(int(told["pid"]), signal.SIGTERM)
    deadline = time.monotonic() + STOP_S
    while home.is_held():
        if time.monotonic() > deadline:
            raise Unavailable(_("Process {pid} does not stop; see {logs}").format(pid=told["pid"], logs=home.logs))
        time.sleep(POLL_S)
    return True


def status(settings: Settings) -> tuple[Told | None, list[Check]]:
    """Return what the platform says of itself (None when it is down) and one Check for each process."""
    home = Home(Path(settings.home))
    told = home.platform()
    if told is None:
        return None, []
    addresses = {"control plane": told["url"], "gateway": told["gateway_url"]}
    checks = [_is_ready(name, address, home.token()) for name, address in addresses.items()]
    for name in ("host", "worker"):
        pid = told["pids"].get(name)
        is_alive = pid is not None and Path(f"/proc/{pid}").exists()
        checks.append(
            Check(
                name,
                "pass" if is_alive else "fail",
                observed=_("process {pid}").format(pid=pid) if is_alive else _("not running"),
            )
        )
    return told, checks


def _is_ready(name: str, address: str, token: str) -> Check:
    headers = {"Authorization": f"Bearer {token}"}
    try:
        answer = httpx.get(f"{address}/readyz", headers=headers, trust_env=False, timeout=5.0)
    except httpx.TransportError as error:
        return Check(
            name, "fail", observed=str(error), advice=_("Read the logs, or start it again: boucle down; boucle up")
        )
    if answer.is_success:
        return Check(name, "pass", observed=address)
    return Check(name, "warn", observed=answer.text[:300], advice=_("Open {address}/readyz").format(address=address))


def _detached(settings: Settings, home: Home) -> Told:
    pid = _orphan([sys.executable, "-m", "boucle.bootstrap.supervisor"], settings, home.logs / "supervisor.err")
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and _lives(pid):
        told = home.platform()
        if told is not None:
            return told
        time.sleep(POLL_S)
    if _lives(pid):
        os.kill(pid, signal.SIGTERM)
    words = last_words(home, "supervisor")
    raise BoucleError(_("The platform did not start. Its last words: {words}").format(words=words))


def _orphan(command: list[str], settings: Settings, errors: Path) -> int:
    """Start a process that is nobody's child, so that it neither dies nor lingers with its starter; return its id."""
    with errors.open("wb") as file:
        started = subprocess.run(
            ["/bin/sh", "-c", '"$@" >&2 & echo $!', "sh", *command],
            env=environment(settings),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=file,
            start_new_session=True,
            check=True,
        )
    return int(started.stdout)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
