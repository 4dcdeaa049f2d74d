"""What a worker tells when it cannot do what was asked: a kind, the type of the error and one line."""

from __future__ import annotations

from typing import Any, Dict

MAX_MESSAGE = 500


class WorkerError(Exception):
    """A request that failed. ``kind`` is one of ``digest import load predict protocol``."""

    def __init__(self, kind: str, message: str) -> None:
        self.kind = kind
        super().__init__(message)


def described(error: BaseException, kind: str) -> Dict[str, str]:
    """Return an error as its answer tells it: at most 500 characters on one line, never a trace."""
    if isinstance(error, WorkerError):
        kind, error = error.kind, error.__cause__ or error
    text = " ".join(str(error).split())
    text = text.encode("utf-8", "replace").decode("utf-8")
    if len(text) > MAX_MESSAGE:
        text = text[: MAX_MESSAGE - 1] + "…"
    return {"kind": kind, "type": type(error).__name__, "message": text}


def answer_of(error: BaseException, kind: str) -> Dict[str, Any]:
    """Return the header of the answer that tells an error."""
    return {"ok": False, "error": described(error, kind)}
