"""Jobs say how long they wait between attempts; those of a schedule are found by their key."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column, as it was for every job before, and the index."""
    op.add_column("job", sa.Column("backoff_s", sa.Float, nullable=False, server_default="1.0"))
    op.create_index("job_dedupe", "job", ["dedupe", "created_at"])
