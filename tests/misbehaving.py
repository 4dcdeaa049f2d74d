"""A model that behaves as the row says; it is carried by value into worker processes."""

from __future__ import annotations

import os
import signal
import time
from typing import Any


class Obedient:
    """Doubles ``x``. Negative values are orders: see ``predict``."""

    def predict(self, rows: Any) -> Any:
        """Return twice ``x``.

        -1 raises, -2 dies, -3 sleeps, -4 prints, -5 answers too much, -6 exits, -7 answers NaN, -8 takes a second.
        """
        values = [float(row["x"]) for row in rows]
        for value in values:
            if value == -1:
                raise ValueError("minus one\nis not a value")
            if value == -2:
                os.kill(os.getpid(), signal.SIGKILL)
            if value == -3:
                time.sleep(30)
            if value == -4:
                print("x" * 1_000_000, flush=True)
            if value == -5:
                return [0.0] * 10_000
            if value == -6:
                os._exit(3)
            if value == -8:
                time.sleep(1)
            if value == -7:
                return [float("nan")] * len(values)
        return [value * 2 for value in values]
