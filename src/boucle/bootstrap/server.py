"""How our HTTP processes run: uvicorn on the listening socket that the supervisor hands down."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import uvicorn

from boucle.bootstrap.sockets import listen, reachable
from boucle.settings import Settings

__all__ = ["listener", "reachable", "serve"]


class _Server(uvicorn.Server):
    """Tells the application that it shall stop before waiting for the requests under way."""

    when_stopping: Callable[[], None] = staticmethod(lambda: None)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.when_stopping()
        super().handle_exit(sig, frame)


def listener(settings: Settings, port: int) -> socket.socket:
    """Return the socket whose descriptor the supervisor gave as argument, else one of our own."""
    if len(sys.argv) > 1:
        return socket.socket(fileno=int(sys.argv[1]))
    return listen(settings.host, port)


def serve(app: Any, on: socket.socket, when_stopping: Callable[[], None] = lambda: None, **options: Any) -> None:
    """Serve an ASGI application until SIGTERM; requests under way are finished first (10 s)."""
    config = uvicorn.Config(
        app,
        loop="uvloop",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,  # a caller cannot say who it is
        timeout_graceful_shutdown=10,
        **{"http": "httptools", **options},
    )
    server = _Server(config)
    server.when_stopping = when_stopping
    server.run(sockets=[on])
