"""The gateway's end of the model host's socket: one hosted version that answers rows."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from pathlib import Path
from typing import Any

from boucle.core.document import digest_of, to_json
from boucle.core.errors import BoucleError, ModelFailed, TooSlow, Unavailable
from boucle.core.i18n import _
from boucle.core.routes import RoutedVersion
from boucle.serving.host_frames import NotLoaded, error_from, read_frame
from boucle_worker.frames import Columns, FrameError, pack

log = logging.getLogger("boucle.gateway")
_LOAD_TIMEOUT_S = 900.0  # an environment may have to be made first
_SLACK_S = 5.0  # the host's own deadline comes first
_RECONNECT_S, _RECONNECT_POLL_S = 2.0, 0.02
_ANSWER_KINDS = {
    "prediction": ("bool", "int", "float", "text", "datetime"),
    "probabilities": ("matrix",),
    "intervals": ("matrix",),
}


class _Lost(Unavailable):
    """The host closed the connection or is not there."""


class _Line:
    """One connection to the host: a frame out, a frame in. Opened when first used."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    @property
    def is_open(self) -> bool:
        """True while there is a connection, as far as we know."""
        return self._writer is not None

    async def exchange(self, header: dict[str, Any], columns: Columns, timeout_s: float) -> Columns:
        """Send a frame, return the columns of the answer. Raises the error that it tells, or _Lost."""
        try:
            async with asyncio.timeout(timeout_s):
                reader, writer = await self._opened()
                writer.write(pack(header, columns))
                await writer.drain()
                answer, found = await read_frame(reader)
        except TimeoutError:
            self.close()
            raise TooSlow(_("The model host"), timeout_s) from None
        except (OSError, asyncio.IncompleteReadError, FrameError) as error:
            self.close()
            raise _Lost(_("The model host cannot be reached; it is started again soon.")) from error
        except asyncio.CancelledError:
            self.close()  # an answer that nobody read must not be taken for the next one
            raise
        if answer.get("ok") is not True:
            raise error_from(answer.get("error", {}))
        return found

    def close(self) -> None:
        """Close the connection; the next exchange opens another."""
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None

    async def closed(self) -> None:
        """Close the connection, and return when it is."""
        writer = self._writer
        self.close()
        if writer is not None:
            with suppress(OSError):
                await writer.wait_closed()

    async def _opened(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Return the connection, waiting a moment for a host that is being started again."""
        deadline = asyncio.get_running_loop().time() + _RECONNECT_S
        while self._reader is None or self._writer is None:
            try:
                self._reader, self._writer = await asyncio.open_unix_connection(self._path)
            except OSError:
                if asyncio.get_running_loop().time() > deadline:
                    raise
                await asyncio.sleep(_RECONNECT_POLL_S)
        return self._reader, self._writer


class HostedVersion:
    """One version behind a model host. Its connection is what keeps the version loaded there.

    When the host was restarted, the next request loads the version again by itself.
    """

    def __init__(self, socket_path: Path, name: str, version: RoutedVersion) -> None:
        self.key = f"{name}/{version.number}/{digest_of(version)[:12]}"
        self._path = socket_path
        self._load_header = {"op": "load", "key": self.key, "version": to_json(version)}
        self._line = _Line(socket_path)
        self._turn = asyncio.Lock()

    async def load(self) -> None:
        """Have the host load the version. Raises BoucleError when it cannot."""
        async with self._turn:
            await self._line.exchange(self._load_header, {}, _LOAD_TIMEOUT_S)

    async def predict(self, columns: Columns, timeout_s: float) -> Columns:
        """Return the answers to some rows. Raises ModelFailed, TooSlow or Unavailable."""
        header = {"op": "predict", "key": self.key, "timeout_s": timeout_s}
        patience_s = 2 * timeout_s + _SLACK_S
        async with self._turn:
            try:
                answers = await self._line.exchange(header, columns, patience_s)
            except (NotLoaded, _Lost):
                await self._line.exchange(self._load_header, {}, patience_s)
                answers = await self._line.exchange(header, columns, patience_s)
        return checked(answers, len(next(iter(columns.values())).values))

    async def ping(self) -> None:
        """Return when the version answers; asked beside the requests under way. Raises BoucleError."""
        beside = _Line(self._path)
        try:
            await beside.exchange({"op": "ping", "key": self.key}, {}, 2 * _SLACK_S)
        except NotLoaded:
            await self.load()
        finally:
            await beside.closed()

    async def leave(self) -> None:
        """Close the connection; the host keeps the version for a minute."""
        await self._line.closed()

    async def unload(self) -> None:
        """Let the version go. Never raises: a host that is gone holds nothing."""
        try:
            async with self._turn:
                if self._line.is_open:  # else the host lets the version go by itself
                    await self._line.exchange({"op": "unload", "key": self.key}, {}, 2 * _SLACK_S)
        except BoucleError as error:
            log.info("unload", extra={"key": self.key, "cause": str(error)})
        finally:
            await self._line.closed()


def checked(answers: Columns, n_rows: int) -> Columns:
    """Return the answers of a worker, which is not trusted, when they have the form of answers.

    Raises ModelFailed for any other kind, name or number of rows.
    """
    for name, column in answers.items():
        if column.kind not in _ANSWER_KINDS.get(name, ()) or len(column.values) != n_rows:
            raise ModelFailed(_("The model's process gave an answer of the wrong form."), "protocol")
    if "prediction" not in answers:
        raise ModelFailed(_("The model's process gave no prediction."), "protocol")
    return answers
