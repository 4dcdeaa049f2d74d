"""A client that asks an ASGI application in this process: no port, no thread of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any, cast

import httpx


class _Streamed(httpx.AsyncByteStream):
    def __init__(self, parts: Iterable[bytes]) -> None:
        self._parts = parts

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self._parts:
            yield part


class InProcess(httpx.BaseTransport):
    """Gives each request an event loop of its own; bodies are streamed as they are."""

    def __init__(self, app: Any) -> None:
        self._inner = httpx.ASGITransport(app)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return the whole answer."""
        return asyncio.run(self._asked(request))

    async def _asked(self, request: httpx.Request) -> httpx.Response:
        body = _Streamed(cast("Iterable[bytes]", request.stream))
        asked = httpx.Request(request.method, request.url, headers=request.headers, stream=body)
        answer = await self._inner.handle_async_request(asked)
        return httpx.Response(answer.status_code, headers=answer.headers, content=await answer.aread())


def client(app: Any, **headers: str) -> httpx.Client:
    """Return a client of an application, known to itself as ``testserver``."""
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Client(transport=InProcess(app), base_url="http://testserver", headers=told)
