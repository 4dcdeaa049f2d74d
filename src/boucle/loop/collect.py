"""Collecting: what gateways wrote down becomes rows of the inference log, profiles and ground truth, exactly once.

A pass has two sinks, the log and the database. Each remembers in its own transaction how far it has taken each
stream, and nothing else does: killed between the two, the next pass gives the database what only the log has got.
What both have is deleted from the streams last.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from boucle.core.errors import BoucleError, Conflict, NotFound
from boucle.core.i18n import _
from boucle.core.record import InferenceRecord
from boucle.core.reference import Reference
from boucle.core.watching import WatchPolicy
from boucle.labels.reading import Told, truths_of_csv, truths_of_json
from boucle.labels.truth import Truth
from boucle.loop.decoding import Decoder, Refused
from boucle.loop.joining import Join
from boucle.loop.log import InferenceLog, LogRows, Move, Streams
from boucle.loop.ports import Artifacts, CollectStore
from boucle.loop.quarantine import keep_refused
from boucle.loop.references import reference
from boucle.loop.tallies import Tallies, count_answers, count_traffic
from boucle.monitoring.ports import ProfileStore
from boucle.registry.registry import Registry

_DROP_EVERY_US = 20 * 1_000_000


@dataclass(frozen=True)
class CollectWorld:
    """All that collecting reaches outside itself.

    ``policy`` tells how a model is watched; ``refused`` is where records are kept that cannot be read; ``now`` is the
    time in UTC microseconds; ``max_bytes`` bounds the records of a pass. ``crash_at`` names a step to die after: for
    crash tests only.
    """

    registry: Registry
    artifacts: Artifacts
    streams: Streams
    log: InferenceLog
    store: CollectStore
    profiles: ProfileStore
    policy: Callable[[str], WatchPolicy]
    refused: Path
    now: Callable[[], int]
    max_bytes: int = 16 * 1024 * 1024
    crash_at: str | None = None


@dataclass
class Collected:
    """What a pass did. ``is_behind`` is True when more is there to be collected at once."""

    n_records: int = 0
    n_rows: int = 0
    n_truths: int = 0
    n_joined: int = 0
    n_unknown: int = 0
    n_refused: int = 0
    is_behind: bool = False

    def __add__(self, other: Collected) -> Collected:
        """Return what two passes did."""
        added = {name: value + getattr(other, name) for name, value in vars(self).items() if name != "is_behind"}
        return Collected(**added, is_behind=other.is_behind)

    @property
    def is_nothing(self) -> bool:
        """True when there was nothing to do."""
        return not (self.n_records or self.n_joined or self.n_unknown)


class Piece(NamedTuple):
    """Records of a stream, and for which sinks they are."""

    stream: str
    move: Move
    records: list[InferenceRecord]
    for_log: bool
    for_counts: bool


@dataclass(frozen=True, eq=False)
class Known:
    """What is needed of a version."""

    decoder: Decoder
    reference: Reference
    policy: WatchPolicy


@dataclass
class _Batch:
    """What a pass has read, by sink."""

    rows: LogRows = field(default_factory=LogRows)
    tallies: Tallies = field(default_factory=Tallies)
    truths: list[Truth] = field(default_factory=list)
    counted: list[tuple[str, str]] = field(default_factory=list)  # model and id of each row that is counted
    refused: list[Refused] = field(default_factory=list)


class Collector:
    """Makes one pass after the other; what it has read of versions and positions is kept between them.

    A policy is read once: make a new collector to see a new one.
    """

    def __init__(self, world: CollectWorld) -> None:
        self._world = world
        self._known: dict[tuple[str, int], Known | None] = {}
        self._counted: dict[str, int] = {}
        self._passed: set[str] = set()
        self._dropped_at: int | None = None
        self._join = Join(world.log, world.store, self._reference, self._policy)

    def collect(self) -> Collected:
        """Make one pass. Raises Conflict when another collector was faster: what it has not done is left to do."""
        try:
            return self._collect()
        except Conflict:
            self._counted.clear()
            self._passed.clear()
            raise

    def _collect(self) -> Collected:
        world = self._world
        pieces, is_behind = self._read()
        self._crash("read")
        batch = self._decoded(pieces)
        self._crash("decoded")
        logged = {piece.stream: piece.move for piece in pieces if piece.for_log}
        if logged:
            world.log.append(batch.rows, logged)
        self._crash("logged")
        n_truths, n_awake = self._count(pieces, batch)
        self._crash("counted")
        joined = self._join(batch.rows, n_truths + n_awake > 0, is_behind, world.now())
        self._crash("joined")
        self._drop({piece.stream for piece in pieces})
        self._crash("dropped")
        return Collected(
            n_records=sum(len(piece.records) for piece in pieces),
            n_rows=len(batch.rows),
            n_truths=n_truths,
            n_joined=joined.n_joined,
            n_unknown=joined.n_unknown,
            n_refused=len(batch.refused),
            is_behind=is_behind,
        )

    def _read(self) -> tuple[list[Piece], bool]:
        """Return what is new, the streams in order, and whether there is more of it."""
        world, left = self._world, self._world.max_bytes
        pieces: list[Piece] = []
        for stream in self._with_news():
            if left <= 0:
                return pieces, True
            counted, logged = self._counted[stream], world.log.position(stream)
            start = min(counted, logged)
            most = left if counted == logged else min(left, abs(counted - logged))
            records, stop = world.streams.read(stream, start, most)
            if stop == start:
                continue
            pieces.append(Piece(stream, Move(start, stop), records, start == logged, start == counted))
            left -= stop - start
            if world.streams.end(stream) > stop and world.streams.is_over(stream):
                return pieces, True  # what this gateway was told comes before what the next one was
        return pieces, any(world.streams.end(p.stream) > p.move.stop and p.records for p in pieces)

    def _with_news(self) -> list[str]:
        """Return the streams that hold bytes which a sink has not got; after a loss of power that may be the log."""
        streams = self._world.streams
        names = sorted(streams.streams())
        if unknown := [name for name in names if name not in self._counted]:
            with self._world.store.collecting() as tx:
                self._counted.update({name: tx.position(name) for name in unknown})
        return [name for name in names if streams.end(name) > self._least(name) or self._is_done(name)]

    def _is_done(self, stream: str) -> bool:
        """Note a stream that has ended and was passed, to be deleted; always False: there is nothing to read in it."""
        if stream not in self._passed and self._world.streams.is_over(stream):
            self._passed.add(stream)
        return False

    def _least(self, stream: str) -> int:
        """Return how far both sinks have taken a stream."""
        return min(self._counted[stream], self._world.log.position(stream))

    def _decoded(self, pieces: Iterable[Piece]) -> _Batch:
        """Return the records by sink. Records of one version are read together, in the order of the streams."""
        batch = _Batch()
        groups: dict[tuple[str, int, bool, bool], list[InferenceRecord]] = {}
        for piece in pieces:
            for record in piece.records:
                if record.kind != "truth":
                    of = (record.model, record.version, piece.for_log, piece.for_counts)
                    groups.setdefault(of, []).append(record)
                elif piece.for_counts:
                    self._read_truth(batch, record)
        for (model, version, for_log, for_counts), records in groups.items():
            self._read_group(batch, self._version(model, version), records, (for_log, for_counts))
        keep_refused(self._world.refused, batch.refused)
        return batch

    def _read_group(
        self, batch: _Batch, known: Known | None, records: list[InferenceRecord], sinks: tuple[bool, bool]
    ) -> None:
        """Take up records of one version for the log, to be counted, or for both."""
        for_log, for_counts = sinks
        answers = [record for record in records if record.kind == "answer"]
        if known is None:
            batch.refused += [Refused(record, "its version is not in the registry") for record in answers]
            return
        of = (known.decoder.name, known.decoder.number)
        if for_counts:
            count_traffic(batch.tallies, of, known.reference, records)
        if not answers:
            return
        decoded = known.decoder.decode(answers, frozenset(known.policy.masked))
        batch.refused += decoded.refused
        if for_counts:
            count_answers(batch.tallies, of, known.reference, decoded, known.policy.slices)
            batch.counted += zip(decoded.rows.model, decoded.rows.prediction_id, strict=True)
        if for_log:
            batch.rows.extend(decoded.rows)

    def _read_truth(self, batch: _Batch, record: InferenceRecord) -> None:
        read = truths_of_csv if record.media == "csv" else truths_of_json
        try:
            batch.truths += read(record.request, Told(record.model, record.at, record.logged_at))
        except BoucleError as error:
            batch.refused.append(Refused(record, str(error)))

    def _count(self, pieces: Iterable[Piece], batch: _Batch) -> tuple[int, int]:
        """Write profiles, ground truth and positions in one transaction.

        Return how many truths were told, and how many given up before are awake again since their predictions came.
        """
        world = self._world
        pieces = [piece for piece in pieces if piece.for_counts]
        if not pieces:
            return 0, 0
        with world.store.collecting() as tx:
            for piece in pieces:
                if tx.position(piece.stream) != piece.move.start:
                    raise Conflict(
                        _("Stream {stream} was counted by another collector meanwhile: nothing was added.").format(
                            stream=piece.stream
                        )
                    )
                tx.advance(piece.stream, piece.move.stop)
            if batch.tallies.found:
                tx.add(batch.tallies.found)
            if batch.truths:
                tx.keep(batch.truths)
            n_awake = tx.awaken(batch.counted) if batch.counted else 0
            self._crash("counting")
        self._counted.update({piece.stream: piece.move.stop for piece in pieces})
        return len(batch.truths), n_awake

    def _drop(self, streams: Iterable[str]) -> None:
        """Delete what both sinks have, now and then: first the log must be on the disk, as the database is."""
        self._passed |= set(streams)
        now = self._world.now()
        if not self._passed or (self._dropped_at is not None and 0 <= now - self._dropped_at < _DROP_EVERY_US):
            return
        self._dropped_at = now
        self._world.log.sync()
        for stream in sorted(self._passed):
            self._world.streams.drop(stream, self._least(stream))
        self._passed.clear()

    def _version(self, model: str, number: int) -> Known | None:
        """Return what is needed of a version; None when the registry does not know it."""
        key = (model, number)
        if key not in self._known:
            try:
                version = self._world.registry.version(model, number)
            except NotFound:
                self._known[key] = None
                return None
            manifest = version.manifest
            decoder = Decoder(model, number, manifest.schema, version.signature or manifest.signature)
            made = reference(self._world.profiles, self._world.artifacts, version)
            self._known[key] = Known(decoder, made, self._world.policy(model))
        return self._known[key]

    def _reference(self, model: str, number: int) -> Reference | None:
        known = self._version(model, number)
        return None if known is None else known.reference

    def _policy(self, model: str) -> WatchPolicy:
        return self._world.policy(model)

    def _crash(self, step: str) -> None:
        if self._world.crash_at == step:
            os._exit(137)


def collect(world: CollectWorld) -> Collected:
    """Make one pass."""
    return Collector(world).collect()
