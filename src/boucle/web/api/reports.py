"""Reports over HTTP: what is known of a window of a model, as JSON or as one file for people."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import JSONResponse, Response

from boucle.core.document import to_json
from boucle.core.errors import InvalidRequest, Unavailable, shown
from boucle.core.i18n import N_, _
from boucle.core.report import Report, Span
from boucle.loop.reports import ReportQuery
from boucle.web.pages import words
from boucle.web.pages.report_file import report_file
from boucle.web.parameters import Name
from boucle.web.plane import ControlPlane, Plane, plane_of
from boucle.web.security import PageRoute, TokenRoute

router = APIRouter(prefix="/api/v1", route_class=TokenRoute, tags=["monitoring"])
page_router = APIRouter(route_class=PageRoute, include_in_schema=False)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECONDS = re.compile(r"-?\d{1,18}\Z", re.ASCII)
LEAST, MOST = -62_135_596_800_000_000, 253_402_300_800_000_000  # years 1 to 9999
TIME_WORDS = N_("ISO 8601 with Z or an offset, or UTC microseconds")
Since = Annotated[str | None, Query(max_length=60, description=TIME_WORDS, examples=["2026-07-01T00:00:00Z"])]
Until = Annotated[str | None, Query(max_length=60, description=TIME_WORDS, examples=["2026-07-02T00:00:00Z"])]
Version = Annotated[int | None, Query(ge=1, le=2**31 - 1, description=N_("Number of the version; else the champion"))]


@dataclass(frozen=True)
class Window:
    """The window that was asked, in UTC microseconds; what is None was not told."""

    since: int | None
    until: int | None


def instant(name: str, text: str) -> int:
    """Return UTC microseconds. Raises InvalidRequest (``invalid-time``) for anything else than ``TIME_WORDS``.

    >>> instant("since", "1970-01-01T01:00:00.000001+01:00"), instant("since", "17")
    (1, 17)
    """
    told = text.strip().replace(" ", "+")  # a plus sign that was not escaped
    try:
        at = int(told) if _MICROSECONDS.match(told) else _microseconds(told)
    except (ValueError, OverflowError):
        at = None
    if at is None or not LEAST <= at < MOST:
        raise InvalidRequest(
            "invalid-time",
            _("{name} is {found}. Send ISO 8601 with Z or an offset, such as 2026-07-01T00:00:00Z, or UTC us.").format(
                name=name, found=shown(text)
            ),
        )
    return at


def window_asked(since: Since = None, until: Until = None) -> Window:
    """Return the window of a request. Raises InvalidRequest for times that cannot be read or are in disorder."""
    asked = Window(
        None if since is None else instant("since", since), None if until is None else instant("until", until)
    )
    if asked.since is not None and asked.until is not None:
        in_order(asked.since, asked.until)
    return asked


def in_order(since: int, until: int) -> Span:
    """Return the window. Raises InvalidRequest (``invalid-window``) unless it begins before it ends."""
    if since >= until:
        raise InvalidRequest(
            "invalid-window",
            _("The window begins at {since} and ends at {until}. Send a since before its until.").format(
                since=words.iso(since), until=words.iso(until)
            ),
        )
    return Span(since, until)


def _against(
    against: Annotated[
        str, Query(max_length=130, description=N_("reference, or SINCE/UNTIL of another window"))
    ] = "reference",
) -> Span | None:
    if against == "reference":
        return None
    since, slash, until = against.partition("/")
    if not slash:
        raise InvalidRequest(
            "invalid-window",
            _("against is {found}. Send reference, or another window as SINCE/UNTIL.").format(found=shown(against)),
        )
    return in_order(instant("against", since), instant("against", until))


def _query(
    name: Name,
    window: Annotated[Window, Depends(window_asked)],
    against: Annotated[Span | None, Depends(_against)],
    version: Version = None,
    slice: Annotated[  # noqa: A002  # the name of the parameter
        str, Query(max_length=500, description=N_("column=value of the policy's slices; empty for all rows"))
    ] = "",
) -> ReportQuery:
    return ReportQuery(name, version, window.since, window.until, against, slice)


Asked = Annotated[ReportQuery, Depends(_query)]


def made(plane: ControlPlane, query: ReportQuery) -> Report:
    """Return the report that a query asks for. Raises NotFound, InvalidRequest, Unavailable."""
    if plane.reports is None:
        raise Unavailable(_("This platform watches nothing: it makes no reports."))
    found = plane.reports(query)
    if found.window.start < LEAST:  # a window before it can be judged, but its times cannot be written
        found = plane.reports(replace(query, since=LEAST))
    in_order(found.window.start, found.window.stop)
    return found


@router.get("/models/{name}/report", summary=N_("Report on a window of a model"), responses={200: {"model": Report}})
def show_report(plane: Plane, query: Asked) -> JSONResponse:
    """The newest window of the policy unless told otherwise: columns worst first, quality, traffic, alerts."""
    return JSONResponse(to_json(made(plane, query)))


@router.get("/models/{name}/report.html", summary=N_("Report as one HTML file"), response_class=Response)
def download_report(request: Request, plane: Plane, query: Asked) -> Response:
    """The same for people: pictures and tables in one file that needs nothing else."""
    return _file(request, made(plane, query))


@page_router.api_route("/models/{name}/report.html", methods=["GET", "HEAD"])
def report_page(request: Request, plane: Plane, query: Asked) -> Response:
    """The same file for those who may see the pages."""
    return _file(request, made(plane, query))


def _file(request: Request, report: Report) -> Response:
    ended = words.iso(report.window.stop)[:16].replace(":", "")
    told = {"Content-Disposition": f'attachment; filename="{report.model}-{report.version}-{ended}.html"'}
    return Response(report_file(report, plane_of(request).version), headers=told, media_type="text/html")


def _microseconds(text: str) -> int:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError
    past = moment - _EPOCH
    return (past.days * 86_400 + past.seconds) * 1_000_000 + past.microseconds
