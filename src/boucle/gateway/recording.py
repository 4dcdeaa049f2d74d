"""Writing down what is answered: each answer is in the journal before it is sent, or is counted as lost, out loud."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Executor
from time import monotonic, time_ns

from boucle.core.errors import Unavailable
from boucle.core.i18n import _
from boucle.core.record import InferenceRecord
from boucle.core.segment import pack
from boucle.serving.endpoint import Endpoint
from boucle.serving.ports import Journal

log = logging.getLogger("boucle.gateway")
_SAID_EVERY_S = 60.0


class LogFull(Unavailable):
    """What must be written down cannot be: it is not answered."""

    code = "log-full"


class Recorder:
    """The inference log of this gateway. Without a journal nothing is recorded.

    ``is_refusing`` decides what happens to an answer that cannot be written: refused, or sent all the same and
    counted. ``trouble`` says why the journal cannot be written now, "" when it can.
    """

    def __init__(self, journal: Journal | None, is_refusing: bool = False) -> None:
        self._journal = journal
        self._is_refusing = is_refusing
        self.is_on = journal is not None
        self.is_slow = journal is not None and journal.is_each_synced
        self.trouble = ""
        self.n_lost = 0
        self.n_bytes = 0
        self.feedback: Counter[str] = Counter()
        self._gaps: Counter[tuple[str, int]] = Counter()
        self._said_at = float("-inf")
        self._held: list[bytes] = []
        self._holders: list[Endpoint] = []

    def hold(self, endpoint: Endpoint, buffers: Sequence[bytes]) -> None:
        """Take an answer that the next ``flush`` writes. It must not be sent before."""
        self._held += buffers
        self._holders.append(endpoint)

    def flush(self) -> None:
        """Write all that is held in one write. Raises LogFull when it cannot be and must be: it holds for each."""
        held, holders = self._held, self._holders
        if not holders or self._journal is None:
            return
        self._held, self._holders = [], []
        try:
            self.n_bytes += self._journal.append(held if len(held) == 1 else (b"".join(held),))
        except OSError as error:
            self._lost(holders, error)
        else:
            if self.trouble:
                self._recovered()

    async def record_aside(self, endpoint: Endpoint, buffers: Sequence[bytes], executor: Executor) -> None:
        """Write a large answer in a thread. Raises LogFull when it cannot be written and must be."""
        if self._journal is None:
            return
        try:
            loop = asyncio.get_running_loop()
            self.n_bytes += await loop.run_in_executor(executor, self._journal.append, buffers)
        except OSError as error:
            self._lost([endpoint], error)
        else:
            if self.trouble:
                self._recovered()

    def refused(self, endpoint: Endpoint, status: int, seconds: float, caller: str) -> None:
        """Write that a request to a version was not answered; never raises."""
        now = time_ns() // 1000
        name, number = endpoint.name, endpoint.version.number
        latency_us = int(seconds * 1e6)
        self._note(InferenceRecord("refusal", name, number, "", now, now, latency_us, status, caller=caller))

    def keep(self, truth: InferenceRecord) -> None:
        """Write ground truth; the disk has it when this returns. Call it in a thread. Raises LogFull."""
        if self._journal is None:
            raise LogFull(_("This gateway keeps no inference log, so it cannot keep ground truth."))
        try:
            self.n_bytes += self._journal.append(pack(truth))
            self._journal.sync()
        except OSError as error:
            raise _full(error) from error

    def close(self) -> None:
        """Write what is known to be missing, and end the journal."""
        if self._journal is not None:
            self._write_gaps()
            self._journal.close()

    def _lost(self, endpoints: Sequence[Endpoint], error: OSError) -> None:
        self._say(error)
        if self._is_refusing:
            raise _full(error) from error
        self.n_lost += len(endpoints)
        self._gaps.update((endpoint.name, endpoint.version.number) for endpoint in endpoints)

    def _say(self, error: OSError) -> None:
        self.trouble = error.strerror or type(error).__name__
        if monotonic() - self._said_at >= _SAID_EVERY_S:
            self._said_at = monotonic()
            told = {"cause": self.trouble, "n_lost": self.n_lost, "is_refusing": self._is_refusing}
            log.error("the inference log cannot be written: free space on its disk", extra=told)

    def _recovered(self) -> None:
        log.warning("the inference log can be written again", extra={"n_lost": self.n_lost})
        self.trouble, self._said_at = "", float("-inf")
        self._write_gaps()

    def _write_gaps(self) -> None:
        gaps, self._gaps = self._gaps, Counter()
        now = time_ns() // 1000
        for (name, number), n_lost in gaps.items():
            if not self._note(InferenceRecord("gap", name, number, "", now, now, n_lost=n_lost)):
                self._gaps[name, number] += n_lost

    def _note(self, record: InferenceRecord) -> bool:
        if self._journal is None:
            return True
        try:
            self.n_bytes += self._journal.append(pack(record))
        except OSError as error:
            self._say(error)
            return False
        return True


def _full(error: OSError) -> LogFull:
    cause = error.strerror or type(error).__name__
    return LogFull(_("The inference log cannot be written ({cause}). Try again later.").format(cause=cause), 5)
