"""Rows handed to another process through a folder, so that a kill leaves none of them on the disk."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

DAY_S = 86_400.0


@contextmanager
def passing_folder(kind: str) -> Iterator[Path]:
    """Lend a folder of the temporary one for the length of a ``with`` block; only its owner may look in.

    Those of the same kind that a killed process left there more than a day ago are deleted first.
    """
    prefix = f"boucle-{kind}-"
    _forget(prefix)
    with tempfile.TemporaryDirectory(prefix=prefix) as name:
        yield Path(name)


@contextmanager
def passing_file(path: Path) -> Iterator[BinaryIO]:
    """Lend a file to write and then to be read at ``path`` by a child, for the length of a ``with`` block.

    On Linux it has no name of its own: ``path`` is a link to what this process holds open, which is gone when the
    process is, in whatever way it ends. Elsewhere it is a file of the folder. Flush it before a child reads.
    """
    held = Path(f"/proc/{os.getpid()}/fd")
    if held.is_dir():
        with tempfile.TemporaryFile(dir=path.parent) as hidden:
            path.symlink_to(held / str(hidden.fileno()))
            yield hidden
    else:
        with path.open("wb") as named:
            yield named


def _forget(prefix: str) -> None:
    yesterday = time.time() - DAY_S
    for path in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        with suppress(OSError):  # another process may forget it just now
            found = path.lstat()
            if found.st_uid == os.getuid() and found.st_mtime < yesterday and path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
