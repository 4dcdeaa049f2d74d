"""What the collector writes at once: how far streams are counted, profiles, ground truth."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import sqlalchemy as sa

from boucle.adapters.sql import tables as t
from boucle.adapters.sql.database import replacing, writing
from boucle.adapters.sql.profile_writer import Profiles
from boucle.adapters.sql.references import References
from boucle.adapters.sql.truth_store import Truths
from boucle.core.profile import Profile
from boucle.labels.truth import Truth
from boucle.monitoring.keeping import check_advance
from boucle.monitoring.ports import Key

_LOCK = 7_703


class SqlCollectStore:
    """One collector is in its transaction at a time."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._references = References()

    @contextmanager
    def collecting(self) -> Iterator[_Transaction]:
        """Open a transaction; an exception inside undoes it."""
        with writing(self._engine, _LOCK) as connection:
            yield _Transaction(connection, self._references)


class _Transaction:
    def __init__(self, connection: sa.Connection, references: References) -> None:
        self._connection = connection
        self._profiles = Profiles(connection, references)
        self._truths = Truths(connection)
        self._read: dict[str, int] = {}

    def position(self, stream: str) -> int:
        columns = t.stream_position.c
        known = self._connection.execute(sa.select(columns.position).where(columns.stream == stream)).scalar()
        self._read[stream] = known or 0
        return self._read[stream]

    def advance(self, stream: str, position: int) -> None:
        check_advance(stream, self._read.get(stream), position)
        self._connection.execute(
            replacing(self._connection, t.stream_position), {"stream": stream, "position": position}
        )
        self._read[stream] = position

    def add(self, profiles: Mapping[tuple[Key, int], Profile]) -> None:
        self._profiles.add(profiles)

    def roll_up(self, model: str, before: int, to_s: int) -> None:
        self._profiles.roll_up(model, before, to_s)

    def forget(self, model: str, before: int) -> None:
        self._profiles.forget(model, before)
        self._truths.forget(model, before)
        columns = t.verdict.c
        self._connection.execute(t.verdict.delete().where(columns.model == model, columns.stop <= before))

    def keep(self, truths: Iterable[Truth]) -> None:
        self._truths.keep(truths)

    def awaken(self, rows: Iterable[tuple[str, str]]) -> int:
        return self._truths.awaken(rows)

    def waiting(self, limit: int) -> tuple[Truth, ...]:
        return self._truths.waiting(limit)

    def settle(self, truths: Iterable[Truth]) -> None:
        self._truths.settle(truths)
