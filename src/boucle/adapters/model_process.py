"""A model in a process of its own: the platform's end of the frames that a ``boucle_worker`` answers.

Blocking, one request at a time, safe to use from several threads. The process is not trusted: what it answers is
bounded in bytes and read as data, and a process that is silent, gone or talking nonsense is killed, not waited for.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boucle_worker
from boucle.core.errors import ModelFailed, TooSlow, Unavailable
from boucle.core.i18n import _
from boucle_worker.frames import PREFIX, Columns, FrameError, lengths, pack, unpack

WORKER = Path(boucle_worker.__file__).resolve().parent
LIFELINE = "BOUCLE_WORKER_LIFELINE"
MAX_ANSWER_BYTES = 256 * 1024 * 1024
MAX_HEADER_BYTES = 1024 * 1024
_KINDS = ("digest", "import", "load", "predict", "protocol")
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_PIPE_BYTES = 1024 * 1024


@dataclass(frozen=True)
class _Child:
    """A running worker and the parent's ends of its pipes; closing ``lifeline`` ends it."""

    process: subprocess.Popen[bytes]
    requests: int
    answers: int
    lifeline: int
    scratch: Path

    def kill(self) -> None:
        """Kill the worker and what it started (it leads a process group of its own)."""
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def end(self) -> int:
        """Kill the worker, give back what it held and return its exit status (negative: the signal)."""
        self.kill()
        status = self.process.wait()
        for number in (self.requests, self.answers, self.lifeline):
            os.close(number)
        shutil.rmtree(self.scratch, ignore_errors=True)
        return status


class ModelProcess:
    """A worker run by ``python`` (that of the version's environment), whose stderr is appended to ``log``."""

    def __init__(self, python: Path, log: Path, max_answer_bytes: int = MAX_ANSWER_BYTES) -> None:
        self._python = python
        self._log = log
        self._max_answer_bytes = max_answer_bytes
        self._lock = threading.Lock()
        self._child: _Child | None = None

    @property
    def pid(self) -> int | None:
        """The process id; None when it was not started or has been ended."""
        child = self._child
        return None if child is None else child.process.pid

    @property
    def is_alive(self) -> bool:
        """True while the process runs."""
        child = self._child
        return child is not None and child.process.poll() is None

    def start(self) -> None:
        """Start the process, again if it ended. It imports in the background; the first ``call`` waits for it.

        Raises Unavailable when the interpreter cannot be run.
        """
        with self._lock:
            if self.is_alive:
                return
            self._end()
            self._child = _started(self._python, self._log)

    def call(self, header: dict[str, Any], columns: Columns, timeout_s: float) -> tuple[dict[str, Any], Columns]:
        """Send one request and return its answer: the header (``ok`` is True) and the columns.

        Raises TooSlow when no whole answer came in ``timeout_s`` seconds (the process is then killed, unless the
        time went by waiting for another caller), ModelFailed when the answer tells an error or is no answer
        (its ``kind`` says which; in the second case the process is killed), Unavailable when the process is gone.
        """
        deadline = time.monotonic() + timeout_s
        request = pack(header, columns)
        if not self._lock.acquire(timeout=max(0.0, timeout_s)):
            raise TooSlow(_("The model"), timeout_s)
        try:
            answer, found = self._exchange(request, deadline)
            if header.get("op") == "predict":
                _check_rows(columns, found)
        except TimeoutError:
            self._end()
            raise TooSlow(_("The model"), timeout_s) from None
        except FrameError as error:
            self._end()
            raise _nonsense(error) from error
        except OSError as error:
            raise _gone(self._end()) from error
        finally:
            self._lock.release()
        if answer.get("ok") is not True:
            raise _told(answer)
        return answer, found

    def close(self) -> None:
        """Kill the process and what it started; a call under way raises Unavailable. Safe to repeat."""
        child = self._child
        if child is not None:
            child.kill()
        with self._lock:
            self._end()

    def log_tail(self, max_chars: int = 2000) -> str:
        """Return the end of the log: what the model and its libraries wrote last."""
        try:
            with self._log.open("rb") as log:
                log.seek(max(0, self._log.stat().st_size - 4 * max_chars))
                return log.read().decode("utf-8", "replace")[-max_chars:]
        except OSError:
            return ""

    def _exchange(self, request: bytes, deadline: float) -> tuple[dict[str, Any], Columns]:
        if self._child is None:
            raise Unavailable(_("The model's process is not running."))
        _send(self._child.requests, request, deadline)
        prefix = _receive(self._child.answers, PREFIX.size, deadline)
        header_bytes, body_bytes = lengths(prefix)
        if header_bytes > MAX_HEADER_BYTES or body_bytes > self._max_answer_bytes:
            raise FrameError(f"{header_bytes + body_bytes} bytes, more than {self._max_answer_bytes}")
        return unpack(prefix + _receive(self._child.answers, header_bytes + body_bytes, deadline))

    def _end(self) -> int | None:
        child, self._child = self._child, None
        return None if child is None else child.end()


def _started(python: Path, log: Path) -> _Child:
    log.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix="boucle-model-"))
    request_end, requests = os.pipe()
    answers, answer_end = os.pipe()
    lifeline_end, lifeline = os.pipe()
    try:
        with log.open("ab") as stderr:
            process = subprocess.Popen(
                [python, "-I", WORKER],
                stdin=request_end,
                stdout=answer_end,
                stderr=stderr,
                env=_environment(python, scratch, lifeline_end),
                cwd=scratch,
                pass_fds=(lifeline_end,),
                start_new_session=True,
            )
    except OSError as error:
        for number in (requests, answers, lifeline):
            os.close(number)
        shutil.rmtree(scratch, ignore_errors=True)
        raise Unavailable(_("The model's Python cannot be run: {error}").format(error=error)) from error
    finally:
        for number in (request_end, answer_end, lifeline_end):
            os.close(number)
    for number in (requests, answers):
        os.set_blocking(number, False)  # the standard library's own signature
        _widen(number)
    return _Child(process, requests, answers, lifeline, scratch)


def _environment(python: Path, scratch: Path, lifeline: int) -> dict[str, str]:
    """Return all that a worker sees of the environment: nothing of the platform's own."""
    return {
        "PATH": os.pathsep.join((str(python.parent), "/usr/local/bin", "/usr/bin", "/bin")),
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "LANG": "C.UTF-8",
        LIFELINE: str(lifeline),
        **dict.fromkeys(_ONE_THREAD, "1"),
    }


def _widen(pipe: int) -> None:
    """Let a pipe hold 1 MiB, so that a request of some megabytes is not handed over in 64 KiB pieces."""
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with contextlib.suppress(OSError):  # beyond the user's share of pipe memory: smaller pieces work too
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def _send(pipe: int, data: bytes, deadline: float) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(pipe, view) :]
        except BlockingIOError:
            _wait(pipe, select.POLLOUT, deadline)


def _receive(pipe: int, size: int, deadline: float) -> bytearray:
    data = bytearray(size)
    view, at = memoryview(data), 0
    while at < size:
        try:
            count = os.readv(pipe, [view[at:]])
        except BlockingIOError:
            _wait(pipe, select.POLLIN, deadline)
            continue
        if count == 0:
            raise ConnectionResetError("the process closed its output")
        at += count
    return data


def _wait(pipe: int, event: int, deadline: float) -> None:
    poll = select.poll()
    poll.register(pipe, event)
    left_s = deadline - time.monotonic()
    if left_s <= 0 or not poll.poll(left_s * 1000):
        raise TimeoutError


def _check_rows(sent: Columns, found: Columns) -> None:
    """Raise FrameError unless each answered column has as many rows as were sent."""
    n_rows = len(next(iter(sent.values())).values) if sent else 0
    for name, column in found.items():
        if len(column.values) != n_rows:
            raise FrameError(f"{len(column.values)} rows of {name!r} for {n_rows}")


def _nonsense(error: FrameError) -> ModelFailed:
    text = _("The model's process answered what is no answer and was stopped: {error}")
    return ModelFailed(text.format(error=error), kind="protocol", error_type="FrameError")


def _gone(status: int | None) -> Unavailable:
    if status is not None and status < 0:
        how = signal.Signals(-status).name
    else:
        how = _("exit status {status}").format(status=status)
    text = _("The model's process ended before it answered ({how}). Its log tells more.")
    return Unavailable(text.format(how=how))


def _told(answer: dict[str, Any]) -> ModelFailed:
    error = answer.get("error")
    told = {key: str(value)[:500] for key, value in error.items()} if isinstance(error, dict) else {}
    kind, error_type, message = (told.get(key, "") for key in ("kind", "type", "message"))
    detail = message if error_type in ("", "WorkerError") else f"{error_type}: {message}"
    return ModelFailed(detail, kind if kind in _KINDS else "protocol", error_type)
