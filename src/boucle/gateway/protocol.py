"""uvicorn's HTTP protocol with deadlines: for headers, body, and callers who do not read their answer.

uvicorn alone holds a connection that drips its headers for ever. Here one sweep a second looks at all connections,
so that a request costs one clock reading and no timer.

Two ASGI extensions spare the hot path what it does not need; without them the application does as well, slower:

* ``boucle.under_way``: the requests that this server has begun, so that a lone one is answered without a queue;
* ``boucle.answer``: sends a whole answer in one write, headers unchecked (they are the gateway's own).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any, ClassVar
from weakref import WeakSet

import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

Headers = list[tuple[bytes, bytes]]
_SWEEP_S = 1.0
_sweeping: WeakSet[ServerState] = WeakSet()


@dataclass(frozen=True)
class ReceiptLimits:
    """Seconds for the headers of a request, for its body, for a caller to go on reading, and idle between requests.

    ``linger_s`` is how long a body that is refused already is still read, so that its sender sees the answer.
    """

    headers_s: float = 10.0
    body_s: float = 30.0
    reading_s: float = 30.0
    idle_s: float = 60.0
    linger_s: float = 2.0
    max_header_bytes: int = 64 * 1024
    max_connections: int = 4096


class ReceiptProtocol(HttpToolsProtocol):
    """For uvicorn's ``http`` option. Subclass it to set other ``limits``."""

    limits: ClassVar[ReceiptLimits] = ReceiptLimits()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Start the clock of the first headers, or turn the caller away when there are too many."""
        super().connection_made(transport)
        self._is_in_headers = True
        self._header_bytes = 0
        self._deadline: float | None = self.loop.time() + self.limits.headers_s
        if len(self.connections) > self.limits.max_connections:
            self._refuse(503, "unavailable", "Too many connections. Try again later.")
        elif self.server_state not in _sweeping:
            _sweeping.add(self.server_state)
            self.loop.call_later(_SWEEP_S, _sweep, self.server_state, self.loop)

    def data_received(self, data: bytes) -> None:
        """Take bytes; headers that never end are refused when they are too long."""
        super().data_received(data)
        if self._is_in_headers:
            self._header_bytes += len(data)
            if self._header_bytes > self.limits.max_header_bytes:
                self._refuse(431, "headers-too-large", "The headers are too large.")

    def on_message_begin(self) -> None:
        """Start the clock of the headers."""
        super().on_message_begin()
        self._is_in_headers = True
        self._header_bytes = 0
        self._deadline = self.loop.time() + self.limits.headers_s

    def on_headers_complete(self) -> None:
        """Start the clock of the body."""
        self._is_in_headers = False
        self._deadline = self.loop.time() + self.limits.body_s
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Stop the clock: the rest is the application's time."""
        self._deadline = None
        super().on_message_complete()
        if self.cycle.response_complete:
            self._deadline = self.loop.time() + self.limits.idle_s

    def on_response_complete(self) -> None:
        """Start the clock of idleness, or that of lingering when the body is still coming.

        In place of uvicorn's own, which makes a timer for each request.
        """
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            patience_s = self.limits.linger_s if self.cycle.more_body else self.limits.idle_s
            self._deadline = self.loop.time() + patience_s

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        extensions: Any = {"boucle.under_way": self.tasks, "boucle.answer": partial(_answer, cycle)}
        cycle.scope["extensions"] = extensions
        super()._start_asgi_task(cycle, app)

    def pause_writing(self) -> None:
        """Start the clock of a caller who does not read."""
        self._deadline = self.loop.time() + self.limits.reading_s
        super().pause_writing()

    def resume_writing(self) -> None:
        """Stop the clock of a caller who does not read."""
        is_idle = getattr(self.cycle, "response_complete", True)
        self._deadline = self.loop.time() + self.limits.idle_s if is_idle else None
        super().resume_writing()

    def check_deadline(self, now: float) -> None:
        """Drop the connection when its deadline has passed."""
        if self._deadline is None or now < self._deadline or self.transport.is_closing():
            return
        if self._is_in_headers and self._header_bytes:
            self._refuse(408, "request-timeout", "The headers took too long.")
        else:
            self.transport.abort()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP with a problem."""
        self._refuse(400, "malformed-http", msg)

    def _refuse(self, status: int, code: str, detail: str) -> None:
        if self.transport.is_closing():
            return
        phrase = HTTPStatus(status).phrase
        told: dict[str, Any] = {
            "type": f"urn:boucle:problem:{code}",
            "title": phrase,
            "status": status,
            "detail": detail,
        }
        body = orjson.dumps(told)
        self.transport.write(
            b"HTTP/1.1 %d %s\r\ncontent-type: application/problem+json\r\ncontent-length: %d\r\n"
            b"connection: close\r\n\r\n%s" % (status, phrase.encode("ascii"), len(body), body)
        )
        self.transport.close()


def _answer(cycle: RequestResponseCycle, status: int, content: bytes, headers: Headers) -> bool:
    """Send a whole answer in one write; return False, having sent nothing, when it must go uvicorn's own way."""
    if cycle.response_started or cycle.disconnected or cycle.flow.write_paused or cycle.scope["method"] == "HEAD":
        return False
    parts = [STATUS_LINE[status]]
    for name, value in (*cycle.default_headers, *headers):
        parts += (name, b": ", value, b"\r\n")
    parts.append(b"content-length: %d\r\n" % len(content))
    parts.append(b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n")
    parts.append(content)
    cycle.transport.write(b"".join(parts))
    cycle.response_started = cycle.response_complete = True
    cycle.waiting_for_100_continue = False
    cycle.message_event.set()
    if not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()
    return True


def _sweep(state: ServerState, loop: asyncio.AbstractEventLoop) -> None:
    now = loop.time()
    for connection in list(state.connections):
        if isinstance(connection, ReceiptProtocol):
            connection.check_deadline(now)
    if state.connections:
        loop.call_later(_SWEEP_S, _sweep, state, loop)
    else:
        _sweeping.discard(state)
