"""The projects that boucle brings along, and where the project that a word names lies. Copies only; runs nothing."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Callable

import boucle
from boucle.core.errors import BoucleError, Conflict, NotFound
from boucle.core.i18n import _

# What work in a project leaves behind; a checkout of boucle has some of it.
NOT_COPIED = shutil.ignore_patterns(
    "__pycache__", "*.pyc", ".*_cache", ".hypothesis", ".venv", "mlruns", "wandb", "lightning_logs", "checkpoints"
)
DATA, LOCAL, KEPT = "data", "conf/local", ".gitkeep"


def starters() -> dict[str, Path]:
    """Return the projects that come with boucle, by name: beside its code, or in a checkout of it."""
    package = Path(boucle.__file__).resolve().parent
    places = (package / "projects", package.parents[1] / "projects")
    root = next((place for place in places if place.is_dir()), places[0])
    return {path.parent.name: path.parent for path in sorted(root.glob("*/pyproject.toml"))}


def copy_starter(name: str, target: Path) -> Path:
    """Copy a project that comes with boucle to a folder, whole or not at all; return the folder, absolute.

    An empty folder that is there already is filled and stays the same one: a shell may be in it.
    Raises NotFound, listing those there are, and Conflict for a folder that is not empty.
    """
    there = starters()
    if name not in there:
        raise NotFound(_("project"), name, list(there))
    folder = absolute(target)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Conflict(_("{folder} is there already and is not empty: name another folder.").format(folder=folder))
    try:
        is_there = folder.exists()
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{name}.", dir=folder if is_there else folder.parent) as beside:
            made = shutil.copytree(there[name], Path(beside) / name, ignore=_ignored(there[name]))
            if is_there:
                for child in made.iterdir():
                    child.replace(folder / child.name)
            else:
                made.replace(folder)
    except OSError as error:
        raise BoucleError(_("{folder} cannot be written: {cause}").format(folder=folder, cause=error)) from error
    return folder


def absolute(path: Path) -> Path:
    """Return the absolute path of one told here. Raises BoucleError when the current folder is gone."""
    try:
        return path.expanduser().absolute()
    except FileNotFoundError as error:
        text = _("The current folder is gone, so {path} leads nowhere. Go to another one: cd")
        raise BoucleError(text.format(path=path)) from error


def find_folder(word: str, made_before: Path, tell: Callable[[str], None]) -> Path:
    """Return the folder of the project that a word of the command line names.

    A folder; else the project of that name made before; else the one that comes with boucle, copied there first.
    Raises NotFound, listing those there are.
    """
    path = Path(word).expanduser()
    is_name = len(path.parts) == 1 and not word.startswith((".", "~"))
    if not is_name or (path / "pyproject.toml").is_file():
        return absolute(path)
    kept = made_before / word
    if (kept / "pyproject.toml").is_file():
        return kept
    if word in starters():
        tell(_("Project {name} is copied to {folder}; it is yours to change.").format(name=word, folder=kept))
        return copy_starter(word, kept)
    mine = (found.parent.name for found in made_before.glob("*/pyproject.toml"))
    raise NotFound(
        _("project"), word, sorted({*starters(), *mine}), _("A folder is named as ./{name}").format(name=word)
    )


def _ignored(root: Path) -> Callable[[str, list[str]], set[str]]:
    def ignored(folder: str, names: list[str]) -> set[str]:
        here = Path(folder).relative_to(root).as_posix()
        found = set(NOT_COPIED(folder, names))
        if here == LOCAL:  # what somebody keeps to themselves
            found |= set(names) - {KEPT}
        return found | ({DATA} & set(names) if here == "." else set())

    return ignored
