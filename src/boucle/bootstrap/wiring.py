"""The adapters that several processes share, made from the settings."""

from __future__ import annotations

import time
from pathlib import Path

from sqlalchemy import Engine

from boucle.adapters.artifacts import ObjectArtifacts
from boucle.adapters.sql import SqlRegistryStore, open_database
from boucle.adapters.uv import UvEnvironments
from boucle.bootstrap.home import Home
from boucle.registry.registry import Registry
from boucle.settings import Settings, environment


def now_us() -> int:
    """Return the time in UTC microseconds since 1970."""
    return time.time_ns() // 1000


def home_of(settings: Settings) -> Home:
    """Return the home of these settings, its folders made."""
    return Home(Path(settings.home)).prepare()


def artifacts(home: Home) -> ObjectArtifacts:
    """Return the artifact store of a home."""
    return ObjectArtifacts(home.artifacts, home.uploads)


def database(home: Home) -> Engine:
    """Return the database of a home, not migrated."""
    return open_database(home.database_url)


def registry(engine: Engine) -> Registry:
    """Return the registry kept in a database."""
    return Registry(SqlRegistryStore(engine), now_us)


def environments(settings: Settings) -> UvEnvironments:
    """Return the maker of environments; bytecode is kept beside uv's cache, for all homes of this user."""
    return UvEnvironments(
        Home(Path(settings.home)).environments,
        bytecode_cache=Path.home() / ".cache" / "boucle" / "bytecode",
        environ=environment(settings),
    )
