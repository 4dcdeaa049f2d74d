"""Progress of long work: its lines as they come, and a sign of life whenever it has been silent for a while."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Optional

from rich.console import Console

from boucle.core.i18n import _, current_language, use_language

SILENT_S = 1.5


class Progress:
    """``tell(line)`` prints a line; after ``silent_s`` without one the seconds so far are shown.

    On a terminal that is one line with a spinner, elsewhere a line each time.
    """

    def __init__(self, to_stderr: bool = False, silent_s: float = SILENT_S) -> None:
        self._console = Console(stderr=to_stderr, highlight=False, markup=False, emoji=False)
        is_one_screen = self._console.is_terminal
        self._signs = self._console if is_one_screen else Console(stderr=True, highlight=False, markup=False)
        self._silent_s = silent_s
        self._status = self._signs.status("") if self._signs.is_terminal else None
        self._start = self._last = time.monotonic()
        self._is_over = threading.Event()
        self._language = current_language()
        self._thread = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> Progress:
        if self._status is not None:
            self._status.start()
        self._thread.start()
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self._is_over.set()
        self._thread.join()
        if self._status is not None:
            self._status.stop()

    def tell(self, line: str) -> None:
        """Print a line."""
        self._last = time.monotonic()
        self._console.print(line, soft_wrap=True)

    def _tick(self) -> None:
        use_language(self._language)
        while not self._is_over.wait(0.5):
            now = time.monotonic()
            sign = _("… {n:.0f} s").format(n=now - self._start)
            if self._status is not None:
                self._status.update(sign)
            elif now - self._last >= self._silent_s:
                self._last = now
                self._signs.print(sign)
