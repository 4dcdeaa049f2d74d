"""The gateway's own copy of the route table: what it starts and serves from when the control plane is down."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from boucle.core.document import canonical, from_json
from boucle.core.errors import InvalidDocument
from boucle.core.files import publish
from boucle.core.routes import RouteTable

log = logging.getLogger("boucle.gateway")


def read_table(path: Path) -> RouteTable | None:
    """Return the copy; None when there is none, or when it cannot be read (which is logged)."""
    try:
        return from_json(RouteTable, json.loads(path.read_bytes()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, InvalidDocument) as error:
        log.warning("the copy of the route table cannot be read", extra={"path": str(path)}, exc_info=error)
        return None


def write_table(path: Path, table: RouteTable) -> None:
    """Replace the copy at once and for good. Raises OSError."""
    publish(path, canonical(table))
