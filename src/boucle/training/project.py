"""Project: a Kedro project as it lies in a folder. Training code lives there, in an environment of its own."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boucle.core.errors import EnvironmentFailed, InvalidRequest, NotFound, shown
from boucle.core.i18n import _

LOCK = "requirements.lock"
_CLAUSE = re.compile(r"(>=|<=|==|!=|~=|>|<)\s*(\d+(?:\.\d+)*)(\.\*)?\Z")


@dataclass(frozen=True)
class Project:
    """``folder`` is absolute; ``lock`` the text of its requirements.lock; ``python`` its ``requires-python``."""

    name: str
    folder: Path
    lock: str
    python: str = ""


def find_project(folder: Path) -> Project:
    """Return the project in a folder.

    Raises NotFound when there is no folder or no pyproject.toml in it, InvalidRequest when that is no Kedro project's
    or when the lock is missing.
    """
    path = folder.expanduser().absolute()
    told = _pyproject(path)
    tool, project = told.get("tool"), told.get("project")
    kedro = tool.get("kedro") if isinstance(tool, dict) else None
    if not isinstance(kedro, dict):
        raise InvalidRequest(
            "no-project",
            _("{folder} is no Kedro project: its pyproject.toml has no [tool.kedro].").format(folder=path),
        )
    metadata: dict[str, Any] = project if isinstance(project, dict) else {}
    name = metadata.get("name") or kedro.get("project_name") or path.name
    return Project(str(name), path, _lock(path), str(metadata.get("requires-python") or ""))


def choose_interpreter(project: Project, installed: Iterable[str], preferred: str) -> str:
    """Return the minor version that runs a project: the preferred one if it may, else the newest that may.

    Raises EnvironmentFailed, listing those installed, when none may; InvalidRequest for a ``requires-python``
    that cannot be read.

    >>> choose_interpreter(Project("p", Path("/p"), "", ">=3.11,<3.13"), ["3.13", "3.12", "3.10"], "3.10")
    '3.12'
    """
    there = list(installed)
    for minor in sorted(there, key=lambda minor: (minor == preferred, _numbers(minor)), reverse=True):
        if all(_allows(clause, minor) for clause in project.python.split(",") if clause.strip()):
            return minor
    message = _("Project {name} needs Python {wanted}. There is: {there}. Install one with: uv python install")
    raise EnvironmentFailed(
        message.format(name=project.name, wanted=project.python, there=", ".join(there) or _("none"))
    )


def _pyproject(folder: Path) -> dict[str, Any]:
    try:
        return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        parent = folder.parent if folder.parent.is_dir() else Path.cwd()
        there = sorted(path.parent.name for path in parent.glob("*/pyproject.toml"))
        cure = _("Name the folder that holds its pyproject.toml. Looked in {folder}.").format(folder=parent)
        raise NotFound(_("project"), str(folder), there, cure) from error
    except (OSError, ValueError) as error:
        raise InvalidRequest(
            "no-project", _("{file} cannot be read: {cause}").format(file=folder / "pyproject.toml", cause=error)
        ) from error


def _lock(folder: Path) -> str:
    try:
        return (folder / LOCK).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise InvalidRequest(
            "no-lock",
            _(
                "{folder} has no {lock} that can be read, so its environment cannot be made. Write it there with: "
                "uv pip compile pyproject.toml --universal --generate-hashes --output-file {lock}"
            ).format(folder=folder, lock=LOCK),
        ) from error


def _allows(clause: str, minor: str) -> bool:
    """Tell whether a clause of ``requires-python`` allows some release of a minor version."""
    match = _CLAUSE.match(clause.strip())
    if match is None:
        raise InvalidRequest(
            "unusual-python",
            _("requires-python has {clause}; expected clauses such as >=3.11 or <3.14.").format(clause=shown(clause)),
        )
    operator, numbers = match[1], _numbers(match[2])
    bound = numbers[:2]
    mine = _numbers(minor)[: len(bound) if match[3] else None]  # ==3.* says nothing of the minor
    has_patch = len(numbers) > 2 and any(numbers[2:])
    return {
        ">=": mine >= bound,
        ">": mine > bound or (mine == bound and has_patch),
        "<=": mine <= bound,
        "<": mine < bound or (mine == bound and has_patch),
        "==": mine == bound,
        "!=": mine != bound or len(numbers) > 2,
        "~=": mine == bound if len(numbers) > 2 else mine >= bound and mine[0] == bound[0],
    }[operator]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
