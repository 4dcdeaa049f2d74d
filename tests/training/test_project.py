"""What a folder must hold to be a project, and which Python runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from boucle.core.errors import BoucleError, EnvironmentFailed, InvalidRequest, NotFound
from boucle.training.project import Project, choose_interpreter, find_project

PYPROJECT = '[project]\nname = "fore"\nrequires-python = ">=3.11"\n[tool.kedro]\npackage_name = "fore"\n'


def made(folder: Path, pyproject: str = PYPROJECT, lock: str | None = "pluggy==1.6.0\n") -> Path:
    folder.mkdir(parents=True)
    (folder / "pyproject.toml").write_text(pyproject)
    if lock is not None:
        (folder / "requirements.lock").write_text(lock)
    return folder


def test_a_project_is_found_in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    assert find_project(Path("mine")) == Project("fore", tmp_path / "mine", "pluggy==1.6.0\n", ">=3.11")


@pytest.mark.parametrize(
    ("pyproject", "lock", "kind", "told"),
    [
        ('[project]\nname = "x"\n', "", InvalidRequest, "has no [tool.kedro]"),
        ("[tool.kedro", "", InvalidRequest, "pyproject.toml cannot be read"),
        (PYPROJECT, None, InvalidRequest, "uv pip compile pyproject.toml --universal --generate-hashes"),
    ],
    ids=["not kedro's", "not toml", "no lock"],
)
def test_a_folder_that_is_no_project_says_what_it_lacks(
    tmp_path: Path, pyproject: str, lock: str | None, kind: type[BoucleError], told: str
) -> None:
    with pytest.raises(kind) as caught:
        find_project(made(tmp_path / "mine", pyproject, lock))
    assert told in str(caught.value)


@pytest.mark.parametrize("name", ["other", "other/pyproject.toml", "mine/requirements.lock"])
def test_a_folder_that_is_not_there_is_answered_with_those_that_are(tmp_path: Path, name: str) -> None:
    made(tmp_path / "mine")
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotFound, match=r"There is no project .*There is: (mine|none)"):
        find_project(tmp_path / name)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("", "3.12"),
        (">=3.11", "3.12"),
        (">=3.13", "3.14"),
        (">=3.9,<3.12", "3.11"),
        ("<3.11.2", "3.11"),
        ("==3.13.*", "3.13"),
        ("==3.*", "3.12"),
        ("==3.*,!=3.12.*", "3.14"),
        ("~=3.11", "3.12"),
        ("~=3.11.4", "3.11"),
        ("!=3.12,!=3.14", "3.13"),
        (">3.12", "3.14"),
        ("<=3.11", "3.11"),
    ],
)
def test_the_platforms_own_python_is_preferred_then_the_newest_that_may(wanted: str, expected: str) -> None:
    project = Project("fore", Path("/fore"), "", wanted)
    assert choose_interpreter(project, ["3.14", "3.13", "3.12", "3.11"], "3.12") == expected


def test_a_python_that_is_not_installed_or_cannot_be_read_is_refused() -> None:
    with pytest.raises(EnvironmentFailed, match=r"fore needs Python >=3.15. There is: 3.11"):
        choose_interpreter(Project("fore", Path("/fore"), "", ">=3.15"), ["3.11"], "3.11")
    for wanted in ("==3", "==2.*", "!=3.*"):
        with pytest.raises(EnvironmentFailed, match="fore needs Python"):
            choose_interpreter(Project("fore", Path("/fore"), "", wanted), ["3.11"], "3.11")
    with pytest.raises(InvalidRequest, match="'about 3'"):
        choose_interpreter(Project("fore", Path("/fore"), "", "about 3"), ["3.11"], "3.11")
