"""Schedules: runs of projects, made again and again; added, listed, removed, run now."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from pydantic import TypeAdapter
from starlette.responses import JSONResponse, Response

from boucle.core.document import from_json, to_json
from boucle.core.errors import InvalidDocument
from boucle.core.i18n import N_
from boucle.core.version import valid_name
from boucle.jobs.job import STANDING, JobOptions, JobQuery, Schedule, schedule_key
from boucle.jobs.schedules import Schedules
from boucle.training.project import find_project
from boucle.training.run import KIND, QUEUE, RunRequest, kedro_arguments
from boucle.web.body import Document
from boucle.web.plane import ControlPlane, Plane
from boucle.web.security import TokenRoute

router = APIRouter(prefix="/api/v1", route_class=TokenRoute, tags=["schedules"])
PRIORITY = 200  # builds go first: a run that deploys waits for one
DAY_S, MAX_TEXT = 86_400.0, 60


@dataclass(frozen=True)
class ScheduledRun:
    """A run of a project and when it is made. ``cron`` has five fields, read in ``zone``.

    A failed run is tried again, ``attempts`` times in all: after ``backoff_s`` seconds, then twice that, and so on.
    ``timeout_s`` bounds each attempt.
    """

    project: str
    cron: str
    zone: str = "UTC"
    pipeline: str | None = None
    params: dict[str, Any] = field(default_factory=dict)
    env: str | None = None
    attempts: int = 5
    backoff_s: float = 15.0
    timeout_s: float | None = None

    def request(self) -> RunRequest:
        """Return what is run. Raises InvalidRequest for what cannot be told to Kedro."""
        request = RunRequest(self.project, self.pipeline, self.params, self.env, self.timeout_s)
        kedro_arguments(request)
        return request

    def options(self) -> JobOptions:
        """Return how it is run. Raises InvalidDocument for a figure out of range."""
        _expect("attempts", self.attempts, 1, 100)
        _expect("backoff_s", self.backoff_s, 0, 600)
        _expect("timeout_s", 1 if self.timeout_s is None else self.timeout_s, 1, 7 * DAY_S)
        for name, text in (("cron", self.cron), ("zone", self.zone)):
            if len(text) > MAX_TEXT:
                raise InvalidDocument(f"ScheduledRun.{name}", f"at most {MAX_TEXT} characters", text)
        return JobOptions(QUEUE, PRIORITY, max_attempts=self.attempts, backoff_s=self.backoff_s)


def _schedule_name(name: Annotated[str, Path(description=N_("Name of the schedule"), examples=["btc-hourly"])]) -> str:
    return valid_name(name)


ScheduleName = Annotated[str, Depends(_schedule_name)]
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": TypeAdapter(ScheduledRun).json_schema()}},
    }
}


@router.get("/schedules", summary=N_("List the schedules"))
def list_schedules(plane: Plane) -> JSONResponse:
    """By name, each with its next time, its last time, and its last job: state, attempts, error."""
    asked = [schedule for schedule in plane.schedules.list() if schedule.kind not in STANDING]
    return JSONResponse({"schedules": [_document(plane, schedule) for schedule in asked]})


@router.put(
    "/schedules/{name}",
    summary=N_("Run a project again and again"),
    openapi_extra=_BODY,
    responses={200: {"description": N_("It replaced one of that name")}, 201: {"description": N_("A new schedule")}},
    status_code=201,
)
def put_schedule(name: ScheduleName, plane: Plane, document: Document) -> JSONResponse:
    """The folder of the project must be there, on the machine of the worker. Missed times are caught up by one run."""
    asked = from_json(ScheduledRun, document)
    request, options = asked.request(), asked.options()
    if not FilePath(request.project).is_absolute():
        raise InvalidDocument("ScheduledRun.project", "the absolute path of a folder", request.project)
    find_project(FilePath(request.project))
    is_new = all(known.name != name for known in plane.schedules.list())
    schedule = Schedule(name, KIND, asked.cron, asked.zone, to_json(request), options)
    added = Schedules(plane.schedules).add(schedule)
    return JSONResponse(_document(plane, added), 201 if is_new else 200)


@router.delete("/schedules/{name}", summary=N_("Remove a schedule"), status_code=204, response_class=Response)
def delete_schedule(name: ScheduleName, plane: Plane) -> Response:
    """Its jobs stay: one that runs goes on."""
    schedules = Schedules(plane.schedules)
    schedules.get(name)
    schedules.remove(name)
    return Response(status_code=204)


@router.post("/schedules/{name}/run", summary=N_("Run a schedule now"), status_code=202)
def run_schedule(name: ScheduleName, plane: Plane) -> JSONResponse:
    """Its job, made now; the one under way when there is one. Its times stay as they are."""
    schedule = Schedules(plane.schedules).get(name)
    job = plane.jobs.enqueue(schedule.kind, schedule.args, schedule_key(name), schedule.options)
    return JSONResponse(to_json(job), 202, {"Location": f"/api/v1/jobs/{job.id}"})


def _document(plane: ControlPlane, schedule: Schedule) -> dict[str, Any]:
    jobs = plane.jobs.list(JobQuery(limit=1, dedupe=schedule_key(schedule.name)))
    return {**to_json(schedule), "last_job": to_json(jobs[0]) if jobs else None}


def _expect(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise InvalidDocument(f"ScheduledRun.{name}", f"{low:g} to {high:g}", value)
