"""Reading a request (the headers that matter, its id, its body up to a limit) and sending what answers it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from boucle.core.errors import InvalidRequest, TooLarge, Unavailable, shown
from boucle.core.i18n import _, supported
from boucle.core.ids import uuid7
from boucle.core.version import CHAMPION
from boucle.serving.decode import unzipped
from boucle.serving.limits import Limits

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = dict[bytes, bytes]
_READ = frozenset(
    b"host origin sec-fetch-site authorization content-type content-length content-encoding accept accept-language"
    b" x-request-id x-boucle-time x-boucle-caller".split()
)
_NO_EXTENSIONS: dict[str, Any] = {}
_REQUEST_ID = re.compile(rb"[A-Za-z0-9_-]{1,64}\Z")
_CALLER = re.compile(rb"[A-Za-z0-9_.@-]{1,64}\Z")
_LATEST_US, _OLDEST_US = 5 * 60 * 1_000_000, 3_653 * 86_400 * 1_000_000
_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


class MethodNotAllowed(InvalidRequest):
    """The path is served, but not with this method; ``allow`` names those that are."""

    def __init__(self, method: str, allow: str) -> None:
        self.allow = allow
        super().__init__(
            "method-not-allowed", _("{method} is not served here; use {allow}.").format(method=method[:20], allow=allow)
        )


class ClientGone(Exception):
    """The caller left before its request was whole."""


def headers_of(raw: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Return the headers that the gateway reads; all others are never looked at."""
    return {name: value for name, value in raw if name in _READ}


def request_id(headers: Headers) -> str:
    """Return the caller's id of the request when it is a plain one, else a new id."""
    given = headers.get(b"x-request-id")
    return given.decode("ascii") if given is not None and _REQUEST_ID.match(given) else uuid7()


def caller_of(headers: Headers) -> str:
    """Return who asks, as the caller says: header X-Boucle-Caller; "" for none and for one that is not plain."""
    given = headers.get(b"x-boucle-caller")
    return given.decode("ascii") if given is not None and _CALLER.match(given) else ""


def event_time(given: bytes, now: int) -> int:
    """Return the UTC microseconds of a header X-Boucle-Time: ISO 8601 with its offset, or the number itself.

    Raises InvalidRequest (``invalid-time``) for anything else, more than 5 minutes after ``now``, or 10 years before.

    >>> event_time(b"1970-01-01T01:00:00.000001+01:00", 0)
    1
    """
    try:
        text = given.decode("ascii").strip()
        at = int(text) if text.isdigit() and len(text) < 20 else _microseconds(text)
    except (ValueError, OverflowError):
        raise InvalidRequest(
            "invalid-time",
            _("X-Boucle-Time is {found}. Send ISO 8601 with Z or an offset, or UTC microseconds.").format(
                found=shown(given.decode("latin-1"))
            ),
        ) from None
    if not now - _OLDEST_US <= at <= now + _LATEST_US:
        raise InvalidRequest(
            "invalid-time",
            _("X-Boucle-Time {found} is more than 5 minutes ahead of this clock or older than 10 years.").format(
                found=shown(text)
            ),
        )
    return at


def _microseconds(text: str) -> int:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return (moment - _EPOCH) // _MICROSECOND


@lru_cache(maxsize=256)
def language_of(accept_language: bytes) -> str:
    """Return the language to speak."""
    return supported(accept_language.decode("latin-1")[:200])


def require_method(scope: Scope, *allowed: str) -> None:
    """Raise MethodNotAllowed unless the request has one of these methods."""
    if scope["method"] not in allowed:
        raise MethodNotAllowed(scope["method"], ", ".join(allowed))


def alias_of(scope: Scope) -> str:
    """Return the alias that a request asks for: ``?alias=challenger``; champion by default."""
    if not scope["query_string"]:
        return CHAMPION
    try:
        asked = parse_qs(scope["query_string"].decode("ascii"), strict_parsing=True, max_num_fields=10)
    except ValueError:
        raise InvalidRequest("invalid-query", _("The query cannot be read. It may be: ?alias=challenger")) from None
    unknown = next((name for name in asked if name != "alias"), None)
    if unknown is not None:  # ignored, it would be answered by another version than its sender thinks
        text = _("The query {name} means nothing here. It may be: ?alias=challenger").format(name=shown(unknown))
        raise InvalidRequest("invalid-query", text)
    return str(asked.get("alias", [CHAMPION])[-1])


class Exchange(NamedTuple):
    """One request and the way back to its caller."""

    scope: Scope
    headers: Headers
    receive: Receive
    send: Send

    def is_alone(self) -> bool:
        """True when the server knows that no other request is under way."""
        under_way = self.scope.get("extensions", _NO_EXTENSIONS).get("boucle.under_way", ())
        return len(under_way) == 1

    async def respond(self, status: int, content: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        """Send a whole answer."""
        answer = self.scope.get("extensions", _NO_EXTENSIONS).get("boucle.answer")
        if answer is not None and answer(status, content, headers):
            return
        told = [(b"content-length", b"%d" % len(content)), *headers]
        await self.send({"type": "http.response.start", "status": status, "headers": told})
        await self.send({"type": "http.response.body", "body": content})


class Budget:
    """The bytes of large bodies that this process may hold at once, so that many callers cannot fill its memory."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.held_bytes = 0

    def take(self, size_bytes: int) -> None:
        """Hold more. Raises Unavailable beyond the limit."""
        if self.held_bytes + size_bytes > self.limit_bytes:
            raise Unavailable(_("The gateway holds as many large requests as it can. Try again in a moment."))
        self.held_bytes += size_bytes


class Holding:
    """What one request holds of the budget, given back at the end of a ``with`` block."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._size_bytes = 0

    def __enter__(self) -> Holding:
        return self

    def __exit__(self, *exception: object) -> None:
        self._budget.held_bytes -= self._size_bytes

    def add(self, size_bytes: int) -> None:
        """Hold more. Raises Unavailable beyond the limit."""
        self._budget.take(size_bytes)
        self._size_bytes += size_bytes


async def body_of(exchange: Exchange, limits: Limits, holding: Holding) -> bytes:
    """Return the body, unpacked. What is announced or grows beyond the limit is refused before it is read whole.

    Raises TooLarge, InvalidRequest for a coding that is not read, Unavailable beyond the budget, ClientGone.
    """
    headers = exchange.headers
    coding = headers.get(b"content-encoding", b"identity").lower()
    if coding not in (b"identity", b"gzip"):
        raise InvalidRequest(
            "unsupported-encoding", _("This Content-Encoding is not read. Send the body plain or as gzip.")
        )
    announced = headers.get(b"content-length", b"0")
    if announced.isdigit() and int(announced[:20]) > limits.max_body_bytes:
        raise TooLarge(_("bytes of the body"), int(announced[:20]), limits.max_body_bytes)
    body = await _whole(exchange.receive, limits, holding)
    if coding == b"identity":
        return body
    body = unzipped(body, limits)
    holding.add(len(body))
    return body


async def _whole(receive: Receive, limits: Limits, holding: Holding) -> bytes:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        return body
    parts, size = [body], len(body)
    holding.add(size)
    while message.get("more_body", False):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limits.max_body_bytes:
            raise TooLarge(_("bytes of the body"), size, limits.max_body_bytes)
        holding.add(len(parts[-1]))
    return b"".join(parts)
