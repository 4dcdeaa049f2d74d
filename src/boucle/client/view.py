"""What a person sees while a deploy runs: live in a notebook and in a terminal, plain lines anywhere else."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from typing import Any, Callable, Optional, Protocol

from boucle.client.card import MARKS, checks_html, framed_html
from boucle.core.check import Check
from boucle.core.i18n import _

_STYLES = {"pass": "green", "warn": "yellow", "fail": "red"}
_MEGABYTE = 1024 * 1024


class View(Protocol):
    """Hears how a deploy goes on."""

    def stage(self, text: str) -> None: ...
    def uploading(self, sent: int, total: int) -> None: ...
    def check(self, check: Check) -> None: ...
    def done(self, text: str) -> None: ...


@dataclass
class Progress:
    """What a live view shows: the stage under way with its age, and the checks so far by name."""

    title: str
    clock: Callable[[], float] = time.monotonic
    text: str = ""
    since: float = 0.0
    is_done: bool = False
    checks: dict[str, Check] = field(default_factory=dict)

    def begin(self, text: str) -> None:
        """Enter a stage."""
        self.text, self.since = text, self.clock()

    def finish(self, text: str) -> None:
        """Enter the last state: nothing is under way any more."""
        self.text, self.is_done = text, True

    @property
    def line(self) -> str:
        """The stage, with seconds once it takes more than one."""
        if self.is_done:
            return self.text
        age = self.clock() - self.since
        return f"{self.text} … {age:.0f} s" if age >= 1 else f"{self.text} …"


@contextmanager
def showing(title: str) -> Iterator[View]:
    """Show a deploy for the length of a ``with`` block, the way this place can show it. Output goes to stderr."""
    from rich.console import Console

    console = Console(stderr=True)
    if console.is_jupyter and _display() is not None:
        yield NotebookView(Progress(title), _display())
    elif console.is_terminal and not console.is_jupyter:
        with terminal_view(Progress(title), console) as view:
            yield view
    else:
        yield LinesView(title)


class LinesView:
    """One plain line for each thing that happens: logs, pipes, CI."""

    def __init__(self, title: str, write: Optional[Callable[[str], None]] = None) -> None:
        self._write = write or _to_stderr
        self._told = 0.0
        self._write(title)

    def stage(self, text: str) -> None:
        """Tell the stage."""
        self._write(f"  {text}")

    def uploading(self, sent: int, total: int) -> None:
        """Tell how far an upload is, every two seconds."""
        now = time.monotonic()
        if self._told == 0.0:
            self._told = now
        if now - self._told >= 2.0:
            self._told = now
            self._write(f"  {sent_text(sent, total)}")

    def check(self, check: Check) -> None:
        """Tell a check, and its advice when it did not pass."""
        self._write(f"  {MARKS[check.status]} {check.name}: {check.observed}")
        if check.advice and check.status != "pass":
            self._write("\n".join(f"    {line}" for line in check.advice.splitlines()))

    def done(self, text: str) -> None:
        """Tell the end."""
        self._write(f"  {text}")


class NotebookView:
    """One cell output that is written anew as the deploy goes on."""

    def __init__(self, progress: Progress, display: Any) -> None:
        self._progress, self._display = progress, display
        self._handle: Any = None

    def stage(self, text: str) -> None:
        """Show the stage."""
        self._progress.begin(text)
        self._show()

    def uploading(self, sent: int, total: int) -> None:
        """Show how far the upload is."""
        self._progress.text = sent_text(sent, total)
        self._show()

    def check(self, check: Check) -> None:
        """Show a check."""
        self._progress.checks[check.name] = check
        self._show()

    def done(self, text: str) -> None:
        """Show the end."""
        self._progress.finish(text)
        self._show()

    def _show(self) -> None:
        bar = "" if self._progress.is_done else '<progress style="width:8em"></progress> '
        line = f'<div style="opacity:.7">{bar}{escape(self._progress.line)}</div>'
        content = _Html(framed_html(self._progress.title, line + checks_html(list(self._progress.checks.values()))))
        if self._handle is None:
            self._handle = self._display(content, display_id=True)
        else:
            self._handle.update(content)


@contextmanager
def terminal_view(progress: Progress, console: Any) -> Iterator[View]:
    """Show a table of checks and a spinner that keeps turning, with rich."""
    from rich.live import Live
    from rich.spinner import Spinner
    from rich.table import Table

    spinner = Spinner("dots")

    def render() -> Any:
        grid = Table.grid(padding=(0, 2))
        for check in progress.checks.values():
            mark = f"[{_STYLES[check.status]}]{MARKS[check.status]}[/]"
            grid.add_row(mark, _plain(check.name), _plain(check.observed))
        outer = Table.grid()
        outer.add_row(_plain(progress.title))
        outer.add_row(grid)
        spinner.update(text=_plain(progress.line))
        outer.add_row(_plain(progress.line) if progress.is_done else spinner)
        return outer

    with Live(console=console, get_renderable=render, refresh_per_second=8, transient=False):
        yield _TerminalView(progress)


@dataclass
class _TerminalView:
    progress: Progress

    def stage(self, text: str) -> None:
        self.progress.begin(text)

    def uploading(self, sent: int, total: int) -> None:
        self.progress.text = sent_text(sent, total)

    def check(self, check: Check) -> None:
        self.progress.checks[check.name] = check

    def done(self, text: str) -> None:
        self.progress.finish(text)


@dataclass(frozen=True)
class _Html:
    """What a notebook displays: IPython asks objects for their HTML."""

    html: str

    def _repr_html_(self) -> str:
        return self.html


def sent_text(sent: int, total: int) -> str:
    """Return how much of an upload is there.

    >>> sent_text(1048576, 4194304)
    'Sending 1.0 of 4.0 MB'
    """
    return _("Sending {sent:.1f} of {total:.1f} MB").format(sent=sent / _MEGABYTE, total=total / _MEGABYTE)


def _plain(text: str) -> Any:
    from rich.text import Text

    return Text(text)


def _display() -> Any:
    module = sys.modules.get("IPython.display") or sys.modules.get("IPython.core.display_functions")
    return getattr(module, "display", None)


def _to_stderr(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
