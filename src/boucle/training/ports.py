"""What a run of a project needs from the outside: an environment, and a process in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Command:
    """A process to run: ``environ`` is its whole environment; ``timeout_s`` how long it may take (None: for ever)."""

    argv: tuple[str, ...]
    folder: Path
    environ: Mapping[str, str]
    timeout_s: float | None = None


class Environments(Protocol):
    """Environments by their locks."""

    def interpreters(self) -> dict[str, Path]:
        """Return the installed interpreters by minor version (``3.11``), newest first."""

    def ensure(self, lock: str, interpreter: str, *, require_hashes: bool = True) -> Path:
        """Return the Python of the environment of a lock, made now unless it is there. Raises EnvironmentFailed."""


class Processes(Protocol):
    """Processes that leave nothing behind."""

    def run(self, command: Command, tell: Tell) -> int:
        """Run a command to its end and return its exit status; ``tell`` hears each line of its output.

        Whatever it started is gone when this returns, and when the caller dies.
        Raises TimeoutError after ``timeout_s``.
        """
