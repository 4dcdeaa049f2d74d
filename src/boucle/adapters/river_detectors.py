"""ADWIN and Page-Hinkley of river behind the port Detector (extra ``river``).

Objects of river can only be kept by pickle, which the control plane never reads. What is kept instead are the values
since the last alarm, at most the newest 1,000; a detector is rebuilt by giving them to a fresh one. So after a restart
it remembers 1,000 values (of blocks) at most, and Page-Hinkley's mean is that of those.
"""

from __future__ import annotations

from collections import deque
from importlib import import_module
from typing import Any

from boucle.core.errors import InvalidSetting

MOST_VALUES = 1_000
NAMES = ("adwin", "page-hinkley")


class RiverDetector:
    """One detector of river, by name: ``adwin`` or ``page-hinkley``, with river's defaults.

    >>> found = RiverDetector("adwin")
    >>> any(found.update(value) for value in [0.1] * 300 + [0.9] * 300)
    True
    """

    def __init__(self, name: str, state: dict[str, Any] | None = None) -> None:
        self.name = name
        self._detector = _fresh(name)
        self._values: deque[float] = deque(maxlen=MOST_VALUES)
        for value in (state or {}).get("values", ()):
            self._values.append(float(value))
            self._detector.update(float(value))

    def update(self, value: float) -> bool:
        """Take the next value; True when it raises an alarm. What came before an alarm is then forgotten."""
        self._detector.update(value)
        self._values.append(value)
        if not self._detector.drift_detected:
            return False
        self._values.clear()
        self._detector = _fresh(self.name)
        return True

    def state(self) -> dict[str, Any]:
        """Return the values to rebuild it from."""
        return {"values": list(self._values)}


def makers() -> dict[str, Any]:
    """Return by name what makes a detector from its state, for :class:`boucle.monitoring.feeding.ConceptWatch`."""
    return {name: lambda state, name=name: RiverDetector(name, state) for name in NAMES}


def _fresh(name: str) -> Any:
    """Return a new detector. Raises InvalidSetting for an unknown name, or without river."""
    if name not in NAMES:
        raise InvalidSetting("detectors", name, f"one of: cusum, {', '.join(NAMES)}")
    try:
        drift: Any = import_module("river.drift")
    except ImportError as error:
        raise InvalidSetting("detectors", name, "cusum, or install river: pip install 'boucle[river]'") from error
    return drift.ADWIN() if name == "adwin" else drift.PageHinkley()
