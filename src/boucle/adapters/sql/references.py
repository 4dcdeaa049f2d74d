"""References in a relational database: frozen, so each is read and unpacked once."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

import sqlalchemy as sa

from boucle.adapters.sql.tables import reference as table
from boucle.core.reference import Reference

MOST = 128  # each takes some 300 kB


class References:
    """The references that were read last, for any number of threads."""

    def __init__(self) -> None:
        self._held: OrderedDict[tuple[str, int], Reference] = OrderedDict()
        self._lock = Lock()

    def get(self, connection: sa.Connection, model: str, version: int) -> Reference | None:
        """Return the reference of a version, or None."""
        with self._lock:
            if (model, version) in self._held:
                self._held.move_to_end((model, version))
                return self._held[model, version]
        wanted = sa.select(table.c.payload).where(table.c.model == model, table.c.version == version)
        payload = connection.execute(wanted).scalar()
        return None if payload is None else self._hold((model, version), Reference.from_bytes(payload))

    def _hold(self, key: tuple[str, int], found: Reference) -> Reference:
        with self._lock:
            found = self._held.setdefault(key, found)  # one object for all, whoever was first
            while len(self._held) > MOST:
                self._held.popitem(last=False)
        return found
