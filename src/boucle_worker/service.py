"""The loop of a worker: one request frame in, one answer frame out, until its input ends."""

from __future__ import annotations

import fcntl
import gc
import os
import platform
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any, BinaryIO, Dict, Optional, Tuple

import numpy as np

from boucle_worker.answers import answer, classes_of, predictor
from boucle_worker.errors import WorkerError, answer_of
from boucle_worker.feeds import Builder, builder
from boucle_worker.frames import PREFIX, Column, Columns, FrameError, lengths, pack, unpack
from boucle_worker.loading import load, versions

LIFELINE = "BOUCLE_WORKER_LIFELINE"
Reply = Tuple[Dict[str, Any], Columns]


class Worker:
    """A model once loaded, and what answers its requests."""

    def __init__(self) -> None:
        self._model: Any = None
        self._signature: Dict[str, Any] = {}
        self._build: Optional[Builder] = None

    def reply(self, header: Dict[str, Any], columns: Columns) -> Reply:
        """Return the answer to one request. Whatever the model raises is told in the answer; the worker lives on."""
        op = str(header.get("op"))
        handlers = {"load": self._load, "predict": self._predict, "ping": self._ping, "describe": self._describe}
        try:
            if op not in handlers:
                raise WorkerError("protocol", "unknown op {!r}; ops: {}".format(op[:40], ", ".join(handlers)))
            return handlers[op](header, columns)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # the model's code may raise anything
            if not header.get("is_probe"):
                traceback.print_exc()
            return answer_of(error, op if op in ("load", "predict") else "protocol"), {}

    def _ping(self, _header: Dict[str, Any], _columns: Columns) -> Reply:
        return {"ok": True}, {}

    def _load(self, header: Dict[str, Any], _columns: Columns) -> Reply:
        started = time.perf_counter()
        signature = header["signature"]
        model = load(header)
        predictor(model)
        try:
            build = builder(signature)
        except ImportError as error:
            raise WorkerError("import", str(error)) from error
        self._model, self._signature, self._build = model, signature, build
        gc.freeze()  # what is loaded stays: the collector need not walk it in the middle of an answer
        return {
            "ok": True,
            "load_s": round(time.perf_counter() - started, 4),
            "python": platform.python_version(),
            "versions": versions(),
            "classes": classes_of(model),
            "model_class": type(model).__module__ + "." + type(model).__qualname__,
        }, {}

    def _predict(self, _header: Dict[str, Any], columns: Columns) -> Reply:
        if self._build is None:
            raise WorkerError("protocol", "no model is loaded: send a load frame first")
        n_rows = len(next(iter(columns.values())).values) if columns else 0
        return {"ok": True}, answer(self._model, self._build(columns), n_rows, self._signature)

    def _describe(self, _header: Dict[str, Any], columns: Columns) -> Reply:
        """Answer the description of the model as a graph, or why there is none. ``columns`` are a few raw rows."""
        from boucle_worker.describe import Cannot, describe
        from boucle_worker.stored import packed

        if self._build is None:
            raise WorkerError("protocol", "no model is loaded: send a load frame first")
        started = time.perf_counter()
        try:
            found = describe(self._model, self._signature, self._build, columns)
        except Cannot as cannot:
            return {"ok": True, "cannot": cannot.reason[:500]}, {}
        data = packed(found.header(), found.arrays)
        words = np.frombuffer(data + bytes(-len(data) % 8), dtype="<i8")
        seconds = round(time.perf_counter() - started, 4)
        return {"ok": True, "bytes": len(data), "describe_s": seconds}, {"description": Column("int", words)}


def main() -> None:
    """Serve on the standard input and the real standard output. Whatever the model prints goes to stderr."""
    requests = os.fdopen(os.dup(0), "rb", buffering=0)
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # a real text stream at start-up
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a Ctrl-C in the terminal ends the worker without a trace
    end_with_parent()
    serve(requests, answers)


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer each request until the input ends, or until one is not a frame."""
    worker = Worker()
    while True:
        frame = read_frame(requests)
        if frame is None:
            return
        try:
            header, columns = unpack(frame)
        except FrameError as error:
            _send(answers, pack(answer_of(error, "protocol"), {}))
            return
        reply, found = worker.reply(header, columns)
        _send(answers, _packed(reply, found))


def _packed(reply: Dict[str, Any], found: Columns) -> bytes:
    """Return the frame of an answer; one that cannot be written (half a surrogate pair) is told as a failure."""
    try:
        return pack(reply, found)
    except (FrameError, ValueError) as error:
        return pack(answer_of(error, "predict"), {})


def read_frame(stream: BinaryIO) -> Optional[bytearray]:
    """Return the bytes of the next frame, writable so that models may change their rows; None at the end."""
    prefix = bytearray(PREFIX.size)
    if not _fill(stream, memoryview(prefix)):
        return None
    frame = bytearray(PREFIX.size + sum(lengths(prefix)))
    frame[: PREFIX.size] = prefix
    return frame if _fill(stream, memoryview(frame)[PREFIX.size :]) else None


def end_with_parent() -> None:
    """Ask the kernel to end this process when its parent is gone, even in the middle of an answer.

    The parent holds the other end of a pipe that nobody writes to. When it closes, whatever closed it, the kernel
    sends SIGIO, which ends the process even while the model's C code holds the interpreter. (PR_SET_PDEATHSIG
    would end it too early: when the *thread* that started it ends.)
    """
    number = os.environ.pop(LIFELINE, "")
    if not number or not hasattr(fcntl, "F_SETOWN") or not hasattr(os, "O_ASYNC"):
        return
    lifeline = int(number)
    is_leader = os.getpgrp() == os.getpid()
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpid() if is_leader else os.getpid())  # the whole group, if its own
    flags = fcntl.fcntl(lifeline, fcntl.F_GETFL)
    fcntl.fcntl(lifeline, fcntl.F_SETFL, flags | os.O_ASYNC | os.O_NONBLOCK)
    try:
        is_closed = os.read(lifeline, 1) == b""
    except BlockingIOError:
        return
    if is_closed:
        raise SystemExit(0)


def _fill(stream: BinaryIO, view: memoryview) -> bool:
    at = 0
    while at < len(view):
        count = stream.readinto(view[at:])  # type: ignore[attr-defined]  # a raw stream has it
        if not count:
            return False
        at += count
    return True


def _send(stream: BinaryIO, frame: bytes) -> None:
    view = memoryview(frame)
    while view:
        view = view[stream.write(view) :]
