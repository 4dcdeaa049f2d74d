"""Answers that wait for news: the events of a build, and the route table that gateways follow.

The registry is asked a few times a second, outside of the event loop; builds run in another process, so nothing
here would hear of them otherwise.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import orjson
from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response, StreamingResponse

from boucle.core.document import to_json
from boucle.core.i18n import N_
from boucle.core.routes import RouteTable
from boucle.core.version import Version
from boucle.web.parameters import After, Name, Number, WaitS
from boucle.web.plane import ControlPlane, Plane
from boucle.web.security import TokenRoute

POLL_S, KEEP_ALIVE_S, STREAM_S = 0.1, 5.0, 25.0
router = APIRouter(prefix="/api/v1", route_class=TokenRoute)


@router.get(
    "/models/{name}/versions/{number}/events",
    summary=N_("Follow a build as it happens"),
    tags=["models"],
    response_class=StreamingResponse,
    responses={200: {"content": {"application/x-ndjson": {}}}},
)
async def follow_build(name: Name, number: Number, plane: Plane, after: After = 0) -> Response:
    """One JSON document a line: ``{"index", "check"}`` for each check, at last ``{"version"}``.

    Blank lines keep the connection alive. The answer ends after 25 seconds: ask again with ``after`` = checks seen.
    """
    version = await run_in_threadpool(plane.registry.version, name, number)
    lines = _events(plane, version, max(after, 0))
    return StreamingResponse(lines, media_type="application/x-ndjson", headers={"X-Accel-Buffering": "no"})


@router.get(
    "/routes",
    summary=N_("Follow the route table"),
    tags=["platform"],
    responses={200: {"model": RouteTable}, 204: {"description": N_("Nothing newer than `after`")}},
)
async def follow_routes(plane: Plane, request: Request, after: After = -1, wait_s: WaitS = 0) -> Response:
    """The table at once when its sequence is not ``after``, else as soon as it changes, for ``wait_s`` at most.

    A smaller sequence is news too: the database was restored, and what it says is what counts.
    """
    deadline = time.monotonic() + wait_s
    while True:
        if await run_in_threadpool(plane.registry.sequence) != after:
            return JSONResponse(to_json(await run_in_threadpool(plane.registry.route_table)))
        if time.monotonic() >= deadline or plane.is_stopping() or await request.is_disconnected():
            return Response(status_code=204)
        await asyncio.sleep(POLL_S)


async def _events(plane: ControlPlane, version: Version, after: int) -> AsyncIterator[bytes]:
    deadline = time.monotonic() + STREAM_S
    alive_until = time.monotonic() + KEEP_ALIVE_S
    while True:
        for index, check in enumerate(version.checks[after:], start=after):
            yield _line({"index": index, "check": to_json(check)})
            alive_until = time.monotonic() + KEEP_ALIVE_S
        after = max(after, len(version.checks))
        if version.state != "building":
            yield _line({"version": to_json(version)})
            return
        if time.monotonic() >= deadline or plane.is_stopping():
            return
        if time.monotonic() >= alive_until:
            yield b"\n"
            alive_until = time.monotonic() + KEEP_ALIVE_S
        await asyncio.sleep(POLL_S)
        version = await run_in_threadpool(plane.registry.version, version.name, version.number)


def _line(document: dict[str, Any]) -> bytes:
    return orjson.dumps(document) + b"\n"
