import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.dialects import postgresql

from boucle.adapters.sql import (
    SqlCollectStore,
    SqlJobStore,
    SqlProfileStore,
    SqlRegistryStore,
    migrate,
    open_database,
)
from boucle.adapters.sql.database import now_us, read_clock, reading, writing
from boucle.adapters.sql.tables import metadata
from boucle.core.errors import Unavailable
from boucle.jobs.job import JobQuery
from boucle.registry.model import RegisteredModel
from watched_cases import ALL, MINUTE, REFERENCE, T0, rows


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/home/db.sqlite"


@pytest.fixture
def engine(url: str) -> sa.Engine:
    engine = open_database(url)
    migrate(engine)
    return engine


def test_the_migrations_make_exactly_the_tables_that_the_code_uses(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_migrating_again_changes_nothing(engine: sa.Engine) -> None:
    with SqlRegistryStore(engine).writing() as tx:
        tx.save_model(RegisteredModel("churn", 1))
        tx.grow_sequence()

    migrate(engine)

    with SqlRegistryStore(engine).reading() as view:
        assert (len(view.models()), view.sequence()) == (1, 1)


NEWER = ["profile", "profile_key", "reference", "stream_position", "truth", "notification", "alert", "verdict"]
NEWER += ["watch_state", "watch_policy"]


def test_the_jobs_of_an_older_release_wait_between_attempts_as_they_did(url: str) -> None:
    engine = open_database(url)
    migrate(engine)
    job = SqlJobStore(engine).enqueue("build", {})
    with engine.begin() as connection:  # as the release before left it
        connection.execute(sa.text("DROP INDEX job_dedupe"))
        connection.execute(sa.text("ALTER TABLE job DROP COLUMN backoff_s"))
        connection.execute(sa.text("ALTER TABLE version DROP COLUMN graph"))
        for table in NEWER:
            connection.execute(sa.text(f"DROP TABLE {table}"))
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0001'"))

    migrate(engine)

    assert SqlJobStore(engine).get(job.id) == job


MIGRATOR = """
import sys
from boucle.adapters.sql import migrate, open_database
sys.stdin.read()  # until all are here
migrate(open_database(sys.argv[1]))
"""


def test_processes_that_migrate_at_once_all_succeed(url: str) -> None:
    command = [sys.executable, "-c", MIGRATOR, url]
    migrators = [subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(3)]
    for migrator in migrators:
        migrator.communicate()

    assert [migrator.returncode for migrator in migrators] == [0, 0, 0]
    assert SqlJobStore(open_database(url)).list(JobQuery()) == ()


def test_a_migration_that_breaks_leaves_nothing_behind(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: Any, **_options: Any) -> None:
        raise RuntimeError("killed")

    monkeypatch.setattr("alembic.op.bulk_insert", broken)
    with pytest.raises(RuntimeError, match="killed"):
        migrate(open_database(url))
    with open_database(url).connect() as connection:
        assert sa.inspect(connection).get_table_names() == []

    monkeypatch.undo()
    migrate(open_database(url))


def test_sqlite_keeps_a_write_ahead_log_and_waits_for_the_disk(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        asked = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")
        }
        assert asked == {"journal_mode": "wal", "synchronous": 2}
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_the_clock_of_the_database_tells_utc_microseconds(engine: sa.Engine) -> None:
    before = time.time_ns() // 1000
    with reading(engine) as connection:
        told = read_clock(connection)
    assert before - 2000 <= told <= time.time_ns() // 1000 + 2000  # SQLite's clock has milliseconds


def test_readers_do_not_wait_for_a_writer(engine: sa.Engine) -> None:
    with writing(engine), reading(open_database(str(engine.url), busy_timeout_s=0.0)) as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM job")).scalar() == 0


def test_a_database_locked_by_another_is_unavailable_after_the_timeout(engine: sa.Engine) -> None:
    impatient = SqlJobStore(open_database(str(engine.url), busy_timeout_s=0.05))
    with writing(engine), pytest.raises(Unavailable, match="did not answer: database is locked") as refused:
        impatient.enqueue("build", {})
    assert refused.value.retry_after_s == 1
    assert impatient.enqueue("build", {}).state == "ready"


def test_writers_wait_for_each_other_and_lose_nothing(engine: sa.Engine) -> None:
    store = SqlRegistryStore(engine)

    def grow() -> None:
        for _ in range(25):
            with store.writing() as tx:
                tx.grow_sequence()

    writers = [threading.Thread(target=grow) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    with store.reading() as view:
        assert view.sequence() == 100


def test_no_connection_stays_open_between_transactions(engine: sa.Engine, tmp_path: Path) -> None:
    SqlJobStore(engine).enqueue("build", {})
    opened = [link.readlink().name for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    assert [name for name in opened if name.startswith("db.sqlite")] == []
    with sqlite3.connect(tmp_path / "home" / "db.sqlite") as connection:
        assert connection.execute("PRAGMA quick_check").fetchone() == ("ok",)
    connection.close()


def test_every_table_can_be_made_on_postgresql() -> None:
    text = "\n".join(
        str(sa.schema.CreateTable(table).compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]
        for table in metadata.sorted_tables
    )
    assert text.count("CREATE TABLE") == 6 + len(NEWER)
    assert "BIGINT" in text
    clock = now_us(sa.create_mock_engine("sqlite://", lambda *_: None))  # type: ignore[arg-type]  # only its dialect is read
    assert "julianday" in str(clock)


def test_adding_to_profiles_looks_their_rows_up_by_index_whatever_the_size_of_the_table(engine: sa.Engine) -> None:
    SqlProfileStore(engine).keep_reference("churn", 1, REFERENCE)
    asked: list[tuple[str, Any]] = []
    sa.event.listen(engine, "before_cursor_execute", lambda _c, _d, text, values, *_rest: asked.append((text, values)))
    with SqlCollectStore(engine).collecting() as tx:
        tx.add({(ALL, T0): rows(low=1), (ALL, T0 + MINUTE): rows(low=1)})

    (text, values) = next((text, values) for text, values in asked if "profile.payload" in text)
    with engine.connect() as connection:
        plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values)]
    assert [step for step in plan if "profile" in step] == [
        "SEARCH profile USING INDEX sqlite_autoindex_profile_1 (key=? AND at=? AND step_s=?)"
    ]


def test_a_postgresql_address_is_reached_by_the_driver_that_comes_with_boucle() -> None:
    pytest.importorskip("psycopg")
    engine = open_database("postgresql://ada:secret@db.example/boucle")
    assert (engine.driver, engine.url.password, engine.url.host) == ("psycopg", "secret", "db.example")
