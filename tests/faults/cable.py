"""A cable between two processes of this machine, that can be pulled out and put back."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit


class Cable:
    """Carries connections made to ``address`` on to a URL. Pulled out, it takes none and breaks those it has."""

    def __init__(self, url: str) -> None:
        there = urlsplit(url)
        self._there = there.hostname or "", there.port or 80
        self._ends: list[socket.socket] = []
        self._guard = threading.Lock()
        self._listener = self._listening(0)
        self._port = int(self._listener.getsockname()[1])
        self.address = f"http://127.0.0.1:{self._port}"

    @contextmanager
    def pulled_out(self) -> Iterator[None]:
        """Let nobody through for the length of a block."""
        self.close()
        yield
        self._listener = self._listening(self._port)

    def close(self) -> None:
        """Break all connections and take no more."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._guard:
            ends, self._ends = self._ends, []
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _listening(self, port: int) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        return listener

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):  # it was closed
            while True:
                near = listener.accept()[0]
                try:
                    far = socket.create_connection(self._there)
                except OSError:
                    near.close()
                    continue
                with self._guard:
                    self._ends += [near, far]
                threading.Thread(target=_carry_both, args=(near, far), daemon=True).start()


def _carry_both(near: socket.socket, far: socket.socket) -> None:
    back = threading.Thread(target=_carry, args=(far, near), daemon=True)
    back.start()
    _carry(near, far)
    back.join()
    near.close()
    far.close()


def _carry(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
