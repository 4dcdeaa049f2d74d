"""Streams of the inference log from gateways on other machines: each piece is taken where the last one ended."""

from __future__ import annotations

import logging
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from boucle.core.errors import Conflict, TooLarge, Unavailable
from boucle.core.i18n import N_, _
from boucle.core.segment import require_stream
from boucle.web.parameters import BIGGEST
from boucle.web.plane import Plane
from boucle.web.problems import PROBLEM_JSON, problem
from boucle.web.security import TokenRoute

MAX_PIECE_BYTES = 32 * 1024 * 1024  # the shipper sends 4 MiB at most
_FULL_S = 5
log = logging.getLogger("boucle.web")
router = APIRouter(prefix="/api/v1", route_class=TokenRoute, tags=["inference log"])
Stream = Annotated[str, Path(description=N_("Id of the stream"))]
Position = Annotated[int, Query(ge=0, le=BIGGEST, description=N_("Where this piece begins in the stream, in bytes"))]
Finished = Annotated[bool, Query(description=N_("True when nothing follows this piece"))]


@router.put(
    "/streams/{stream}",
    summary=N_("Append to the inference log of a gateway on another machine"),
    response_class=Response,
    responses={409: {"description": N_("The stream ends elsewhere: go on from `position`")}},
    openapi_extra={"requestBody": {"content": {"application/octet-stream": {"schema": {"format": "binary"}}}}},
)
async def take_piece(
    stream: Stream, plane: Plane, request: Request, position: Position, finished: Finished = False
) -> Response:
    """The body is a run of whole records. 200 says that they are on the disk, and where the stream ends now."""
    if plane.streams is None:
        raise Unavailable(_("This control plane takes no streams of the inference log."))
    require_stream(stream)
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_PIECE_BYTES:
            raise TooLarge(_("bytes of the body"), size, MAX_PIECE_BYTES)
        parts.append(part)
    try:
        end = await run_in_threadpool(plane.streams.append, stream, position, b"".join(parts), finished)
    except Conflict as conflict:
        told = {**problem(conflict), "position": getattr(conflict, "position", 0)}
        return JSONResponse(told, 409, media_type=PROBLEM_JSON)
    except OSError as error:
        log.exception("a piece of the inference log could not be written", extra={"stream": stream})
        cause = error.strerror or type(error).__name__
        told_full = _("The inference log cannot be written ({cause}). Try again later.").format(cause=cause)
        raise Unavailable(told_full, _FULL_S) from error
    return JSONResponse({"position": end})
