"""Listening sockets."""

from __future__ import annotations

import socket

from boucle.core.errors import Conflict
from boucle.core.i18n import _


def listen(host: str, port: int) -> socket.socket:
    """Return a listening TCP socket. Raises Conflict when the address is taken, naming the cure."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise Conflict(
            _(
                "Address {host}:{port} cannot be used: {cause}. "
                "Choose others with --port and --gateway-port (0 means any free one)."
            ).format(host=host, port=port, cause=error.strerror)
        ) from error
    listener.listen(2048)
    return listener


def reachable(host: str) -> str:
    """Return the address under which this machine reaches a listening address."""
    if host in ("0.0.0.0", "::"):  # noqa: S104  # compared, not bound
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host
