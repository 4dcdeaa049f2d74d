"""The inference log over HTTP: rows, answers and ground truth of a window, for notebooks and spreadsheets."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, BinaryIO

from fastapi import APIRouter, Depends, Query
from starlette.responses import JSONResponse, StreamingResponse

from boucle.core.document import to_json
from boucle.core.errors import Unavailable
from boucle.core.i18n import N_, _
from boucle.core.report import Span
from boucle.loop.exploring import MOST_ROWS, FileFormat, LogQuery, write_table
from boucle.monitoring.ports import Key
from boucle.web.api.reports import LEAST, Version, Window, in_order, window_asked
from boucle.web.parameters import Name
from boucle.web.plane import ControlPlane, Plane
from boucle.web.security import TokenRoute

router = APIRouter(prefix="/api/v1", route_class=TokenRoute, tags=["monitoring"])
MINUTE_US = 60_000_000
WAIT_S, RETRY_S = 2.0, 5
_PIECE = 256 * 1024
_TYPES: dict[str, str] = {
    "table": "application/octet-stream",
    "parquet": "application/vnd.apache.parquet",
    "csv": "text/csv; charset=utf-8",
}
_ENDINGS = {"table": "bcl", "parquet": "parquet", "csv": "csv"}
_ANSWERS: dict[int | str, dict[str, Any]] = {200: {"content": {kind.partition(";")[0]: {} for kind in _TYPES.values()}}}
_reading = threading.Lock()  # a big window takes much memory: one at a time


@dataclass(frozen=True)
class Asked:
    """Which rows of a log, and how they are written."""

    version: Version = None
    limit: Annotated[int | None, Query(ge=1, le=MOST_ROWS, description=N_("Only so many, the newest ones"))] = None
    format: Annotated[FileFormat, Query(description=N_("table is what the Python client reads"))] = "table"


@router.get(
    "/models/{name}/log",
    summary=N_("Rows, answers and ground truth of a window"),
    response_class=StreamingResponse,
    responses=_ANSWERS,
)
def show_log(
    name: Name, plane: Plane, window: Annotated[Window, Depends(window_asked)], asked: Annotated[Asked, Depends()]
) -> StreamingResponse:
    """In order of time; the newest window of the policy unless told otherwise. Over a million rows are refused."""
    if plane.rows is None:
        raise Unavailable(_("This platform keeps no inference log."))
    query = LogQuery(name, _span(plane, name, window), asked.version, asked.limit)
    file: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115  # closed when it is sent
    try:
        with _alone():
            table = plane.rows(query)
            write_table(table, asked.format, file)
    except BaseException:
        file.close()
        raise
    told = {
        "Content-Length": str(file.tell()),
        "Content-Disposition": f'attachment; filename="{name}-log.{_ENDINGS[asked.format]}"',
        "X-Boucle-Rows": str(table.n_rows),
    }
    return StreamingResponse(_pieces(file), headers=told, media_type=_TYPES[asked.format])


@router.get("/models/{name}/truths", summary=N_("Count the ground truth of a model"))
def show_truths(name: Name, plane: Plane) -> JSONResponse:
    """How many outcomes were joined with their prediction, wait for it, or name none that is known."""
    plane.registry.model(name)
    if plane.truths is None:
        raise Unavailable(_("This platform keeps no ground truth."))
    return JSONResponse(to_json(plane.truths.counts(name)))


@contextmanager
def _alone() -> Iterator[None]:
    """Read while nobody else does. Raises Unavailable after a short wait: who waits holds a thread of all routes."""
    if not _reading.acquire(timeout=WAIT_S):
        raise Unavailable(_("An inference log is being read for somebody else. Try again in a few seconds."), RETRY_S)
    try:
        yield
    finally:
        _reading.release()


def _span(plane: ControlPlane, name: str, window: Window) -> Span:
    """Return the window asked, or as long a one as is judged, up to the newest row."""
    versions = plane.registry.versions(name)
    length_us = plane.watching.policy(name).window_s * 1_000_000 if plane.watching is not None else 86_400_000_000
    until = window.until
    if until is None and plane.profiles is not None:
        told = [plane.profiles.newest(Key(name, version.number, "traffic")) for version in versions]
        until = max((at + MINUTE_US for at in told if at is not None), default=None)
    until = plane.now_us() if until is None else until
    return in_order(max(until - length_us, LEAST) if window.since is None else window.since, until)


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    with file:
        file.seek(0)
        while piece := file.read(_PIECE):
            yield piece
