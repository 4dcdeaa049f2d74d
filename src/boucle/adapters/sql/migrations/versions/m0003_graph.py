"""Versions keep the ONNX file that their build made of the model."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column; versions built before have no such file."""
    op.add_column("version", sa.Column("graph", sa.Text))
