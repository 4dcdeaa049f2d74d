"""Check: the outcome of any test. Build steps, data tests, gates and health all give Checks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Status = Literal["pass", "warn", "fail"]


@dataclass(frozen=True)
class Check:
    """What was looked at, what was seen, what was expected, and what to do about it.

    ``name`` is a stable word (``environment``, ``load``, ``reproduce`` ...); ``observed``, ``expected`` and
    ``advice`` are sentences for people, ``advice`` empty when there is nothing to do; ``evidence`` holds the
    figures, JSON scalars and lists only.

    >>> Check("load", "pass", observed="loaded in 0.4 s").is_failed
    False
    """

    name: str
    status: Status
    observed: str = ""
    expected: str = ""
    advice: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)

    @property
    def is_failed(self) -> bool:
        """True when the check says that what it looked at must not be used."""
        return self.status == "fail"
