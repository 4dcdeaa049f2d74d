"""Truth: an outcome that a caller told, by the id of the prediction it belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

TruthState = Literal["waiting", "joined", "unknown"]


@dataclass(frozen=True)
class Truth:
    """The outcome of one answer: ``id`` is ``prediction_id:row``; ``value`` a JSON value (a list for several labels).

    ``at`` is when it was told, UTC microseconds. ``counted`` is the document of what profiles of quality already
    count for this id (None: nothing), so that a correction takes exactly that back; ``minute`` is that of the
    prediction, once joined.
    """

    model: str
    id: str
    value: Any
    at: int
    logged_at: int
    state: TruthState = "waiting"
    counted: dict[str, Any] | None = None
    minute: int | None = None
