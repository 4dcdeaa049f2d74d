"""The tables as the newest migration leaves them; a test compares the two.

Times are UTC microseconds (BigInteger), documents JSON in Text, so that SQLite and PostgreSQL hold the same.
"""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()

model = sa.Table(
    "model",
    metadata,
    sa.Column("name", sa.String(63), primary_key=True),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("aliases", sa.Text, nullable=False),
    sa.Column("past", sa.Text, nullable=False),
)

version = sa.Table(
    "version",
    metadata,
    sa.Column("model", sa.String(63), sa.ForeignKey("model.name"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("state", sa.String(10), nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("manifest", sa.Text, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("checks", sa.Text, nullable=False),
    sa.Column("runtime", sa.String(10)),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("interpreter", sa.String(20)),
    sa.Column("lock", sa.Text),
    sa.Column("signature", sa.Text),
    sa.Column("graph", sa.Text),
    sa.Column("job", sa.String(36)),
    sa.Column("isolation", sa.String(20), nullable=False),
    sa.UniqueConstraint("model", "digest", name="version_digest"),
    sa.Index("version_state", "state"),
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("model", sa.String(63), sa.ForeignKey("model.name"), nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("action", sa.String(20), nullable=False),
    sa.Column("version", sa.Integer),
    sa.Column("detail", sa.Text, nullable=False),
    sa.UniqueConstraint("model", "position", name="audit_position"),
)

counter = sa.Table(
    "counter",
    metadata,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False),
)

job = sa.Table(
    "job",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("kind", sa.String(40), nullable=False),
    sa.Column("args", sa.Text, nullable=False),
    sa.Column("queue", sa.String(40), nullable=False),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("state", sa.String(10), nullable=False),
    sa.Column("live_key", sa.String(200), unique=True),  # the dedupe key while the job lives, then null
    sa.Column("dedupe", sa.String(200)),
    sa.Column("is_cancelled", sa.Boolean, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("max_attempts", sa.Integer, nullable=False),
    sa.Column("backoff_s", sa.Float, nullable=False, server_default="1.0"),
    sa.Column("fence", sa.Integer, nullable=False),
    sa.Column("owner", sa.String(100)),
    sa.Column("lease_us", sa.BigInteger),
    sa.Column("lease_until", sa.BigInteger),
    sa.Column("timeout_us", sa.BigInteger),
    sa.Column("deadline", sa.BigInteger),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("run_at", sa.BigInteger, nullable=False),
    sa.Column("started_at", sa.BigInteger),
    sa.Column("ended_at", sa.BigInteger),
    sa.Column("steps", sa.Text, nullable=False),
    sa.Column("result", sa.Text),
    sa.Column("error", sa.Text, nullable=False),
    sa.Index("job_ready", "state", "priority", "run_at"),
    sa.Index("job_dedupe", "dedupe", "created_at"),
)

schedule = sa.Table(
    "schedule",
    metadata,
    sa.Column("name", sa.String(100), primary_key=True),
    sa.Column("kind", sa.String(40), nullable=False),
    sa.Column("cron", sa.String(100), nullable=False),
    sa.Column("zone", sa.String(60), nullable=False),
    sa.Column("args", sa.Text, nullable=False),
    sa.Column("options", sa.Text, nullable=False),
    sa.Column("next_at", sa.BigInteger, nullable=False),
    sa.Column("last_at", sa.BigInteger),
)
