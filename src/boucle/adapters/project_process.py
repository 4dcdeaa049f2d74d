"""Commands of projects as processes: told line by line, never outliving who asked for them; and their logs, bounded."""

from __future__ import annotations

import codecs
import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

from boucle.adapters import guardian
from boucle.training.ports import Command, Tell

MAX_LOG_BYTES = 5_000_000
MAX_LOGS, DAY_S = 500, 86_400
MAX_LINE = 8_000
_CHUNK = 65_536
_END = re.compile(r"\r\n|\n|\r")
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class ProjectProcesses:
    """Each command runs under a guardian, in a process group of its own; what it leaves behind is killed with it."""

    def run(self, command: Command, tell: Tell) -> int:
        """Run a command to its end and return its exit status; ``tell`` hears each line of its output.

        Raises TimeoutError after ``command.timeout_s``; nothing of it runs any more then.
        """
        deadline = None if command.timeout_s is None else time.monotonic() + command.timeout_s
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", guardian.__file__, *command.argv],
            cwd=command.folder,
            env=dict(command.environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            for text in _lines(_opened(process.stdout), deadline):
                tell(text)
            return process.wait(None if deadline is None else max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired as error:
            raise TimeoutError from error
        finally:
            _end(process)


class BoundedLog:
    """Appends lines to a file; a full one becomes ``….1``, in place of the one of before.

    Of all logs in a folder the newest 500 are kept, and those of the last day.
    """

    def __init__(self, path: Path, max_bytes: int = MAX_LOG_BYTES) -> None:
        self._path, self._max_bytes = path, max_bytes
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _forget_oldest(path.parent, MAX_LOGS)
        self._file = _appending(path)

    def write(self, line: str) -> None:
        """Append a line."""
        if self._file.tell() > self._max_bytes:
            self._file.close()
            self._path.replace(self._path.with_name(f"{self._path.name}.1"))
            self._file = _appending(self._path)
        self._file.write(f"{line}\n".encode(errors="replace"))
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _appending(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab")


def _forget_oldest(folder: Path, kept: int) -> None:
    logs: list[tuple[float, Path]] = []
    for path in folder.iterdir():
        with suppress(FileNotFoundError):  # another run may rotate or forget it just now
            logs.append((path.stat().st_mtime, path))
    yesterday = time.time() - DAY_S
    for changed, path in sorted(logs)[: max(0, len(logs) - kept)]:
        if changed < yesterday:
            path.unlink(missing_ok=True)


def _opened(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise RuntimeError("the process was started without a pipe")
    return stream


def _lines(stream: IO[bytes], deadline: float | None) -> Iterator[str]:
    """Yield the lines of a pipe as they come, without escapes; a progress bar's returns end a line too.

    Raises TimeoutError at the deadline (of the monotonic clock).
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    rest = ""
    while True:
        wait_s = None if deadline is None else deadline - time.monotonic()
        if wait_s is not None and (wait_s <= 0 or not select.select([stream], [], [], wait_s)[0]):
            raise TimeoutError
        data = os.read(stream.fileno(), _CHUNK)
        *whole, rest = _END.split(rest + decoder.decode(data))
        if len(rest) > MAX_LINE or (rest and not data):
            whole, rest = [*whole, rest], ""
        yield from (_ESCAPES.sub("", line)[:MAX_LINE].rstrip() for line in whole)
        if not data:
            return


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let go of the guardian, which kills what is left, and wait until it is gone."""
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with suppress(OSError):
                stream.close()
    process.wait()
