"""Artifacts: asked for, fetched and uploaded by digest; an upload goes on where it broke off."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, JSONResponse, Response

from boucle.core.document import to_json
from boucle.core.errors import Conflict, TooLarge
from boucle.core.i18n import N_, _
from boucle.core.version import Artifact
from boucle.web.parameters import Digest, Length, Offset
from boucle.web.plane import Plane
from boucle.web.ports import Artifacts
from boucle.web.problems import answer_error
from boucle.web.security import TokenRoute

CHUNK_BYTES = 1024 * 1024
router = APIRouter(prefix="/api/v1", route_class=TokenRoute, tags=["artifacts"])


@router.head("/artifacts/{digest}", summary=N_("Ask whether an artifact is here"), response_class=Response)
def ask_artifact(digest: Digest, plane: Plane) -> Response:
    """200 when the artifact is here; 404 when it is not: ``Upload-Offset`` then says how much of it arrived."""
    size = plane.artifacts.size(digest)
    if size is not None:
        return Response(headers={"Upload-Offset": str(size), "Content-Length": str(size)})
    return Response(status_code=404, headers={"Upload-Offset": str(plane.artifacts.received(digest))})


@router.get("/artifacts/{digest}", summary=N_("Fetch an artifact"), response_class=Response)
def fetch_artifact(digest: Digest, plane: Plane) -> Response:
    """The bytes, verified against their digest as they are read."""
    path = plane.artifacts.local_path(digest)
    return FileResponse(path, media_type="application/octet-stream", filename=digest)


@router.put(
    "/artifacts/{digest}",
    summary=N_("Upload an artifact, or the next part of it"),
    status_code=201,
    response_class=Response,
    responses={
        201: {"description": N_("Complete and verified"), "model": Artifact},
        202: {"description": N_("Received so far: send the rest from `offset`")},
        409: {"description": N_("The part does not start where the last one ended: see Upload-Offset")},
    },
    openapi_extra={"requestBody": {"content": {"application/octet-stream": {"schema": {"format": "binary"}}}}},
)
async def upload_artifact(
    digest: Digest, plane: Plane, request: Request, upload_offset: Offset = 0, upload_length: Length = None
) -> Response:
    """Send ``Upload-Offset`` (0 by default) and ``Upload-Length``. The body is streamed, never held in memory."""
    upload = _Upload(plane.artifacts, digest, upload_offset, plane.max_artifact_bytes)
    total = upload_length if upload_length is not None else _announced_end(request, upload_offset)
    upload.check(total or 0)
    if await run_in_threadpool(plane.artifacts.size, digest) is None:
        try:
            end = await upload.receive(request.stream())
        except Conflict as conflict:
            answer = answer_error(request, conflict)
            answer.headers["Upload-Offset"] = str(await run_in_threadpool(plane.artifacts.received, digest))
            return answer
        if total is not None and end < total:
            return JSONResponse({"offset": end}, 202, {"Upload-Offset": str(end)})
    else:
        async for _unread in request.stream():
            pass
    artifact = await run_in_threadpool(plane.artifacts.finish, digest)
    return JSONResponse(to_json(artifact), 201)


@dataclass
class _Upload:
    """One part of an artifact on its way into the store, in chunks written outside of the event loop."""

    artifacts: Artifacts
    digest: str
    offset: int
    limit: int

    async def receive(self, stream: AsyncIterator[bytes]) -> int:
        """Append the parts of a body and return the new end. Raises Conflict, TooLarge."""
        pending = bytearray()
        async for part in stream:
            pending += part
            self.check(self.offset + len(pending))
            if len(pending) >= CHUNK_BYTES:
                await self._append(bytes(pending))
                pending.clear()
        await self._append(bytes(pending))
        return self.offset

    def check(self, end: int) -> None:
        """Raise TooLarge when the artifact would end beyond the limit."""
        if end > self.limit:
            raise TooLarge(_("The artifact"), end, self.limit)

    async def _append(self, chunk: bytes) -> None:
        self.offset = await run_in_threadpool(self.artifacts.receive, self.digest, self.offset, chunk)


def _announced_end(request: Request, offset: int) -> int | None:
    told = request.headers.get("content-length", "")
    return offset + int(told) if told.isdigit() else None
