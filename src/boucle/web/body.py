"""Reading what a caller sends: never more than a limit, never deeper than a limit, never half understood."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from boucle.core.errors import InvalidRequest, TooLarge, shown
from boucle.core.i18n import _
from boucle.serving import strict_json
from boucle.serving.limits import Limits

MAX_DOCUMENT_BYTES = 8 * 1024 * 1024
MAX_FORM_BYTES = 1024 * 1024


async def read_bounded(request: Request, limit: int) -> bytes:
    """Return the whole body. Raises TooLarge as soon as it is known to exceed ``limit`` bytes."""
    told = request.headers.get("content-length", "")
    if told.isdigit() and int(told) > limit:
        raise TooLarge(_("The body"), int(told), limit)
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > limit:
            raise TooLarge(_("The body"), len(data), limit)
    return bytes(data)


async def json_document(request: Request) -> Any:
    """Return the JSON body of a request (a dependency). An empty body reads as an empty object.

    Raises InvalidRequest (media type, JSON that is not strict, nesting too deep) and TooLarge.
    """
    data = await read_bounded(request, MAX_DOCUMENT_BYTES)
    if not data:
        return {}
    _expect_media_type(request, "application/json")
    return await run_in_threadpool(strict_json.parse, data, Limits())


async def form_fields(request: Request) -> dict[str, str]:
    """Return the fields of a submitted form (a dependency). Raises InvalidRequest and TooLarge."""
    _expect_media_type(request, "application/x-www-form-urlencoded")
    data = await read_bounded(request, MAX_FORM_BYTES)
    try:
        text = data.decode("utf-8")
        return dict(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=20_000))
    except ValueError as error:  # UnicodeDecodeError is one
        raise InvalidRequest("invalid-form", _("The form cannot be read: {reason}").format(reason=error)) from error


def _expect_media_type(request: Request, expected: str) -> None:
    told = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if told != expected:
        raise InvalidRequest(
            "unsupported-media-type",
            _("The body is announced as {told}. Send it with Content-Type: {expected}").format(
                told=shown(told), expected=expected
            ),
        )


Document = Annotated[Any, Depends(json_document)]
Form = Annotated[dict[str, str], Depends(form_fields)]
