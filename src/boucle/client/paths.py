"""Files that are not there: the error that lists those that are."""

from __future__ import annotations

from pathlib import Path

from boucle.core.errors import NotFound
from boucle.core.i18n import _


def missing_file(path: Path) -> NotFound:
    """Return the error for a file that is not there, with the files of its kind beside it."""
    folder = path.parent if path.parent.is_dir() else Path.cwd()
    there = sorted(file.name for file in folder.glob(f"*{path.suffix}")) if path.suffix else []
    return NotFound(_("file"), str(path), there, _("Looked in {folder}.").format(folder=folder.resolve()))
