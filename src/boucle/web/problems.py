"""Errors as answers: RFC 9457 problems for programs, a page for people. HTTP status codes are given here only."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from boucle.core import errors
from boucle.core.errors import BoucleError
from boucle.core.i18n import N_, _
from boucle.web.pages.templates import render

MAX_DETAIL, MAX_ERRORS = 2000, 20
PROBLEM_JSON = "application/problem+json"
_STATUS: dict[type[BoucleError], int] = {
    errors.InvalidRequest: 400,
    errors.InvalidDocument: 422,
    errors.InvalidRows: 422,
    errors.TooLarge: 413,
    errors.NotAllowed: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Refused: 422,
    errors.CorruptArtifact: 422,
    errors.Unavailable: 503,
    errors.TooSlow: 504,
    errors.ModelFailed: 502,
}
_STATUS_OF_CODE = {"unauthenticated": 401, "unknown-host": 421, "unsupported-media-type": 415}
_TITLES = {
    400: N_("The request cannot be understood"),
    401: N_("A token is needed"),
    403: N_("Not allowed"),
    404: N_("Not found"),
    405: N_("Not possible with this method"),
    409: N_("Conflict with what is there"),
    413: N_("Too large"),
    415: N_("Wrong media type"),
    421: N_("Unknown host name"),
    422: N_("The content does not fit"),
    500: N_("Something went wrong here"),
    502: N_("The model's own code failed"),
    503: N_("Not available right now"),
    504: N_("No answer in time"),
}
_INDEX = re.compile(r"\[(\d+)\]")


class MissingArtifacts(errors.Conflict):
    """A manifest names artifacts that are not here yet: upload them, then register again."""

    code = "missing-artifacts"

    def __init__(self, missing: Sequence[str]) -> None:
        self.missing = tuple(missing)
        super().__init__(
            _("{n} artifact(s) of this version are not here yet. Upload them, then register again.").format(
                n=len(self.missing)
            )
        )


def install(app: FastAPI) -> None:
    """Make every error of the application an answer of this module."""
    for kind in (BoucleError, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, answer_error)


def answer_error(request: Request, error: Exception) -> Response:
    """Return the problem document of an error, or the page of it when a person asked for a page."""
    body = problem(error)
    body["instance"] = f"urn:boucle:request:{request.state.request_id}"
    headers = _headers(request, error, body["status"])
    if wants_page(request):
        page = render(request, "error.html", {"problem": body, "error": error})
        return Response(page, body["status"], headers, media_type="text/html")
    return JSONResponse(body, body["status"], headers, media_type=PROBLEM_JSON)


def problem(error: Exception) -> dict[str, Any]:
    """Return the members of RFC 9457 for an error; an error that is not ours tells nothing of itself."""
    status, code = status_of(error), _code(error)
    return {
        "type": f"urn:boucle:problem:{code}",
        "title": _(_TITLES.get(status, _TITLES[400])),
        "status": status,
        "detail": _detail(error, status)[:MAX_DETAIL],
        **_members(error),
    }


def status_of(error: Exception) -> int:
    """Return the HTTP status of an error."""
    if isinstance(error, HTTPException):
        return error.status_code
    if isinstance(error, RequestValidationError):
        return 422
    if not isinstance(error, BoucleError):
        return 500
    known = (_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS)
    return _STATUS_OF_CODE.get(error.code) or next(known, 500)


def wants_page(request: Request) -> bool:
    """Tell whether a person looks at the answer: a page's address, asked for by a browser."""
    path = request.url.path
    is_program = path.startswith("/api/v1") or path.endswith(".json") or path in ("/livez", "/readyz")
    return not is_program and "text/html" in request.headers.get("accept", "")


def _headers(request: Request, error: Exception, status: int) -> dict[str, str]:
    told = getattr(error, "headers", None)
    headers: dict[str, str] = dict(told) if isinstance(told, Mapping) else {}
    if status == 401:
        is_api = request.url.path.startswith("/api/v1")
        headers["WWW-Authenticate"] = "Bearer" if is_api else 'Basic realm="boucle", charset="UTF-8"'
    if isinstance(error, errors.Unavailable):
        headers["Retry-After"] = str(error.retry_after_s)
    return headers


def _code(error: Exception) -> str:
    if isinstance(error, HTTPException):
        return {404: "not-found", 405: "method-not-allowed"}.get(error.status_code, "invalid-request")
    if isinstance(error, RequestValidationError):
        return "invalid-request"
    return error.code if isinstance(error, BoucleError) else "internal"


def _detail(error: Exception, status: int) -> str:
    if isinstance(error, HTTPException):
        if status == 404:
            return _("There is nothing at this address.")
        if status == 405:
            allowed = (error.headers or {}).get("Allow", "")
            return _("This address takes: {methods}.").format(methods=allowed)
        return str(error.detail)
    if isinstance(error, RequestValidationError):
        return _("{n} value(s) of the request cannot be used: see `errors`.").format(n=len(error.errors()))
    if isinstance(error, BoucleError):
        return str(error)
    return _("The cause is in the log of the control plane, under the request id.")


def _members(error: Exception) -> dict[str, Any]:
    if isinstance(error, errors.InvalidRows):
        return {"errors": [_row_problem(item) for item in error.problems[:MAX_ERRORS]], "total": error.total}
    if isinstance(error, errors.InvalidDocument):
        pointer = _INDEX.sub(r".\1", error.path).partition(".")[2].replace(".", "/")
        return {"errors": [{"pointer": f"#/{pointer}", "detail": str(error)[:MAX_DETAIL]}]}
    if isinstance(error, RequestValidationError):
        return {"errors": [_parameter_problem(item) for item in error.errors()[:MAX_ERRORS]]}
    if isinstance(error, MissingArtifacts):
        return {"missing": list(error.missing)}
    if isinstance(error, errors.NotFound):
        return {"choices": list(error.choices[:MAX_ERRORS])}
    return {}


def _row_problem(item: errors.RowProblem) -> dict[str, Any]:
    told = {"row": item.row, "column": item.column, "code": item.code, "detail": item.detail}
    return {name: value for name, value in {**told, "expected": item.expected or None}.items() if value is not None}


def _parameter_problem(item: Mapping[str, Any]) -> dict[str, Any]:
    where, *name = [str(part) for part in item.get("loc", ("request",))]
    return {"parameter": ".".join(name), "in": where, "detail": str(item.get("msg", ""))[:200]}
