"""Profiles as the collector adds to them, in its transaction and under its lock: what was read can be replaced."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from boucle.adapters.sql import tables as t
from boucle.adapters.sql.database import inserting, replacing
from boucle.adapters.sql.references import References
from boucle.core.grid import Grid
from boucle.core.profile import Profile
from boucle.core.reference import Reference
from boucle.monitoring.keeping import check_reference
from boucle.monitoring.ports import STEPS_S, Key

SECOND = 1_000_000
_CHUNK = 500  # of places looked up at once; a statement takes some 30,000 values
_READ = 200  # rows unpacked at a time, so that a day of many models is not held at once
Place = tuple[int, int, int]  # key, time, step
_key, _profile = t.profile_key.c, t.profile.c
_ASKED = sa.values(sa.column("key", sa.Integer), sa.column("at", sa.BigInteger), sa.column("step_s", sa.Integer))


class Profiles:
    """Adds, rolls up and forgets."""

    def __init__(self, connection: sa.Connection, references: References) -> None:
        self._connection = connection
        self._references = references
        self._ids: dict[Key, int] = {}

    def add(self, profiles: Mapping[tuple[Key, int], Profile]) -> None:
        """Add profiles to those of their minutes, or of the longer steps that cover these."""
        self._know(key for key, _minute in profiles)
        places = {asked: _places(self._ids[asked[0]], asked[1]) for asked in profiles}
        held = self._held({place for covering in places.values() for place in covering})
        changed: dict[Place, Profile] = {}
        for asked, profile in profiles.items():
            place = next((place for place in places[asked] if place in held), places[asked][-1])
            if place not in changed and place in held:
                changed[place] = Profile.from_bytes(profile.grid, held[place])
            changed[place] = changed[place] + profile if place in changed else profile
        self._write(changed)

    def roll_up(self, model: str, before: int, to_s: int) -> None:
        """Add up shorter steps of a model into whole ones that end by a time."""
        limit = before // (to_s * SECOND) * to_s * SECOND
        shorter = [step for step in STEPS_S if step < to_s]
        ids = sa.select(_key.id).where(_key.model == model)
        old = _profile.key.in_(ids) & _profile.step_s.in_(shorter) & (_profile.at < limit)
        rolled: dict[tuple[Key, int], Profile] = {}
        grids: dict[Key, Grid] = {}
        for key, at, payload in self._rows(old):
            if key not in grids:
                grids[key] = self._grid(key)
            place, profile = (key, at // (to_s * SECOND) * to_s * SECOND), Profile.from_bytes(grids[key], payload)
            rolled[place] = rolled[place] + profile if place in rolled else profile
        if rolled:
            self._connection.execute(t.profile.delete().where(old))
            self._merge(rolled, to_s)

    def forget(self, model: str, before: int) -> None:
        """Forget the steps of a model that end by a time."""
        ids = sa.select(_key.id).where(_key.model == model)
        is_old = (_profile.at < before) & (_profile.at + sa.cast(_profile.step_s, sa.BigInteger) * SECOND <= before)
        self._connection.execute(t.profile.delete().where(_profile.key.in_(ids), is_old))
        is_held = sa.exists().where(_profile.key == _key.id)
        self._connection.execute(t.profile_key.delete().where(_key.model == model, ~is_held))
        self._ids = {key: number for key, number in self._ids.items() if key.model != model}

    def _merge(self, profiles: Mapping[tuple[Key, int], Profile], step_s: int) -> None:
        """Add to the steps of that length."""
        self._know(key for key, _at in profiles)
        placed = {(self._ids[key], at, step_s): profile for (key, at), profile in profiles.items()}
        held = self._held(set(placed))
        self._write({p: new + Profile.from_bytes(new.grid, held[p]) if p in held else new for p, new in placed.items()})

    def _rows(self, wanted: sa.ColumnElement[bool]) -> Iterator[tuple[Key, int, bytes]]:
        columns = (_key.model, _key.version, _key.stream, _key.slice, _profile.at, _profile.payload)
        query = sa.select(*columns).join_from(t.profile, t.profile_key).where(wanted)
        options: dict[str, Any] = {"yield_per": _READ}
        for model, version, stream, slice_, at, payload in self._connection.execute(query, execution_options=options):
            yield Key(model, version, stream, slice_), at, payload

    def _held(self, places: set[Place]) -> dict[Place, bytes]:
        """Return what is kept of these places: a join, for SQLite scans the table when asked for rows by triples."""
        found: dict[Place, bytes] = {}
        wanted = sorted(places)
        for start in range(0, len(wanted), _CHUNK):
            asked = _ASKED.data(wanted[start : start + _CHUNK]).cte("asked").c
            is_asked = (_profile.key == asked.key) & (_profile.at == asked.at) & (_profile.step_s == asked.step_s)
            query = sa.select(_profile.key, _profile.at, _profile.step_s, _profile.payload).where(is_asked)
            found.update({(key, at, step_s): payload for key, at, step_s, payload in self._connection.execute(query)})
        return found

    def _write(self, changed: Mapping[Place, Profile]) -> None:
        if not changed:
            return
        revisions = self._revised({key for key, _at, _step_s in changed})
        rows = [
            {
                "key": key,
                "at": at,
                "step_s": step_s,
                "n_rows": profile.n_rows,
                "revision": revisions[key],
                "payload": profile.to_bytes(),
            }
            for (key, at, step_s), profile in changed.items()
        ]
        self._connection.execute(replacing(self._connection, t.profile), rows)

    def _revised(self, ids: set[int]) -> dict[int, int]:
        """Return the next revision of these keys, by which readers know what changed since they looked."""
        found: dict[int, int] = {}
        wanted = sorted(ids)
        for start in range(0, len(wanted), _CHUNK):
            of_these = _key.id.in_(wanted[start : start + _CHUNK])
            self._connection.execute(t.profile_key.update().where(of_these).values(revision=_key.revision + 1))
            rows = self._connection.execute(sa.select(_key.id, _key.revision).where(of_these))
            found.update((number, revision) for number, revision in rows)
        return found

    def _know(self, keys: Iterable[Key]) -> None:
        """Find, or give, the numbers of keys. Raises Conflict for a version without reference."""
        unknown = set(keys) - self._ids.keys()
        if unknown:
            self._find({key.model for key in unknown})
            new = sorted(unknown - self._ids.keys(), key=repr)
            if new:
                for key in new:
                    self._reference(key)
                first = time.time_ns() // 1000  # a key that was forgotten and comes again goes on with higher ones
                rows = [{**vars(key), "revision": first} for key in new]
                self._connection.execute(inserting(self._connection, t.profile_key), rows)
                self._find({key.model for key in new})

    def _find(self, models: set[str]) -> None:
        query = sa.select(_key.model, _key.version, _key.stream, _key.slice, _key.id)
        rows = self._connection.execute(query.where(_key.model.in_(sorted(models))))
        self._ids.update({Key(*row[:4]): row[4] for row in rows})

    def _grid(self, key: Key) -> Grid:
        return self._reference(key).grids[key.stream]

    def _reference(self, key: Key) -> Reference:
        found = self._references.get(self._connection, key.model, key.version)
        return check_reference(found, key)


def _places(key: int, minute: int) -> list[Place]:
    """Return where a minute may be counted, the longest step first."""
    return [(key, minute // (step_s * SECOND) * step_s * SECOND, step_s) for step_s in reversed(STEPS_S)]
