"""Profiles, ground truth, and what watching them came to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the tables of watching."""
    _profiles()
    _truth()
    _watching()
    _alerts()


def _profiles() -> None:
    op.create_table(
        "reference",
        sa.Column("model", sa.String(63), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "profile_key",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("model", sa.String(63), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("stream", sa.String(10), nullable=False),
        sa.Column("slice", sa.Text, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(["model", "version"], ["reference.model", "reference.version"]),
        sa.UniqueConstraint("model", "version", "stream", "slice", name="profile_key_once"),
    )
    op.create_table(
        "profile",
        sa.Column("key", sa.Integer, sa.ForeignKey("profile_key.id"), primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("step_s", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("n_rows", sa.BigInteger, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
    )
    op.create_index("profile_step", "profile", ["step_s", "at"])
    op.create_index("profile_change", "profile", ["key", "revision", "at"])
    op.create_table(
        "stream_position",
        sa.Column("stream", sa.String(100), primary_key=True),
        sa.Column("position", sa.BigInteger, nullable=False),
    )


def _truth() -> None:
    op.create_table(
        "truth",
        sa.Column("model", sa.String(63), primary_key=True),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("logged_at", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("counted", sa.Text),
        sa.Column("minute", sa.BigInteger),
    )
    op.create_index("truth_state", "truth", ["state", "at"])
    op.create_index("truth_minute", "truth", ["model", "minute"])


def _watching() -> None:
    for table, column in (("watch_policy", "policy"), ("watch_state", "state")):
        op.create_table(
            table,
            sa.Column("model", sa.String(63), primary_key=True),
            sa.Column(column, sa.Text, nullable=False),
        )
    op.create_table(
        "verdict",
        sa.Column("model", sa.String(63), primary_key=True),
        sa.Column("stop", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("slice", sa.Text, primary_key=True),
        sa.Column("start", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("checks", sa.Text, nullable=False),
    )


def _alerts() -> None:
    op.create_table(
        "alert",
        sa.Column("id", sa.String(100), primary_key=True),
        sa.Column("model", sa.String(63), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("slice", sa.Text, nullable=False),
        sa.Column("opened_at", sa.BigInteger, nullable=False),
        sa.Column("last_at", sa.BigInteger, nullable=False),
        sa.Column("closed_at", sa.BigInteger),
        sa.Column("alert", sa.Text, nullable=False),
    )
    op.create_index("alert_opened", "alert", ["opened_at"])
    is_open = sa.text("closed_at IS NULL")
    keys = ["model", "name", "slice"]
    op.create_index("alert_open", "alert", keys, unique=True, sqlite_where=is_open, postgresql_where=is_open)
    op.create_table(
        "notification",
        sa.Column("id", sa.String(200), primary_key=True),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("event", sa.String(10), nullable=False),
        sa.Column("alert", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
    )
    op.create_index("notification_due", "notification", ["due_at"])
