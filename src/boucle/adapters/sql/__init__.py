"""The relational database: SQLite in one file, PostgreSQL when several machines share it. Portable types only."""

from boucle.adapters.sql.collect_store import SqlCollectStore
from boucle.adapters.sql.database import open_database
from boucle.adapters.sql.job_store import SqlJobStore
from boucle.adapters.sql.migrate import migrate
from boucle.adapters.sql.profile_store import SqlProfileStore
from boucle.adapters.sql.registry_store import SqlRegistryStore
from boucle.adapters.sql.schedule_store import SqlScheduleStore
from boucle.adapters.sql.truth_store import SqlTruthStore
from boucle.adapters.sql.watch_store import SqlWatchStore

__all__ = [
    "SqlCollectStore",
    "SqlJobStore",
    "SqlProfileStore",
    "SqlRegistryStore",
    "SqlScheduleStore",
    "SqlTruthStore",
    "SqlWatchStore",
    "migrate",
    "open_database",
]
