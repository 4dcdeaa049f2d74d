"""Run by Alembic, as ``env_py``: the migrations go through the connection, and in the transaction, of ``migrate``."""

from __future__ import annotations

from alembic import context

from boucle.adapters.sql.tables import metadata


def migrate() -> None:
    """Run the migrations that are missing."""
    context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
    with context.begin_transaction():
        context.run_migrations()


if __name__ == "env_py":
    migrate()
