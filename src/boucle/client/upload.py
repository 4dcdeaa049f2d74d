"""Bytes to the artifact store: by digest, in pieces, going on after a cut where the store left off."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Callable, Optional

import httpx

from boucle.client.problems import error_of
from boucle.client.wire import Wire, json_of
from boucle.core.errors import CorruptArtifact, Unavailable
from boucle.core.i18n import _

CHUNK_BYTES = 4 * 1024 * 1024
MAX_FAILURES = 6
_WAIT_S = 0.2


@dataclass
class Upload:
    """One upload of many artifacts. ``progress`` hears the bytes that are there and the total."""

    wire: Wire
    progress: Callable[[int, int], None]
    sleep: Callable[[float], None] = time.sleep
    failures: int = field(default=0, init=False)

    def send_all(self, blobs: Mapping[str, bytes]) -> None:
        """Send what the store lacks. Sent twice, the second time nothing travels.

        Raises Unavailable when the store cannot be reached again and again, CorruptArtifact when it keeps reading
        other bytes than those sent.
        """
        total, done = sum(map(len, blobs.values())), 0
        for digest, data in blobs.items():
            self._send(digest, data, lambda sent, before=done: self.progress(before + sent, total))  # type: ignore[misc]
            done += len(data)
            self.progress(done, total)

    def _send(self, digest: str, data: bytes, progress: Callable[[int], None]) -> None:
        self.failures = 0
        offset: Optional[int] = self._received(digest)
        while offset is not None:
            try:
                offset = self._piece(digest, data, offset)
            except httpx.TransportError as error:
                self._wait(self.wire.unreachable(error))
                offset = self._received(digest)
            progress(len(data) if offset is None else offset)

    def _received(self, digest: str) -> Optional[int]:
        """Return how many bytes the store holds; None when it holds them all."""
        while True:
            try:
                response = self.wire.http.head(f"/api/v1/artifacts/{digest}")
            except httpx.TransportError as error:
                self._wait(self.wire.unreachable(error))
                continue
            if response.is_success:
                return None
            if response.status_code == httpx.codes.NOT_FOUND:
                return int(response.headers.get("Upload-Offset", "0"))
            self._retry(response)

    def _piece(self, digest: str, data: bytes, offset: int) -> Optional[int]:
        """Send one piece from ``offset``; return the next offset, None when all is there."""
        response = self.wire.http.put(
            f"/api/v1/artifacts/{digest}",
            content=data[offset : offset + CHUNK_BYTES],
            headers={
                "Content-Type": "application/octet-stream",
                "Upload-Offset": str(offset),
                "Upload-Length": str(len(data)),
            },
        )
        if response.status_code in (httpx.codes.OK, httpx.codes.CREATED):
            return None
        if response.status_code == httpx.codes.ACCEPTED:
            return int((json_of(response) or {})["offset"])
        if response.status_code == httpx.codes.CONFLICT and "Upload-Offset" in response.headers:
            self._count(error_of(response))
            return int(response.headers["Upload-Offset"])
        self._retry(response)
        return self._received(digest)

    def _retry(self, response: httpx.Response) -> None:
        """Wait before another try, or raise what the answer tells when another try is no use."""
        error = error_of(response)
        if isinstance(error, CorruptArtifact):
            self._count(error)
        elif response.status_code in (429, 503) or isinstance(error, Unavailable):
            self._wait(error)
        else:
            raise error

    def _wait(self, error: Exception) -> None:
        self._count(error)
        self.sleep(_WAIT_S * 2 ** (self.failures - 1))

    def _count(self, error: Exception) -> None:
        self.failures += 1
        if self.failures >= MAX_FAILURES:
            if isinstance(error, CorruptArtifact):
                raise error
            raise Unavailable(
                _("The upload was cut {n} times: {cause} What arrived is kept; deploy again to go on.").format(
                    n=self.failures, cause=error
                )
            ) from error
