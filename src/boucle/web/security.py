"""Who may do what, and which headers each answer carries. Nothing is allowed that is not declared.

Every route belongs to one of three classes: ``PublicRoute`` (health and static files), ``PageRoute`` (open on
loopback; HTTP Basic, any user, the token as password, when open to the network) and ``TokenRoute`` (Bearer token,
always). A route of no class cannot be made. The check runs before a byte of the body is read.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from boucle.core.errors import NotAllowed, shown
from boucle.core.i18n import _
from boucle.web.plane import ControlPlane

Permission = Literal["public", "page", "token"]
_HOST = re.compile(r"(?:\[(?P<ip6>[0-9a-f:.]+)\]|(?P<name>[a-z0-9._-]+))(?::\d{1,5})?\Z")
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
ANSWER_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class GuardedRoute(APIRoute):
    """A route that knows who may use it. Subclasses declare ``permission``; without one, no route."""

    permission: ClassVar[Permission | None] = None

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        if self.permission is None:
            raise TypeError(f"route {path} declares no permission: use a router of a class of boucle.web.security")
        super().__init__(path, endpoint, **options)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer when the caller may, else raise NotAllowed before the body is read."""
        if self.permission != "public":
            authorise(scope["app"].state.plane, self.permission == "page", Headers(scope=scope))
        await super().handle(scope, receive, send)


class PublicRoute(GuardedRoute):
    """Anybody who reaches the port: health and static files only."""

    permission = "public"


class PageRoute(GuardedRoute):
    """People with a browser."""

    permission = "page"


class TokenRoute(GuardedRoute):
    """Holders of the token."""

    permission = "token"


def authorise(plane: ControlPlane, is_page: bool, headers: Headers) -> None:
    """Raise NotAllowed (``unauthenticated``) unless the headers hold the token, or a page may do without."""
    if is_page and not plane.is_open_to_network:
        return
    scheme, _space, credentials = headers.get("authorization", "").partition(" ")
    secret: bytes | None = None
    if scheme.lower() == "bearer":
        secret = credentials.strip().encode("utf-8", "surrogateescape")
    elif scheme.lower() == "basic" and is_page:
        secret = _basic_password(credentials)
    if secret is not None and plane.token and hmac.compare_digest(secret, plane.token.encode()):
        return
    raise NotAllowed("unauthenticated", _refusal(is_page, has_tried=secret is not None))


def check_host(plane: ControlPlane, headers: Headers) -> None:
    """Raise NotAllowed unless the one Host header is a loopback name or an allowed one (DNS rebinding)."""
    told = headers.getlist("host")
    name = _host_name(told[0]) if len(told) == 1 else ""
    if name in LOOPBACK or name in {allowed.lower() for allowed in plane.allowed_hosts}:
        return
    raise NotAllowed(
        "unknown-host",
        _("Host {host} is not served here. Add its name to BOUCLE_ALLOWED_HOSTS.").format(host=shown(", ".join(told))),
    )


def check_origin(method: str, headers: Headers) -> None:
    """Raise NotAllowed when another site's page makes the browser change something here (CSRF).

    Programs send neither header and pass: they show the token instead.
    """
    if method in SAFE_METHODS:
        return
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    is_same = site in (None, "same-origin", "none")
    if origin is not None:
        is_same = is_same and _netloc(origin) == headers.get("host", "").lower()
    if not is_same:
        raise NotAllowed(
            "cross-site",
            _("This request comes from another site's page ({origin}). Send it from here, or from a program.").format(
                origin=shown(origin or site or "")
            ),
        )


def _netloc(origin: str) -> str:
    """Return host and port of an Origin header, empty when it has none (``null``)."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def with_answer_headers(send: Send, extra: Callable[[], dict[str, str]]) -> Callable[[Any], Awaitable[None]]:
    """Return a ``send`` that adds the security headers and ``extra`` to the start of the answer.

    What the answer says itself about caching stays; otherwise it is not stored.
    """

    async def guarded_send(message: Any) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            told = {name.lower() for name, _value in headers}
            for name, value in {**ANSWER_HEADERS, "Cache-Control": "no-store", **extra()}.items():
                if name.lower().encode() not in told:
                    headers.append((name.lower().encode("latin-1"), value.encode("latin-1")))
            message = {**message, "headers": headers}
        await send(message)

    return guarded_send


def _host_name(host: str) -> str:
    match = _HOST.match(host.lower())
    return "" if match is None else (match["ip6"] or match["name"]).rstrip(".")


def _basic_password(credentials: str) -> bytes | None:
    try:
        decoded = base64.b64decode(credentials.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    return decoded.partition(b":")[2]


def _refusal(is_page: bool, has_tried: bool) -> str:
    if is_page:
        return _(
            "Sign in with any user name and the platform's token as password; it is in the file `token` of its home."
        )
    if has_tried:
        return _("The token is wrong. The right one is in the file `token` of the platform's home (BOUCLE_HOME).")
    return _(
        "A token is needed: Authorization: Bearer …. It is in the file `token` of the platform's home (BOUCLE_HOME)."
    )
