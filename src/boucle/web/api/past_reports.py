"""Periodic reports over HTTP: the files that the schedule of a model's policy left."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import FileResponse, JSONResponse, Response

from boucle.core.document import to_json
from boucle.core.errors import Unavailable
from boucle.core.i18n import N_, _
from boucle.loop.periodic import Shelf
from boucle.web.parameters import Name
from boucle.web.plane import ControlPlane, Plane
from boucle.web.security import PageRoute, TokenRoute

router = APIRouter(prefix="/api/v1", route_class=TokenRoute, tags=["monitoring"])
page_router = APIRouter(route_class=PageRoute, include_in_schema=False)
File = Annotated[
    str,
    Path(max_length=40, description=N_("Name of the file, its minute in UTC"), examples=["2026-07-12T06-30.html"]),
]


@router.get("/models/{name}/reports", summary=N_("List the periodic reports of a model"))
def list_reports(name: Name, plane: Plane) -> JSONResponse:
    """The newest first, 100 at most. They are made when the watch policy has a `report_cron`."""
    plane.registry.model(name)
    past = [
        {**to_json(report), "url": f"/api/v1/models/{name}/reports/{report.file}"}
        for report in _shelf(plane).list(name)
    ]
    return JSONResponse({"reports": past})


@router.get("/models/{name}/reports/{file}", summary=N_("Download a periodic report"), response_class=Response)
def download_past_report(name: Name, file: File, plane: Plane) -> Response:
    """One HTML file that needs nothing else."""
    return _answer(plane, name, file)


@page_router.api_route("/models/{name}/reports/{file}", methods=["GET", "HEAD"])
def past_report_page(name: Name, file: File, plane: Plane) -> Response:
    """The same file for those who may see the pages."""
    return _answer(plane, name, file)


def _answer(plane: ControlPlane, name: str, file: str) -> Response:
    path = _shelf(plane).path(name, file)
    return FileResponse(path, media_type="text/html", filename=f"{name}-{file}")


def _shelf(plane: ControlPlane) -> Shelf:
    if plane.shelf is None:
        raise Unavailable(_("This platform keeps no periodic reports."))
    return plane.shelf
