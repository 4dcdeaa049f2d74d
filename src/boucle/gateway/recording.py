"""Writing down what is answered: each answer is in the journal before it is sent, or is counted as lost, out loud."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from itertools import chain
from threading import Lock
from time import monotonic, time_ns
from typing import NamedTuple

from boucle.core.errors import Unavailable
from boucle.core.i18n import _
from boucle.core.record import InferenceRecord
from boucle.core.segment import pack
from boucle.gateway.requests import Headers, caller_of
from boucle.serving.decode import CSV
from boucle.serving.endpoint import Endpoint
from boucle.serving.plan import Rows
from boucle.serving.ports import Journal

log = logging.getLogger("boucle.gateway")
_SAID_EVERY_S = 60.0
_MOST_BUFFERS = 1_000  # of one write: Linux takes 1,024


class LogFull(Unavailable):
    """What must be written down cannot be: it is not answered."""

    code = "log-full"


Header = tuple[bytes, bytes]


class Asked(NamedTuple):
    """What came in: checked rows, the bytes they were read from, when it happened (0: now), when work on it began."""

    endpoint: Endpoint
    headers: Headers
    rows: Rows
    body: bytes
    media: str
    at: int
    start: float


class Reply(NamedTuple):
    """What goes out, its form (``json`` or ``csv``), and the seconds it took to make."""

    kind: Header
    content: bytes
    form: str
    prediction_id: str
    seconds: float


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
        self._refusals: list[InferenceRecord] = []  # while a thread is busy with those before: they go in one write
        self._guard = Lock()  # of the gaps and refusals
        self._notes = ThreadPoolExecutor(1, thread_name_prefix="notes") if self.is_slow else None
        self._said_at = float("-inf")
        self._held: list[tuple[Asked, Reply]] = []

    def hold(self, asked: Asked, reply: Reply) -> None:
        """Take an answer that the next ``flush`` writes. It must not be sent before."""
        self._held.append((asked, reply))

    def flush(self) -> None:
        """Write all that is held in one write. Raises LogFull when it cannot be and must be: it holds for each."""
        held = self._held
        if not held or self._journal is None:
            return
        self._held = []
        buffers = packed(held)
        try:
            is_small = 1 < len(buffers) == len(held)  # then one copy costs less than many buffers
            is_one = is_small or len(buffers) > _MOST_BUFFERS
            self.n_bytes += self._journal.append((b"".join(buffers),) if is_one else buffers)
        except OSError as error:
            self._lost([asked.endpoint for asked, _reply in held], error)
        else:
            if self.trouble:
                self._recovered()

    async def record_aside(self, asked: Asked, reply: Reply, executor: Executor) -> None:
        """Write a large answer in a thread. Raises LogFull when it cannot be written and must be."""
        if self._journal is None:
            return
        try:
            loop = asyncio.get_running_loop()
            self.n_bytes += await loop.run_in_executor(executor, self._journal.append, packed([(asked, reply)]))
        except OSError as error:
            self._lost([asked.endpoint], error)
        else:
            if self.trouble:
                self._recovered()

    def refused(self, endpoint: Endpoint, status: int, seconds: float, caller: str) -> None:
        """Write that a request to a version was not answered, in a thread where that is slow; never raises."""
        now = time_ns() // 1000
        name, number = endpoint.name, endpoint.version.number
        latency_us = int(seconds * 1e6)
        told = InferenceRecord("refusal", name, number, "", now, now, latency_us, status, caller=caller)
        if self._notes is None:
            self._note(told)
            return
        with self._guard:
            self._refusals.append(told)
            is_first = len(self._refusals) == 1
        if is_first:
            self._later(self._write_refusals)

    def keep(self, truth: InferenceRecord) -> None:
        """Write ground truth; the disk has it when this returns. Call it in a thread. Raises LogFull."""
        if self._journal is None:
            raise LogFull(_("This gateway keeps no inference log, so it cannot keep ground truth."))
        try:
            self.n_bytes += self._journal.append(pack(truth))
            self._journal.sync()
        except OSError as error:
            self._say(error)
            raise _full(error) from error
        if self.trouble:
            self._recovered()

    def close(self) -> None:
        """Write what is known to be missing, and end the journal."""
        if self._journal is not None:
            if self._notes is not None:
                self._notes.shutdown()
            self._write_gaps()
            self._journal.close()

    def _lost(self, endpoints: Sequence[Endpoint], error: OSError) -> None:
        self._say(error)
        if self._is_refusing:
            raise _full(error) from error
        self.n_lost += len(endpoints)
        with self._guard:
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
        self._later(self._write_gaps)

    def _later(self, work: Callable[[], object]) -> None:
        """Do what may wait for the disk: in a thread, in order, where it does; at once where it does not."""
        if self._notes is None:
            work()
            return
        with suppress(RuntimeError):  # shut down: nobody is asked any more
            self._notes.submit(work)

    def _write_refusals(self) -> None:
        with self._guard:
            refusals, self._refusals = self._refusals, []
        self._note(*refusals)

    def _write_gaps(self) -> None:
        with self._guard:
            gaps, self._gaps = self._gaps, Counter()
        now = time_ns() // 1000
        for (name, number), n_lost in gaps.items():
            if not self._note(InferenceRecord("gap", name, number, "", now, now, n_lost=n_lost)):
                with self._guard:
                    self._gaps[name, number] += n_lost

    def _note(self, *records: InferenceRecord) -> bool:
        if self._journal is None:
            return True
        try:
            self.n_bytes += self._journal.append([b"".join(chain.from_iterable(map(pack, records)))])
        except OSError as error:
            self._say(error)
            return False
        return True


def packed(held: Sequence[tuple[Asked, Reply]]) -> list[bytes]:
    """Return the buffers of the records of answers, written down at one time."""
    now = time_ns() // 1000
    buffers: list[bytes] = []
    for asked, reply in held:
        buffers += asked.endpoint.packer.answer(
            reply.prediction_id,
            (asked.at or now, now, int(reply.seconds * 1e6)),
            (asked.body, "csv" if asked.media == CSV else "json"),
            (reply.content, reply.form),
            caller_of(asked.headers),
        )
    return buffers


def _full(error: OSError) -> LogFull:
    cause = error.strerror or type(error).__name__
    return LogFull(_("The inference log cannot be written ({cause}). Try again later.").format(cause=cause), 5)
