"""One attempt of a job, in a forked child of the runner: a crash, a leak or a kill of it harms nothing else.

The child leads its own process group, so that what it started dies with it, and asks Linux to kill it when the
runner dies: a runner's death never leaves a job at work that nobody holds. Its end is seen as the end of a pipe that
it alone keeps open; its result comes back in an unnamed file.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn

from boucle.core.errors import shown

MAX_RESULT_BYTES = 1024 * 1024
MAX_ERROR_CHARS = 2_000
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass(frozen=True)
class Child:
    """A running attempt; ``alive`` is readable, at its end, once the process is gone."""

    pid: int
    alive: int
    report: IO[bytes]


@dataclass(frozen=True)
class Ended:
    """What an attempt came to: a result, or the error that it, or the runner for it, reports."""

    result: Any = None
    error: str = ""


def start(work: Callable[[], Any], log: Path) -> Child:
    """Fork a child that runs ``work``, its output appended to the file ``log``."""
    report = tempfile.TemporaryFile()  # noqa: SIM115  # handed on to ``end``
    alive, kept_open = os.pipe()
    runner = os.getpid()
    pid = os.fork()
    if pid == 0:
        os.close(alive)
        _run(work, report, log, runner)
    os.close(kept_open)
    _lead_group(pid)
    return Child(pid, alive, report)


def wait(children: Iterable[Child], timeout_s: float) -> list[Child]:
    """Return the children that have ended, waiting up to ``timeout_s`` for the first."""
    waited = list(children)
    silent, _writable, _failed = select.select([child.alive for child in waited], [], [], timeout_s)
    return [child for child in waited if child.alive in silent or _is_zombie(child.pid)]


def _is_zombie(pid: int) -> bool:
    """True when a process has ended, though a process that it forked may still hold its pipe."""
    if sys.platform != "linux":
        return False
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def kill(child: Child) -> None:
    """Kill the child and all that it started."""
    with suppress(ProcessLookupError):  # it has ended and nothing of it is left
        os.killpg(child.pid, signal.SIGKILL)


def end(child: Child) -> Ended:
    """Wait for the end of the child, kill what it left behind, and return what it came to."""
    kill(child)
    _pid, status = os.waitpid(child.pid, 0)
    os.close(child.alive)
    with child.report as report:
        report.seek(0)
        text = report.read()
    code = os.waitstatus_to_exitcode(status)
    if code == 0:
        return Ended(**json.loads(text))
    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
    return Ended(error=f"its process {how}")


def _run(work: Callable[[], Any], report: IO[bytes], log: Path, runner: int) -> NoReturn:
    code = 70
    try:
        _settle(log, runner)
        report.write(_report(work))
        report.flush()
        sys.stdout.flush()
        sys.stderr.flush()
        code = 0
    finally:
        os._exit(code)


def _settle(log: Path, runner: int) -> None:
    """Leave the runner's group, signals and streams; die when it dies."""
    _lead_group(0)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != runner:
        os._exit(70)
    nothing = os.open(os.devnull, os.O_RDONLY)
    written = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for source, target in ((nothing, 0), (written, 1), (written, 2)):
        os.dup2(source, target)


def _report(work: Callable[[], Any]) -> bytes:
    try:
        text = json.dumps({"result": work()}, allow_nan=False).encode()
        if len(text) > MAX_RESULT_BYTES:
            raise ValueError(f"the result of a job is at most {MAX_RESULT_BYTES} bytes, this one has {len(text)}")
    except BaseException as error:  # noqa: BLE001  # whatever it is, the runner must hear of it
        traceback.print_exc()
        said = str(error) or shown(error)
        text = json.dumps({"error": f"{type(error).__name__}: {said}"[:MAX_ERROR_CHARS]}).encode()
    return text


def _lead_group(pid: int) -> None:
    """Make a process lead a group; parent and child both say it, whoever comes first."""
    with suppress(ProcessLookupError, PermissionError):  # it has ended, or has done it itself
        os.setpgid(pid, pid)
