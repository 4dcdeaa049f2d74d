"""ModelHost: one process per gateway machine that makes environments and owns the models' worker processes.

It listens on a Unix socket that only its user can open. A version is held as long as a connection that asked for it
is open, and a minute longer: a gateway that restarts finds its models warm.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from boucle.core.document import from_json
from boucle.core.errors import BoucleError, InvalidRequest
from boucle.core.i18n import _
from boucle.core.routes import RoutedVersion
from boucle.serving.host_frames import NotLoaded, read_frame, told
from boucle.serving.worker_slot import HostOptions, HostWorld, WorkerSlot
from boucle_worker.frames import Columns, FrameError, pack

__all__ = ["HostOptions", "HostWorld", "ModelHost"]
log = logging.getLogger("boucle.host")
_BACKLOG = 128
Frame = tuple[dict[str, Any], Columns]
Connection = object


class ModelHost:
    """Answers load, predict, ping, unload and status. ``grace_s``: how long a version that nobody holds is kept."""

    def __init__(self, world: HostWorld, options: HostOptions, grace_s: float = 60.0) -> None:
        self.slots: dict[str, WorkerSlot] = {}
        self._world = world
        self._options = options
        self._grace_s = grace_s
        self._holders: dict[str, set[Connection]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._ops: dict[str, Callable[[dict[str, Any], Columns, Connection], Awaitable[Frame]]] = {
            "load": self._load,
            "predict": self._predict,
            "ping": self._ping,
            "unload": self._unload,
            "status": self._status,
        }

    async def serve(self, socket_path: Path) -> None:
        """Answer on a socket until cancelled; then end every process."""
        listener = _listener(socket_path)
        server = await asyncio.start_unix_server(self._connected, sock=listener)
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            server.close()
            await self.close()

    async def close(self) -> None:
        """End every connection, and every process after the calls under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(slot.close() for slot in self.slots.values()), return_exceptions=True)
        self.slots.clear()

    async def answer(self, header: dict[str, Any], columns: Columns, connection: Connection) -> Frame:
        """Return the answer to one frame; errors are told, never raised."""
        try:
            op = self._ops.get(str(header.get("op")))
            if op is None:
                raise InvalidRequest("unknown-op", _("Ops: {ops}").format(ops=", ".join(self._ops)))
            return await op(header, columns, connection)
        except BoucleError as error:
            return told(error), {}
        except Exception as error:
            log.exception("unexpected", extra={"op": header.get("op")})
            return told(error), {}

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = object()
        self._keep(asyncio.current_task())
        try:
            while True:
                header, columns = await read_frame(reader)
                writer.write(pack(*await self.answer(header, columns, connection)))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        except FrameError as error:
            log.warning("not a frame", extra={"cause": str(error)})
        finally:
            self._left(connection)
            writer.close()

    async def _load(self, header: dict[str, Any], columns: Columns, connection: Connection) -> Frame:
        del columns
        key = str(header["key"])
        slot = self.slots.get(key)
        if slot is None:
            version = from_json(RoutedVersion, header["version"])
            slot = self.slots[key] = WorkerSlot(key, version, self._world, self._options)
        self._holders.setdefault(key, set()).add(connection)
        try:
            await slot.load()
        except BaseException:
            if not slot.is_ready:
                await self._drop(key, slot)
            raise
        return {"ok": True, "pid": slot.pid}, {}

    async def _predict(self, header: dict[str, Any], columns: Columns, connection: Connection) -> Frame:
        slot = self._held(header, connection)
        timeout_s = float(header.get("timeout_s", self._options.predict_timeout_s))
        return {"ok": True}, await slot.predict(columns, timeout_s)

    async def _ping(self, header: dict[str, Any], columns: Columns, connection: Connection) -> Frame:
        del columns
        await self._held(header, connection).ping()
        return {"ok": True}, {}

    async def _unload(self, header: dict[str, Any], columns: Columns, connection: Connection) -> Frame:
        del columns
        key = str(header["key"])
        holders = self._holders.get(key, set())
        holders.discard(connection)
        if not holders and key in self.slots:
            await self._drop(key, self.slots[key])
        return {"ok": True}, {}

    async def _status(self, header: dict[str, Any], columns: Columns, connection: Connection) -> Frame:
        del header, columns, connection
        workers = [
            {"key": key, "pid": slot.pid, "is_ready": slot.is_ready, "deaths": len(slot.deaths)}
            for key, slot in self.slots.items()
        ]
        return {"ok": True, "workers": workers}, {}

    def _held(self, header: dict[str, Any], connection: Connection) -> WorkerSlot:
        key = str(header["key"])
        slot = self.slots.get(key)
        if slot is None:
            raise NotLoaded(_("The model host does not hold {key}.").format(key=key[:80]))
        self._holders.setdefault(key, set()).add(connection)
        return slot

    def _left(self, connection: Connection) -> None:
        """Let go what only this connection held, after a while."""
        for key, holders in self._holders.items():
            if connection in holders:
                holders.discard(connection)
                if not holders:
                    self._keep(asyncio.get_running_loop().create_task(self._dropped_later(key)))

    async def _dropped_later(self, key: str) -> None:
        await asyncio.sleep(self._grace_s)
        slot = self.slots.get(key)
        if slot is not None and not self._holders.get(key):
            log.info("nobody holds it any more", extra={"key": key})
            await self._drop(key, slot)

    async def _drop(self, key: str, slot: WorkerSlot) -> None:
        if self.slots.get(key) is slot:
            del self.slots[key]
            self._holders.pop(key, None)
        await slot.close()

    def _keep(self, task: asyncio.Task[Any] | None) -> None:
        """Hold a task until it is done, so that closing can end it."""
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


def _listener(path: Path) -> socket.socket:
    """Return a listening socket at a path that only this user may open; one left by a dead host is replaced."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    listener.listen(_BACKLOG)
    return listener


async def serve(host: ModelHost, socket_path: Path, stopping: asyncio.Event) -> None:
    """Run a host until ``stopping`` is set."""
    serving = asyncio.create_task(host.serve(socket_path))
    waiting = asyncio.create_task(stopping.wait())
    await asyncio.wait([serving, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not serving.done():
        serving.cancel()
    with suppress(asyncio.CancelledError):
        await serving
