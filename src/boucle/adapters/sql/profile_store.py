"""Profiles in a relational database, one packed row for each key and step."""

from __future__ import annotations

from dataclasses import astuple

import sqlalchemy as sa

from boucle.adapters.sql import tables as t
from boucle.adapters.sql.database import inserting, reading, writing
from boucle.adapters.sql.references import References
from boucle.core.grid import Grid
from boucle.core.profile import Profile
from boucle.core.reference import Reference
from boucle.core.report import Span
from boucle.core.series import Series
from boucle.monitoring.ports import Key, Mark

_key, _profile = t.profile_key.c, t.profile.c


class SqlProfileStore:
    """A view of the profiles that the collector writes."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._references = References()

    def reference(self, model: str, version: int) -> Reference | None:
        """Return the frozen reference of a version."""
        with reading(self._engine) as connection:
            return self._references.get(connection, model, version)

    def keep_reference(self, model: str, version: int, reference: Reference) -> Reference:
        """Keep the reference unless there is one, and return the one that is kept."""
        row = {"model": model, "version": version, "payload": reference.to_bytes()}
        with writing(self._engine) as connection:
            connection.execute(inserting(connection, t.reference).on_conflict_do_nothing(), row)
        kept = self.reference(model, version)
        return reference if kept is None else kept

    def series(self, key: Key, window: Span) -> Series:
        """Return the profiles whose time lies in a window, in order."""
        in_window = (_profile.at >= window.start) & (_profile.at < window.stop)
        wanted = sa.select(_profile.at, _profile.payload).where(_profile.key == _id_of(key), in_window)
        with reading(self._engine) as connection:
            reference = self._references.get(connection, key.model, key.version)
            rows = connection.execute(wanted.order_by(_profile.at)).all()
        grid = Grid(()) if reference is None else reference.grids.get(key.stream, Grid(()))
        return Series(grid, ((at, Profile.from_bytes(grid, payload)) for at, payload in rows))

    def keys(self, model: str | None = None) -> tuple[Key, ...]:
        """Return which profiles there are."""
        wanted = sa.select(_key.model, _key.version, _key.stream, _key.slice)
        if model is not None:
            wanted = wanted.where(_key.model == model)
        with reading(self._engine) as connection:
            found = [Key(*row) for row in connection.execute(wanted)]
        return tuple(sorted(found, key=astuple))

    def newest(self, key: Key) -> int | None:
        """Return the newest minute of a key that holds rows, or None."""
        held = sa.select(_profile.at).where(_profile.key == _id_of(key), _profile.n_rows > 0)
        with reading(self._engine) as connection:
            newest: int | None = connection.execute(held.order_by(_profile.at.desc()).limit(1)).scalar()
        return newest

    def mark(self, key: Key, since: int, after: int = 0) -> Mark:
        """Return how the steps of a key from a time on stand, beside an earlier revision."""
        of_key = (_profile.key == _id_of(key)) & (_profile.at >= since)
        revised = sa.select(_key.revision).where(_key.id == _id_of(key)).scalar_subquery()
        counted = sa.select(sa.func.count()).select_from(t.profile).where(of_key).scalar_subquery()
        first = sa.select(sa.func.min(_profile.at)).where(of_key, _profile.revision > after).scalar_subquery()
        with reading(self._engine) as connection:
            n_steps, revision, first_at = connection.execute(sa.select(counted, revised, first)).one()
        return Mark(n_steps, revision or 0, first_at)


def _id_of(key: Key) -> sa.ScalarSelect[int]:
    named = (_key.model == key.model) & (_key.version == key.version)
    return sa.select(_key.id).where(named, _key.stream == key.stream, _key.slice == key.slice).scalar_subquery()
