"""How far long work is: nothing while it is quick, then one line now and then on stderr."""

from __future__ import annotations

import sys
import time
from typing import Any, Callable, Optional, TextIO

QUIET_S, LONGEST_S = 2.0, 30.0


class Pace:
    """``tell(text)`` shows a text once the work takes more than two seconds, and more and more seldom after.

    On a terminal the line is written over and gone in the end.
    """

    def __init__(self, out: Optional[TextIO] = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out or sys.stderr
        self._clock = clock
        self._is_terminal = self._out.isatty()
        self._next, self._wait = clock() + QUIET_S, QUIET_S
        self._is_shown = False

    def __enter__(self) -> Pace:
        return self

    def __exit__(self, *_how: Any) -> None:
        if self._is_shown and self._is_terminal:
            self._out.write("\r\x1b[K")
            self._out.flush()

    def tell(self, text: str) -> None:
        """Show how far it is, when it is time to."""
        now = self._clock()
        if now < self._next:
            return
        if not self._is_terminal:
            self._wait = min(self._wait * 2, LONGEST_S)
        self._next = now + (0.2 if self._is_terminal else self._wait)
        self._is_shown = True
        self._out.write(f"\r\x1b[K  {text}" if self._is_terminal else f"  {text}\n")
        self._out.flush()
