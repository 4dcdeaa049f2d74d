"""The Python interpreters of this machine, found by where they lie: reading folders takes a millisecond.

``uv python list`` runs each candidate (half a second, and pyenv's shims fail when run), so it is not asked.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

_NAME = re.compile(r"python(3\.\d+)\Z")


def installed(environ: Mapping[str, str]) -> dict[str, Path]:
    """Return the interpreters by minor version (``3.11``), newest version first.

    Preferred in this order: the one that runs this, those on PATH (no shims), uv's own, pyenv's.
    """
    found: dict[str, Path] = {}
    for folder in _folders(environ):
        for minor, path in _in_folder(folder):
            found.setdefault(minor, path)
    return dict(sorted(found.items(), key=lambda item: int(item[0].split(".")[1]), reverse=True))


def _folders(environ: Mapping[str, str]) -> Iterator[Path]:
    yield Path(sys.base_prefix) / "bin"
    for entry in environ.get("PATH", "").split(os.pathsep):
        folder = Path(entry)
        if folder.is_absolute() and folder.name != "shims" and not (folder.parent / "pyvenv.cfg").exists():
            yield folder
    home = Path(environ.get("HOME") or Path.home())
    data = Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    yield from _newest_first(Path(environ.get("UV_PYTHON_INSTALL_DIR") or data / "uv" / "python"))
    yield from _newest_first(Path(environ.get("PYENV_ROOT") or home / ".pyenv") / "versions")


def _newest_first(root: Path) -> list[Path]:
    versions = [folder for folder in _entries(root) if re.match(r"(cpython-)?3\.\d+\.\d+(-|\Z)", folder.name)]
    return [folder / "bin" for folder in sorted(versions, key=_numbers, reverse=True)]


def _numbers(folder: Path) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", folder.name)[:3])


def _in_folder(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in _entries(folder):
        match = _NAME.match(path.name)
        if match and path.is_file() and os.access(path, os.X_OK):
            yield match.group(1), path


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []
