"""How our HTTP processes run: uvicorn on the listening socket that the supervisor hands down."""

from __future__ import annotations

import socket
import sys
from typing import Any

import uvicorn

from boucle.bootstrap.supervisor import listen
from boucle.settings import Settings


def listener(settings: Settings, port: int) -> socket.socket:
    """Return the socket whose descriptor the supervisor gave as argument, else one of our own."""
    if len(sys.argv) > 1:
        return socket.socket(fileno=int(sys.argv[1]))
    return listen(settings.host, port)


def serve(app: Any, on: socket.socket, **options: Any) -> None:
    """Serve an ASGI application until SIGTERM; requests under way are finished first (10 s)."""
    config = uvicorn.Config(
        app,
        loop="uvloop",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=10,
        **{"http": "httptools", **options},
    )
    uvicorn.Server(config).run(sockets=[on])
