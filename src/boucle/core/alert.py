"""Alert: a check that stayed bad, told once, until it is good again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Optional

from boucle.core.check import Check

Severity = Literal["info", "warning", "critical"]


@dataclass(frozen=True)
class Alert:
    """An alert is known by ``model``, ``check.name`` and ``slice`` ("" for all rows); one of them is open at a time.

    Times are UTC microseconds of the windows that were judged. ``check`` is the newest bad one, with its evidence;
    ``closed_at`` is None while it is open; ``silenced_until`` says until when nobody is told.
    """

    id: str
    model: str
    version: int
    check: Check
    severity: Severity
    opened_at: int
    last_at: int
    slice: str = ""
    owner: str = ""
    closed_at: Optional[int] = None
    silenced_until: Optional[int] = None

    @property
    def is_open(self) -> bool:
        """True until the check was good again for long enough."""
        return self.closed_at is None
