"""Command lines as a shell runs them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Protocol

from client.platform import TOKEN, Platform


class Shell(Protocol):
    """Runs a command line and returns what it printed."""

    def __call__(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]: ...


def shell_of(platform: Platform, folder: Path) -> Shell:
    """Return a shell in a folder, against a platform."""
    home = folder / "home"
    home.mkdir()
    (home / "token").write_text(TOKEN)
    environment = {
        "BOUCLE_HOME": str(home),
        "BOUCLE_URL": platform.url,
        "BOUCLE_LANGUAGE": "en",
        "PATH": "/usr/bin:/bin",
        "COLUMNS": "120",
    }

    def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "boucle.cli.main", *arguments]
        return subprocess.run(
            command, input=stdin, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    return run
