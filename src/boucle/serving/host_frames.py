"""What gateway and model host say to each other over the host's socket: the worker's frames, and errors as data."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from boucle.core import errors
from boucle.core.i18n import _
from boucle_worker.frames import PREFIX, Columns, FrameError, lengths, unpack

MAX_FRAME_BYTES = 512 * 1024 * 1024
NOT_LOADED = "not-loaded"


async def read_frame(reader: asyncio.StreamReader) -> tuple[dict[str, Any], Columns]:
    """Return the next frame. Raises IncompleteReadError at the end of the stream, FrameError for nonsense."""
    prefix = await reader.readexactly(PREFIX.size)
    size = sum(lengths(prefix))
    if size > MAX_FRAME_BYTES:
        raise FrameError(f"a frame of {size} bytes, at most {MAX_FRAME_BYTES} are read")
    return unpack(prefix + await reader.readexactly(size))


class NotLoaded(errors.Unavailable):
    """The host does not hold this version: it was restarted, or let the version go."""

    code = NOT_LOADED


def told(error: Exception) -> dict[str, Any]:
    """Return the header that tells of an error. ``error_from`` makes the error of it again."""
    unforeseen = _("The model host failed unforeseen; its log says how.")  # paths and names stay inside
    found: dict[str, Any] = {"code": "unavailable", "message": unforeseen}
    if isinstance(error, errors.BoucleError):
        found = {"code": error.code, "message": str(error)[:2000]}
    if isinstance(error, errors.ModelFailed):
        found.update(kind=error.kind, type=error.error_type)
    elif isinstance(error, errors.TooSlow):
        found.update(what=error.what, deadline_s=error.deadline_s)
    elif isinstance(error, errors.Unavailable):
        found.update(retry_after_s=error.retry_after_s)
    return {"ok": False, "error": found}


def error_from(found: dict[str, Any]) -> errors.BoucleError:
    """Return the error that a header told of; of a kind not known here, that the version is unavailable."""
    make = _ERRORS.get(str(found.get("code")), _unavailable)
    return make(found)


def _unavailable(found: dict[str, Any]) -> errors.BoucleError:
    return errors.Unavailable(str(found.get("message", "")), int(found.get("retry_after_s", 1)))


def _model_failed(found: dict[str, Any]) -> errors.BoucleError:
    return errors.ModelFailed(str(found["message"]), str(found.get("kind", "predict")), str(found.get("type", "")))


def _too_slow(found: dict[str, Any]) -> errors.BoucleError:
    return errors.TooSlow(_("The model"), float(found["deadline_s"]))


_ERRORS: dict[str, Callable[[dict[str, Any]], errors.BoucleError]] = {
    errors.ModelFailed.code: _model_failed,
    errors.TooSlow.code: _too_slow,
    NOT_LOADED: lambda found: NotLoaded(str(found["message"])),
    errors.EnvironmentFailed.code: lambda found: errors.EnvironmentFailed(str(found["message"])),
}
