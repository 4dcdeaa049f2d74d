"""Stands between us and a command of a project, so that the command never outlives us: ``guardian.py COMMAND…``.

A script of its own that imports nothing of ours. Its standard input is a pipe that only its starter holds open: when
the starter closes it, or dies in whatever way, the command and all that it started are killed. On Linux the guardian
inherits what the command leaves behind, even what changed its process group, and kills that too.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_NOT_STARTED = 127
_linux = ctypes.CDLL(None) if sys.platform == "linux" else None


def main() -> int:
    """Run the command; return its exit status, 128 + n when signal n ended it."""
    if _linux is not None:
        _linux.prctl(_PR_SET_CHILD_SUBREAPER, 1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: _kill(_children()))
    me = os.getpid()
    try:
        command = subprocess.Popen(
            sys.argv[1:],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=lambda: _follow(me),  # noqa: PLW1509  # no thread runs yet
        )
    except OSError as error:
        print(error, flush=True)
        return _NOT_STARTED
    threading.Thread(target=_kill_when_alone, args=(command.pid,), daemon=True).start()
    status = command.wait()
    if _linux is None:
        _kill_group(command.pid)
    _leave_none()
    return status if status >= 0 else 128 - status


def _follow(guardian: int) -> None:
    """Die with the guardian."""
    if _linux is not None:
        _linux.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != guardian:
        os._exit(_NOT_STARTED)


def _kill_when_alone(group: int) -> None:
    while os.read(0, 1024):
        pass
    _kill_group(group)


def _kill_group(group: int) -> None:
    with suppress(ProcessLookupError, PermissionError):  # all of it has ended
        os.killpg(group, signal.SIGKILL)


def _leave_none() -> None:
    """Kill and reap our children until there are none: those of a killed child become ours."""
    while children := _children():
        _kill(children)
        for child in children:
            with suppress(ChildProcessError):
                os.waitpid(child, 0)


def _kill(processes: list[int]) -> None:
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def _children() -> list[int]:
    found = ""
    with suppress(OSError):  # not Linux
        found = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii")
    return [int(pid) for pid in found.split()]


if __name__ == "__main__":
    sys.exit(main())
