"""The database and the registry over it: what control plane and worker share."""

from __future__ import annotations

import time

from sqlalchemy import Engine

from boucle.adapters.sql import SqlRegistryStore, open_database
from boucle.bootstrap.home import Home
from boucle.registry.registry import Registry


def now_us() -> int:
    """Return the time in UTC microseconds since 1970."""
    return time.time_ns() // 1000


def database(home: Home) -> Engine:
    """Return the database of a home, not migrated."""
    return open_database(home.database_url)


def registry(engine: Engine) -> Registry:
    """Return the registry kept in a database."""
    return Registry(SqlRegistryStore(engine), now_us)
