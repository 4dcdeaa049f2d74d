"""The platform itself: what it is, its jobs, its health."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import JSONResponse

from boucle.core.document import to_json
from boucle.core.errors import Unavailable
from boucle.core.i18n import N_, _
from boucle.jobs.job import STANDING, JobQuery
from boucle.web.plane import Plane, gateway_for
from boucle.web.security import PublicRoute, TokenRoute

router = APIRouter(prefix="/api/v1", route_class=TokenRoute, tags=["platform"])
health = APIRouter(route_class=PublicRoute, tags=["health"])
Kind = Annotated[str | None, Query(max_length=64, description=N_("Kind of the jobs"), examples=["build"])]
Limit = Annotated[int, Query(ge=1, le=1000, description=N_("How many at most"))]
JobId = Annotated[str, Path(max_length=64, pattern="^[0-9A-Za-z_-]+$", description=N_("Identifier of the job"))]


@router.get("/platform", summary=N_("Show what runs here"))
def show_platform(plane: Plane, request: Request) -> JSONResponse:
    """The version of boucle, the address that answers predictions, and how models are isolated."""
    told = {"version": plane.version, "gateway_url": gateway_for(plane, request), "isolation": "none"}
    return JSONResponse(told)


@router.get("/jobs", summary=N_("List the jobs"))
def list_jobs(plane: Plane, kind: Kind = None, limit: Limit = 100) -> JSONResponse:
    """The newest first; ``kind`` keeps those of one kind, such as ``build``."""
    without = () if kind else STANDING
    return JSONResponse({"jobs": to_json(plane.jobs.list(JobQuery(kind, limit=limit, without=without)))})


@router.get("/jobs/{job_id}", summary=N_("Show a job"))
def show_job(job_id: JobId, plane: Plane) -> JSONResponse:
    """Its state, attempts, steps and result."""
    return JSONResponse(to_json(plane.jobs.get(job_id)))


@router.post("/jobs/{job_id}/cancel", summary=N_("Cancel a job"))
def cancel_job(job_id: JobId, plane: Plane) -> JSONResponse:
    """A job that waits never starts; one that runs is stopped at the worker's next heartbeat."""
    return JSONResponse(to_json(plane.jobs.cancel(job_id)))


@health.get("/livez", summary=N_("Is the process alive?"))
def livez() -> JSONResponse:
    """Always 200 while the process answers."""
    return JSONResponse({"status": "alive"})


@health.get("/readyz", summary=N_("Can it do its work?"))
def readyz(plane: Plane) -> JSONResponse:
    """200 when the registry answers, else 503."""
    try:
        plane.registry.route_table()
    except Exception as error:  # whatever the database raises, the answer is the same
        raise Unavailable(_("The registry does not answer. See the log of the control plane.")) from error
    return JSONResponse({"status": "ready"})
