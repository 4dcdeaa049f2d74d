"""Errors as RFC 9457 problems: the one place of the gateway where an error becomes an HTTP status.

====================  ======  ==================================================================
InvalidRequest        400     415 for a type or coding that is not read, 405 for a method
InvalidRows           422     each row and column named, 20 at most
NotAllowed            403     401 without a right token
NotFound              404
TooLarge              413
ModelFailed           500     the model's own code raised on rows that fit its schema
Unavailable           503     loading, busy, its worker gone twice, or the log full; with Retry-After
TooSlow               504     no answer before the deadline; its worker is replaced
anything else         500     a bug: logged with its trace, told without
====================  ======  ==================================================================
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson

from boucle.core import errors
from boucle.core.i18n import _
from boucle.gateway.requests import MethodNotAllowed

log = logging.getLogger("boucle.gateway")
MAX_BYTES, MAX_DETAIL = 16 * 1024, 2_000
_MAX_ITEM_DETAIL, _MAX_POINTER = 400, 240
_STATUS: tuple[tuple[type[errors.BoucleError], int], ...] = (
    (errors.InvalidRequest, 400),
    (errors.InvalidRows, 422),
    (errors.TooLarge, 413),
    (errors.NotAllowed, 403),
    (errors.NotFound, 404),
    (errors.TooSlow, 504),
    (errors.Unavailable, 503),
    (errors.ModelFailed, 500),
)
_STATUS_OF_CODE = {
    "unsupported-media-type": 415,
    "unsupported-encoding": 415,
    "method-not-allowed": 405,
    "missing-token": 401,
    "wrong-token": 401,
    "no-rows": 422,
}


@dataclass(frozen=True)
class Problem:
    """One error, ready to be sent."""

    status: int
    body: bytes
    headers: list[tuple[bytes, bytes]]


def problem(error: Exception, request_id: str) -> Problem:
    """Return the answer to a request that failed, in the language of the current context."""
    status = status_of(error)
    if not isinstance(error, errors.BoucleError):
        log.error("unexpected", extra={"request_id": request_id}, exc_info=error)
    elif status >= 500:
        log.warning("failed", extra={"request_id": request_id, "code": error.code, "cause": str(error)[:500]})
    document: dict[str, Any] = {
        "type": f"urn:boucle:problem:{_code(error)}",
        "title": _title(status),
        "status": status,
        "detail": _detail(error),
        "instance": f"urn:boucle:request:{request_id}",
    }
    if isinstance(error, errors.InvalidRows):
        document["errors"] = [_item(found) for found in error.problems[:20]]
        document["total"] = error.total
    headers = [(b"content-type", b"application/problem+json"), (b"x-request-id", request_id.encode("ascii"))]
    if isinstance(error, errors.Unavailable):
        headers.append((b"retry-after", b"%d" % max(1, error.retry_after_s)))
    if isinstance(error, MethodNotAllowed):
        headers.append((b"allow", error.allow.encode("ascii")))
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    return Problem(status, _bounded(document), headers)


def status_of(error: Exception) -> int:
    """Return the HTTP status of an error.

    >>> status_of(errors.TooSlow("the model", 10.0))
    504
    """
    if isinstance(error, (errors.InvalidRequest, errors.NotAllowed)) and error.code in _STATUS_OF_CODE:
        return _STATUS_OF_CODE[error.code]
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def _code(error: Exception) -> str:
    if isinstance(error, errors.InvalidRows):
        codes = {found.code for found in error.problems}
        return codes.pop() if len(codes) == 1 else error.code
    return error.code if isinstance(error, errors.BoucleError) else "internal"


def _detail(error: Exception) -> str:
    if isinstance(error, errors.BoucleError):
        return str(error)[:MAX_DETAIL]
    return _("The gateway failed; the fault is ours. Its log holds the cause under this request's id.")


def _title(status: int) -> str:
    titles = {
        400: _("The request cannot be read"),
        401: _("A token is needed"),
        403: _("Not allowed"),
        404: _("Not found"),
        405: _("The method is not served here"),
        413: _("The request is too large"),
        415: _("The media type is not read"),
        422: _("The rows do not fit the schema"),
        503: _("It cannot answer now"),
        504: _("It took too long"),
    }
    return titles.get(status, _("The model or the gateway failed"))


def _item(found: errors.RowProblem) -> dict[str, Any]:
    place = "" if found.row is None else f"/{found.row}"
    column = found.column[:80].replace("~", "~0").replace("/", "~1")
    item: dict[str, Any] = {
        "pointer": (f"#{place}/{quote(column, safe='~')}" if column else f"#{place}")[:_MAX_POINTER],
        "column": found.column[:80],
        "code": found.code,
        "detail": found.detail[:_MAX_ITEM_DETAIL],
        "expected": found.expected[:80],
    }
    return item if found.row is None else {**item, "row": found.row}


def _bounded(document: dict[str, Any]) -> bytes:
    body = orjson.dumps(document)
    while len(body) > MAX_BYTES and document.get("errors"):
        document["errors"].pop()
        body = orjson.dumps(document)
    return body
