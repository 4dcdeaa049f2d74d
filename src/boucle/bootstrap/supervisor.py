"""The supervisor: starts the processes of one machine, restarts those that die, stops them all.

It binds both addresses itself and hands the listening sockets down: a process that restarts finds its callers
waiting in the queue, and no request is refused meanwhile. The processes die with it, however it dies.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import IO, Any

import httpx

from boucle.bootstrap.home import Home
from boucle.bootstrap.logs import write_logs
from boucle.bootstrap.sockets import listen, reachable
from boucle.core.errors import BoucleError, Conflict
from boucle.core.files import publish
from boucle.core.i18n import _, use_language
from boucle.settings import Settings, environment, load

log = logging.getLogger("boucle.supervisor")
START_S, STOP_S, POLL_S = 60.0, 12.0, 0.1
FIRST_BACKOFF_S, MAX_BACKOFF_S, STEADY_S = 0.2, 10.0, 30.0
PR_SET_PDEATHSIG = 1


@dataclass
class Process:
    """One supervised process: how to start it, and how it fares."""

    name: str
    module: str
    listener: socket.socket | None = None
    child: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    backoff_s: float = FIRST_BACKOFF_S
    due_at: float = 0.0

    @property
    def is_alive(self) -> bool:
        """True while its process runs."""
        return self.child is not None and self.child.poll() is None


@dataclass
class Supervisor:
    """Runs one platform from one home. ``run()`` returns when asked to stop by SIGTERM or SIGINT."""

    settings: Settings
    home: Home
    processes: list[Process] = field(default_factory=list)
    is_stopping: bool = False
    when_up: Callable[[dict[str, Any]], None] = lambda _told: None

    def run(self) -> None:
        """Start everything, say so in ``platform.json``, keep it alive until told to stop."""
        self.home.prepare()
        with self.home.lock_file.open("wb") as lock:
            if not _locked(lock):
                raise Conflict(_("A platform already runs from {home}.").format(home=self.home.root))
            self.home.platform_file.unlink(missing_ok=True)
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._stop)
            try:
                self._start()
                self._watch()
            finally:
                self._end()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.is_stopping = True

    def _start(self) -> None:
        self.home.token(self.settings.token)
        control = listen(self.settings.host, self.settings.port)
        gateway = listen(self.settings.host, self.settings.gateway_port)
        self.settings = replace(
            self.settings, port=control.getsockname()[1], gateway_port=gateway.getsockname()[1], home=self.home.root
        )
        self.processes = [
            Process("control", "boucle.bootstrap.control", control),
            Process("host", "boucle.bootstrap.model_host"),
            Process("gateway", "boucle.bootstrap.gateway", gateway),
            Process("worker", "boucle.bootstrap.worker"),
        ]
        for process in self.processes[:3]:
            self._spawn(process)
        self._await(f"{self.url}/livez", self.processes[0])  # it alone migrates the database
        self._spawn(self.processes[3])
        self._await(f"{self.gateway_url}/livez", self.processes[2])
        self._tell()
        self.when_up(self.told())

    @property
    def url(self) -> str:
        """The address of the control plane."""
        return f"http://{reachable(self.settings.host)}:{self.settings.port}"

    @property
    def gateway_url(self) -> str:
        """The address of the gateway."""
        return f"http://{reachable(self.settings.host)}:{self.settings.gateway_port}"

    def _spawn(self, process: Process) -> None:
        command = [sys.executable, "-m", process.module]
        descriptors: tuple[int, ...] = ()
        if process.listener is not None:
            descriptors = (process.listener.fileno(),)
            command.append(str(process.listener.fileno()))
        with (self.home.logs / f"{process.name}.err").open("ab") as errors:
            process.child = subprocess.Popen(
                command,
                env=environment(self.settings),
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                pass_fds=descriptors,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509  # single-threaded
                start_new_session=True,
            )
        process.started_at = time.monotonic()
        log.info("started", extra={"who": process.name, "pid": process.child.pid})

    def _await(self, address: str, process: Process) -> None:
        deadline = time.monotonic() + START_S
        with httpx.Client(trust_env=False, timeout=2.0) as client:
            while time.monotonic() < deadline and not self.is_stopping:
                if not process.is_alive:
                    break
                try:
                    if client.get(address).status_code == 200:  # the status of health
                        return
                except httpx.TransportError:
                    pass
                time.sleep(0.03)
        if self.is_stopping:
            return
        raise BoucleError(
            _("Process {name} did not start. Its last words: {words}").format(
                name=process.name, words=last_words(self.home, process.name)
            )
        )

    def _watch(self) -> None:
        while not self.is_stopping:
            now = time.monotonic()
            for process in self.processes:
                if not process.is_alive:
                    self._revive(process, now)
            time.sleep(POLL_S)

    def _revive(self, process: Process, now: float) -> None:
        if process.child is not None:
            code, process.child = process.child.returncode, None
            if now - process.started_at > STEADY_S:
                process.backoff_s = FIRST_BACKOFF_S
            process.due_at = now + process.backoff_s
            process.backoff_s = min(process.backoff_s * 2, MAX_BACKOFF_S)
            log.error("ended", extra={"who": process.name, "status": code})
        if now >= process.due_at:
            self._spawn(process)
            self._tell()

    def told(self) -> dict[str, Any]:
        """Return what the platform says of itself: addresses, home, process ids."""
        return {
            "url": self.url,
            "gateway_url": self.gateway_url,
            "home": str(self.home.root),
            "pid": os.getpid(),
            "pids": {p.name: p.child.pid for p in self.processes if p.child is not None},
        }

    def _tell(self) -> None:
        publish(self.home.platform_file, json.dumps(self.told(), indent=1).encode())

    def _end(self) -> None:
        self.home.platform_file.unlink(missing_ok=True)
        alive = [process.child for process in self.processes if process.child is not None and process.is_alive]
        for child in alive:
            child.terminate()
        deadline = time.monotonic() + STOP_S
        for child in alive:
            try:
                child.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        for process in self.processes:
            if process.listener is not None:
                process.listener.close()


def _locked(lock: IO[bytes]) -> bool:
    """Take the lock of a home; a second is given to those who only look whether it is held."""
    for _attempt in range(20):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.05)
        else:
            return True
    return False


def last_words(home: Home, name: str) -> str:
    """Return the last line that a process wrote to its error output."""
    path = home.logs / f"{name}.err"
    lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines() if path.exists() else []
    return lines[-1][:500] if lines else _("none; see {folder}").format(folder=home.logs)


def _die_with_parent() -> None:
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def main() -> None:
    """Run the platform of the environment's settings in this process."""
    settings = load()
    use_language(settings.language)
    home = Home(Path(settings.home)).prepare()
    write_logs(home.logs, "supervisor", settings.log_level)
    try:
        Supervisor(settings, home).run()
    except BoucleError as error:
        sys.exit(str(error))  # the last words, which its starter repeats


if __name__ == "__main__":
    main()
