"""Connections and transactions. All that differs between SQLite and PostgreSQL is in this file.

No connection outlives its transaction (NullPool): a forked child never finds its parent's. Writers that read before
they write come one after the other: ``BEGIN IMMEDIATE`` on SQLite, an advisory lock on PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.pool import NullPool

from boucle.core.errors import Unavailable
from boucle.core.i18n import _

BUSY_TIMEOUT_S = 10.0
_READING = {"boucle_reading": True}


def open_database(url: str, busy_timeout_s: float = BUSY_TIMEOUT_S) -> sa.Engine:
    """Return the engine of ``sqlite:////path/to/db.sqlite`` (or PostgreSQL); nothing is connected or written yet.

    ``busy_timeout_s`` is how long a SQLite transaction waits for another writer before it raises Unavailable.
    """
    address = sa.make_url(url)
    if address.drivername == "postgresql":
        address = address.set(drivername="postgresql+psycopg")
    engine = sa.create_engine(address, poolclass=NullPool)
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _sqlite_connected(busy_timeout_s))
        sa.event.listen(engine, "begin", _sqlite_begin)
    return engine


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction that sees one moment and writes nothing. Raises Unavailable when the database cannot answer."""
    options: dict[str, Any] = dict(_READING)
    if engine.dialect.name != "sqlite":
        options["isolation_level"] = "REPEATABLE READ"
    with _answering(), engine.connect() as raw:
        connection = raw.execution_options(**options)
        with connection.begin():
            yield connection


@contextmanager
def writing(engine: sa.Engine, lock: int | None = None) -> Iterator[sa.Connection]:
    """A transaction that is kept whole or undone. Those that name the same ``lock`` come one after the other.

    SQLite has one writer at a time anyway. Raises Unavailable when the database cannot answer in time.
    """
    with _answering(), engine.begin() as connection:
        if lock is not None and engine.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(lock)))
        yield connection


def now_us(engine: sa.Engine) -> sa.ColumnElement[int]:
    """The database's own clock as an SQL expression: UTC microseconds since 1970 (SQLite: to the millisecond)."""
    if engine.dialect.name == "sqlite":
        days = sa.func.julianday("now") - 2440587.5
        return sa.cast(sa.func.round(days * 86_400_000), sa.BigInteger) * 1000
    return sa.cast(sa.extract("epoch", sa.func.clock_timestamp()) * 1_000_000, sa.BigInteger)


def read_clock(connection: sa.Connection) -> int:
    """Return the database's clock in UTC microseconds."""
    return int(connection.execute(sa.select(now_us(connection.engine))).scalar_one())


def inserting(connection: sa.Connection, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    """Return an INSERT to which may be said what is done when the row is there already."""
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)


def replacing(connection: sa.Connection, table: sa.Table) -> sa.Executable:
    """Return an INSERT of whole rows that replaces those of the same primary key."""
    insert = inserting(connection, table)
    keys = list(table.primary_key.columns)
    changes = {column.name: insert.excluded[column.name] for column in table.c if not column.primary_key}
    return insert.on_conflict_do_update(index_elements=keys, set_=changes)


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except sa.exc.OperationalError as error:
        raise Unavailable(
            _("The database did not answer: {cause}. Try again; if it lasts, see: boucle doctor").format(
                cause=str(error.orig)[:200]
            )
        ) from error


def _sqlite_connected(busy_timeout_s: float) -> Any:
    def connected(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # BEGIN is ours to say, not the driver's
        connection.execute(f"PRAGMA busy_timeout = {round(busy_timeout_s * 1000)}")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")

    return connected


def _sqlite_begin(connection: sa.Connection) -> None:
    is_reading = connection.get_execution_options().get("boucle_reading")
    connection.exec_driver_sql("BEGIN" if is_reading else "BEGIN IMMEDIATE")
