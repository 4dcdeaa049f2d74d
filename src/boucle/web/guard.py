"""Guard: what happens to every request before and after the application sees it.

Host and origin are checked, the language is chosen, the answer gets its headers and a request id, and whatever
was not foreseen becomes a plain 500 without a word about the inside.
"""

from __future__ import annotations

import logging
import re
import secrets

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from boucle.core.errors import NotAllowed
from boucle.core.i18n import current_language, speaking
from boucle.web.language import cookie_to_set, language_of
from boucle.web.plane import ControlPlane
from boucle.web.problems import answer_error
from boucle.web.security import check_host, check_origin, with_answer_headers

log = logging.getLogger("boucle.web")
_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")


class Guard:
    """The outermost layer, as ASGI middleware."""

    def __init__(self, app: ASGIApp, plane: ControlPlane) -> None:
        self._app, self._plane = app, plane

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Guard an HTTP request; there are no WebSockets here."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            request = Request(scope, receive)
            scope.setdefault("state", {})["request_id"] = _request_id(request.headers)
            with speaking(language_of(request)):
                await self._guarded(request, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _guarded(self, request: Request, send: Send) -> None:
        has_started = False

        async def watched(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        guarded_send = with_answer_headers(watched, lambda: _own_headers(request))
        try:
            check_host(self._plane, request.headers)
            check_origin(request.method, request.headers)
            await self._app(request.scope, request.receive, guarded_send)
        except ClientDisconnect:
            log.info("the caller went away", extra=_about(request))
        except NotAllowed as refusal:
            await answer_error(request, refusal)(request.scope, request.receive, guarded_send)
        except Exception as error:
            log.exception("a request failed", extra=_about(request))
            if has_started:
                raise
            await answer_error(request, error)(request.scope, request.receive, guarded_send)


def _own_headers(request: Request) -> dict[str, str]:
    own = {"X-Request-Id": request.state.request_id, "Content-Language": current_language()}
    if request.url.scheme == "https":
        own["Strict-Transport-Security"] = "max-age=31536000"
    cookie = cookie_to_set(request) if request.method == "GET" else None
    return own if cookie is None else {**own, "Set-Cookie": cookie}


def _about(request: Request) -> dict[str, str]:
    return {"method": request.method, "path": request.url.path[:200], "request_id": request.state.request_id}


def _request_id(headers: Headers) -> str:
    told = headers.get("x-request-id", "")
    return told if _REQUEST_ID.match(told) else secrets.token_urlsafe(12)
