"""The control plane on a real port, for what cannot be seen in one process: waiting, breaking off, browsers."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvicorn

from boucle.web.app import create_app
from boucle.web.plane import ControlPlane
from web.made_up import TOKEN


@contextmanager
def serving(plane: ControlPlane) -> Iterator[httpx.Client]:
    """Serve a control plane on a free port, to a client with the token."""
    server = uvicorn.Server(uvicorn.Config(create_app(plane), port=0, log_config=None, ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    headers = {"Authorization": f"Bearer {TOKEN}"}
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, trust_env=False) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()
