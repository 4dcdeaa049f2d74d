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

reference = sa.Table(
    "reference",
    metadata,
    sa.Column("model", sa.String(63), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("payload", sa.LargeBinary, nullable=False),
)

profile_key = sa.Table(  # a number instead of four texts in each of the many rows of profile
    "profile_key",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("model", sa.String(63), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("stream", sa.String(10), nullable=False),
    sa.Column("slice", sa.Text, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),  # of its newest change
    sa.ForeignKeyConstraint(["model", "version"], ["reference.model", "reference.version"]),
    sa.UniqueConstraint("model", "version", "stream", "slice", name="profile_key_once"),
)

profile = sa.Table(
    "profile",
    metadata,
    sa.Column("key", sa.Integer, sa.ForeignKey("profile_key.id"), primary_key=True, autoincrement=False),
    sa.Column("at", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("step_s", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("n_rows", sa.BigInteger, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    sa.Index("profile_step", "step_s", "at"),
    sa.Index("profile_change", "key", "revision", "at"),
)

stream_position = sa.Table(
    "stream_position",
    metadata,
    sa.Column("stream", sa.String(100), primary_key=True),
    sa.Column("position", sa.BigInteger, nullable=False),
)

truth = sa.Table(
    "truth",
    metadata,
    sa.Column("model", sa.String(63), primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),  # as callers send it
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("logged_at", sa.BigInteger, nullable=False),
    sa.Column("state", sa.String(10), nullable=False),
    sa.Column("counted", sa.Text),
    sa.Column("minute", sa.BigInteger),
    sa.Index("truth_state", "state", "at"),
    sa.Index("truth_minute", "model", "minute"),
)

watch_policy = sa.Table(
    "watch_policy",
    metadata,
    sa.Column("model", sa.String(63), primary_key=True),
    sa.Column("policy", sa.Text, nullable=False),
)

watch_state = sa.Table(
    "watch_state",
    metadata,
    sa.Column("model", sa.String(63), primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
)

verdict = sa.Table(
    "verdict",
    metadata,
    sa.Column("model", sa.String(63), primary_key=True),
    sa.Column("stop", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("slice", sa.Text, primary_key=True),
    sa.Column("start", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("checks", sa.Text, nullable=False),
)

alert = sa.Table(
    "alert",
    metadata,
    sa.Column("id", sa.String(100), primary_key=True),
    sa.Column("model", sa.String(63), nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("slice", sa.Text, nullable=False),
    sa.Column("opened_at", sa.BigInteger, nullable=False),
    sa.Column("last_at", sa.BigInteger, nullable=False),
    sa.Column("closed_at", sa.BigInteger),
    sa.Column("alert", sa.Text, nullable=False),
    sa.Index("alert_opened", "opened_at"),
)
sa.Index(  # one alert of a check is open at a time
    "alert_open",
    alert.c.model,
    alert.c.name,
    alert.c.slice,
    unique=True,
    sqlite_where=alert.c.closed_at.is_(None),
    postgresql_where=alert.c.closed_at.is_(None),
)

notification = sa.Table(
    "notification",
    metadata,
    sa.Column("id", sa.String(200), primary_key=True),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("event", sa.String(10), nullable=False),
    sa.Column("alert", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("due_at", sa.BigInteger, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
    sa.Index("notification_due", "due_at"),
)
