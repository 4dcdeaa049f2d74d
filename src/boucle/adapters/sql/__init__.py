"""The relational database: SQLite in one file, PostgreSQL when several machines share it. Portable types only."""

from boucle.adapters.sql.database import open_database
from boucle.adapters.sql.job_store import SqlJobStore
from boucle.adapters.sql.migrate import migrate
from boucle.adapters.sql.registry_store import SqlRegistryStore
from boucle.adapters.sql.schedule_store import SqlScheduleStore

__all__ = ["SqlJobStore", "SqlRegistryStore", "SqlScheduleStore", "migrate", "open_database"]
