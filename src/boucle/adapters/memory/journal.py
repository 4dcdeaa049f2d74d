"""A journal in memory, for tests of the gateway: it keeps what was appended and can be told to be full."""

from __future__ import annotations

from collections.abc import Sequence
from errno import ENOSPC

from boucle.core.record import InferenceRecord
from boucle.core.segment import records


class MemoryJournal:
    """Keeps the bytes of all records. While ``is_full``, each append raises OSError as a full disk does."""

    is_each_synced = False

    def __init__(self) -> None:
        self.data = b""
        self.is_full = False
        self.is_closed = False
        self.n_synced_bytes = 0

    @property
    def records(self) -> list[InferenceRecord]:
        """What was appended, in order."""
        return records(self.data, 0)[0]

    def append(self, buffers: Sequence[bytes]) -> int:
        """Keep one record; returns its bytes. Raises OSError while it is full or after it was closed."""
        if self.is_full or self.is_closed:
            raise OSError(ENOSPC, "No space left on device")
        frame = b"".join(buffers)
        self.data += frame
        return len(frame)

    def sync(self) -> None:
        """Remember how much was asked to be on the disk."""
        self.n_synced_bytes = len(self.data)

    def close(self) -> None:
        """Take no more."""
        self.is_closed = True
