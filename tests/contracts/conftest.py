"""Databases for the contract tests: a new SQLite file, or the session's PostgreSQL, emptied."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from boucle.adapters.memory.collecting import MemoryCollectStore
from boucle.adapters.memory.profiles import MemoryProfileStore
from boucle.adapters.memory.truths import MemoryTruthStore
from boucle.adapters.memory.watched import WatchedMemory
from boucle.adapters.memory.watching import MemoryWatchStore
from boucle.adapters.sql import migrate, open_database
from boucle.adapters.sql.tables import counter, metadata
from postgres import NoPostgres, cluster
from watched_cases import Watched, sql_watched


@pytest.fixture(scope="session")
def postgres() -> Iterator[sa.Engine]:
    """A migrated PostgreSQL, started once."""
    try:
        started = cluster()
        url = started.__enter__()
    except NoPostgres as missing:
        pytest.skip(str(missing))
    try:
        engine = open_database(url)
        migrate(engine)
        yield engine
    finally:
        started.__exit__(None, None, None)


@pytest.fixture
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], sa.Engine]:
    """Give the database of a name, migrated and empty."""

    def made(name: str) -> sa.Engine:
        if name == "postgresql":
            return emptied(request.getfixturevalue("postgres"))
        engine = open_database(f"sqlite:///{tmp_path}/db.sqlite")
        migrate(engine)
        return engine

    return made


def emptied(engine: sa.Engine) -> sa.Engine:
    """Empty all tables, as the migrations leave them."""
    with engine.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
        connection.execute(counter.insert().values(name="routes", value=0))
    return engine


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def watched(request: pytest.FixtureRequest, database: Callable[[str], sa.Engine]) -> Watched:
    """The four stores of watching over one database."""
    if request.param == "memory":
        memory = WatchedMemory()
        return Watched(
            MemoryProfileStore(memory), MemoryTruthStore(memory), MemoryWatchStore(memory), MemoryCollectStore(memory)
        )
    return sql_watched(database(request.param))
