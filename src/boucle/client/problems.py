"""RFC 9457 problems as errors of ours, with the words of the server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import httpx

from boucle.core.errors import (
    BoucleError,
    Conflict,
    CorruptArtifact,
    InvalidRequest,
    InvalidRows,
    ModelFailed,
    NotAllowed,
    NotFound,
    RowProblem,
    TooLarge,
    TooSlow,
    Unavailable,
)
from boucle.core.i18n import _

PREFIX = "urn:boucle:problem:"
E = TypeVar("E", bound=BoucleError)


def error_of(response: httpx.Response) -> BoucleError:
    """Return the error that an answer tells.

    The code of the problem decides, then the status; an answer that is no problem (a proxy's page, say) is told
    as it is.
    """
    problem = _document(response)
    code = str(problem.get("type", "")).rpartition(PREFIX)[2]
    detail = str(problem.get("detail") or problem.get("title"))
    names_columns = any(isinstance(item, dict) and "column" in item for item in problem.get("errors") or ())
    maker = _invalid_rows if names_columns else _BY_CODE.get(code) or _BY_STATUS.get(response.status_code, _other)
    return maker(code, detail, {**problem, "retry_after": response.headers.get("Retry-After")})


def _document(response: httpx.Response) -> dict[str, Any]:
    try:
        problem = response.json()
    except ValueError:
        problem = None
    if isinstance(problem, dict) and (problem.get("detail") or problem.get("title")):
        return problem
    if response.status_code == httpx.codes.UNAUTHORIZED:
        text = _(
            "The platform at {url} wants a token. Set BOUCLE_TOKEN, or BOUCLE_HOME to the home of the platform there."
        )
        return {"detail": text.format(url=response.url.copy_with(path="/"))}
    text = " ".join(response.text.split())[:200] or response.reason_phrase
    told = _("{url} answered {status}: {text}").format(url=response.url, status=response.status_code, text=text)
    return {"detail": told}


def _worded(cls: type[E], detail: str, **attributes: Any) -> E:
    """Make an error that says what the server said instead of composing its own sentence."""
    error = cls.__new__(cls, detail)
    for name, value in attributes.items():
        setattr(error, name, value)
    return error


def _invalid_rows(_code: str, detail: str, problem: Mapping[str, Any]) -> BoucleError:
    rows = tuple(_row_problem(item) for item in problem.get("errors") or () if isinstance(item, dict))
    return _worded(InvalidRows, detail, problems=rows, total=int(problem.get("total", len(rows))))


def _row_problem(item: Mapping[str, Any]) -> RowProblem:
    row = item.get("row")
    return RowProblem(
        code=str(item.get("code", "")),
        column=str(item.get("column", "")),
        detail=str(item.get("detail", "")),
        row=row if isinstance(row, int) else None,
        expected=str(item.get("expected", "")),
    )


def _too_large(_code: str, detail: str, problem: Mapping[str, Any]) -> BoucleError:
    return _worded(TooLarge, detail, what="", found=problem.get("found", 0), limit=problem.get("limit", 0))


def _not_found(_code: str, detail: str, _problem: Mapping[str, Any]) -> BoucleError:
    return _worded(NotFound, detail, kind="", name="", choices=(), cure="")


def _conflict(code: str, detail: str, problem: Mapping[str, Any]) -> BoucleError:
    return _worded(Conflict, detail, code=code or Conflict.code, missing=tuple(problem.get("missing", ())))


def _corrupt(_code: str, detail: str, _problem: Mapping[str, Any]) -> BoucleError:
    return _worded(CorruptArtifact, detail, expected="", found="")


def _too_slow(_code: str, detail: str, _problem: Mapping[str, Any]) -> BoucleError:
    return _worded(TooSlow, detail, what="", deadline_s=0.0)


def _model_failed(_code: str, detail: str, _problem: Mapping[str, Any]) -> BoucleError:
    return ModelFailed(detail)


def _unavailable(_code: str, detail: str, problem: Mapping[str, Any]) -> BoucleError:
    after = str(problem.get("retry_after") or "")
    return Unavailable(detail, int(after) if after.isdigit() else 1)


def _not_allowed(code: str, detail: str, _problem: Mapping[str, Any]) -> BoucleError:
    return NotAllowed(code or "not-allowed", detail)


def _invalid_request(code: str, detail: str, _problem: Mapping[str, Any]) -> BoucleError:
    return InvalidRequest(code or "invalid-request", detail)


def _other(_code: str, detail: str, problem: Mapping[str, Any]) -> BoucleError:
    request_id = str(problem.get("instance") or "").partition("urn:boucle:request:")[2]
    return BoucleError(f"{detail} ({request_id})" if request_id else detail)


_BY_CODE = {
    "too-large": _too_large,
    "not-found": _not_found,
    "conflict": _conflict,
    "missing-artifacts": _conflict,
    "corrupt-artifact": _corrupt,
    "too-slow": _too_slow,
    "model-failed": _model_failed,
    "unavailable": _unavailable,
}
_BY_STATUS = {
    400: _invalid_request,
    401: _not_allowed,
    403: _not_allowed,
    404: _not_found,
    409: _conflict,
    413: _too_large,
    415: _invalid_request,
    421: _not_allowed,
    422: _invalid_request,
    429: _unavailable,
    503: _unavailable,
    504: _too_slow,
}
