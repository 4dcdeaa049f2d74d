"""A model that needs numpy alone, so that its environment is small and its build quick."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import numpy as np


class Doubling:
    """Answers ``factor`` times the sum of a row."""

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def predict(self, rows: Any) -> Any:
        """Return one number a row."""
        return np.asarray(rows).sum(axis=1) * self.factor


class Moody(Doubling):
    """Answers otherwise to a row alone than to the same row among others."""

    def predict(self, rows: Any) -> Any:
        """Return one number a row."""
        return super().predict(rows) + (len(rows) == 1) * 0.5


class Dying(Doubling):
    """Ends its process, as a fault in compiled code does."""

    def predict(self, rows: Any) -> Any:
        """Return nothing, ever."""
        os.kill(os.getpid(), signal.SIGSEGV)


class Hanging(Doubling):
    """Never answers."""

    def predict(self, rows: Any) -> Any:
        """Return nothing, ever."""
        time.sleep(3600)
