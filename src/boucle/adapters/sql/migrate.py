"""Bring a database to the schema of this release: forward only, one transaction, one migrator at a time."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from boucle.adapters.sql.database import writing

MIGRATIONS = Path(__file__).resolve().parent / "migrations"
_LOCK = 7_700


def migrate(engine: sa.Engine) -> None:
    """Apply the migrations that are missing: all or none. A second caller waits, then finds nothing to do.

    Raises Unavailable when another process holds the database for longer than the busy timeout.
    """
    _prepare(engine)
    with writing(engine, _LOCK) as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _prepare(engine: sa.Engine) -> None:
    """Make the folder of a SQLite file, and the file a write-ahead one: readers never wait. The mode is kept in it."""
    if engine.dialect.name != "sqlite" or not engine.url.database:
        return
    Path(engine.url.database).parent.mkdir(parents=True, exist_ok=True)
    connection = engine.raw_connection()
    try:
        connection.cursor().execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()
