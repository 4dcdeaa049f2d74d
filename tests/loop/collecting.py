"""A small platform to collect in: real streams, a real Delta table and a real database, a clock that is told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from boucle.adapters.artifacts import ObjectArtifacts
from boucle.adapters.delta_log import DeltaLog
from boucle.adapters.segment_reader import SegmentReader
from boucle.adapters.segments import SegmentJournal
from boucle.adapters.sql import (
    SqlCollectStore,
    SqlProfileStore,
    SqlRegistryStore,
    SqlTruthStore,
    migrate,
    open_database,
)
from boucle.core.ids import uuid7
from boucle.core.profile import Profile
from boucle.core.record import InferenceRecord
from boucle.core.report import Span
from boucle.core.schema import infer
from boucle.core.segment import pack
from boucle.core.signature import Input, Signature
from boucle.core.table import Column, Table
from boucle.core.version import Artifact, Manifest
from boucle.core.watching import WatchPolicy
from boucle.loop.collect import CollectWorld
from boucle.monitoring.ports import Key, Stream
from boucle.registry.registry import Registry

NOON = 1_767_268_800_000_000  # 2026-01-01 12:00 UTC
MINUTE = 60_000_000
ALL = Span(0, 2 * NOON)
CITIES = ("Lyon", "Nice", "Rome")


@lru_cache
def _empty() -> bytes:
    """Return the file of a migrated database: made once, for it takes most of the time of a test."""
    with TemporaryDirectory() as folder:
        migrate(open_database(f"sqlite:///{folder}/db.sqlite"))
        return (Path(folder) / "db.sqlite").read_bytes()


def _copy_empty(path: Path) -> None:
    path.write_bytes(_empty())


def example(n: int = 300) -> Table:
    """Prices of 0, 1, 2 ... and three cities in turn."""
    cities = np.empty(n, dtype=object)
    cities[:] = [CITIES[i % 3] for i in range(n)]
    target = np.array([i % 2 for i in range(n)], dtype=np.int64)
    return Table(
        {
            "price": Column("float", np.arange(n, dtype=np.float64)),
            "city": Column("text", cities),
            "sold": Column("int", target),
        }
    )


def manifest(artifacts: ObjectArtifacts, rows: Table, **changes: Any) -> Manifest:
    inputs = rows.without(["sold"])
    signature = Signature(
        "pandas",
        (Input("price", "float", "float64"), Input("city", "text", "str")),
        "classification",
        "int",
        classes=(0, 1),
        probabilities=True,
    )
    told = {
        "model": Artifact("a" * 64, 1),
        "format": "skops",
        "trusted": True,
        "schema": infer(inputs),
        "signature": signature,
        "python": "3.11.2",
        "reference": artifacts.write(rows.to_bytes()),
        "target": "sold",
        **changes,
    }
    return Manifest(**told)


@dataclass
class Platform:
    """Answers are written by ``answer``; ``world`` is what the collector reaches."""

    root: Path
    now: int = NOON
    policy: WatchPolicy = field(default_factory=WatchPolicy)
    sent: Table = field(default_factory=lambda: example(300))
    crash_at: str | None = None
    max_bytes: int = 16 * 1024 * 1024

    def __post_init__(self) -> None:
        url = f"sqlite:///{self.root / 'db.sqlite'}"
        is_new = not (self.root / "db.sqlite").exists()
        self.engine = open_database(url)
        self.artifacts = ObjectArtifacts(self.root / "artifacts", self.root / "uploads")
        if is_new:
            _copy_empty(self.root / "db.sqlite")
        self.registry = Registry(SqlRegistryStore(self.engine), lambda: self.now)
        if is_new:
            self.registry.register("shop", manifest(self.artifacts, self.sent), "ada")
        self.journal: SegmentJournal | None = None

    def world(self) -> CollectWorld:
        return CollectWorld(
            registry=self.registry,
            artifacts=self.artifacts,
            streams=SegmentReader(self.root / "segments"),
            log=DeltaLog(self.root / "inference_log"),
            store=SqlCollectStore(self.engine),
            profiles=SqlProfileStore(self.engine),
            policy=lambda _model: self.policy,
            refused=self.root / "refused",
            now=lambda: self.now,
            crash_at=self.crash_at,
            max_bytes=self.max_bytes,
        )

    def write(self, *records: InferenceRecord) -> None:
        if self.journal is None:
            self.journal = SegmentJournal(self.root / "segments")
        for record in records:
            self.journal.append(pack(record))

    def end_stream(self) -> None:
        if self.journal is not None:
            self.journal.close()
        self.journal = None

    def answer(self, rows: Sequence[dict[str, Any]], said: Sequence[int], at: int | None = None) -> str:
        """Write one answer down and return its prediction id."""
        record = answered(rows, said, self.now if at is None else at)
        self.write(record)
        return record.prediction_id

    def tell(self, *truths: tuple[str, Any]) -> None:
        """Write ground truth down: pairs of id and value."""
        body = json.dumps([{"id": id_, "value": value} for id_, value in truths]).encode()
        self.write(InferenceRecord("truth", "shop", 0, uuid7(), self.now, self.now, request=body))

    def logged(self) -> list[tuple[Any, ...]]:
        """Return the ids of the log, and what was asked and said, in order."""
        frame = DeltaLog(self.root / "inference_log").rows("shop", ALL).collect()
        return frame.select("prediction_id", "inputs", "prediction").rows()

    def counted(self, stream: Stream, slice_: str = "") -> Profile:
        """Return the profile of all that was counted of version 1."""
        series = SqlProfileStore(self.engine).series(Key("shop", 1, stream, slice_), ALL)
        return series.within(ALL)

    def truths(self) -> dict[str, Any]:
        """Return the joined truths by id."""
        return {truth.id: truth.value for truth in SqlTruthStore(self.engine).joined("shop", ALL)}

    def n_unknown(self) -> int:
        return SqlTruthStore(self.engine).n_unknown("shop", ALL)


def answered(rows: Sequence[dict[str, Any]], said: Sequence[int], at: int, **changes: Any) -> InferenceRecord:
    shares = [[0.25, 0.75] if one else [0.75, 0.25] for one in said]
    id_ = uuid7()
    answer = {"predictions": list(said), "classes": [0, 1], "probabilities": shares, "prediction_id": id_}
    record = InferenceRecord(
        "answer",
        "shop",
        1,
        id_,
        at,
        at + 5,
        latency_us=1_500,
        caller="ada",
        request=json.dumps(list(rows)).encode(),
        answer=json.dumps(answer).encode(),
    )
    return record._replace(**changes)
