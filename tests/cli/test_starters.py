"""Projects that come along: copied whole, found by a folder or a name."""

from __future__ import annotations

from pathlib import Path

import pytest

import boucle
from boucle.cli.starters import copy_starter, find_folder, starters
from boucle.core.errors import BoucleError, Conflict, NotFound


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed boucle that brings two projects, one of them worked in; the current folder is empty."""
    package = tmp_path / "site-packages" / "boucle"
    for name in ("crypto", "shop"):
        (package / "projects" / name).mkdir(parents=True)
        (package / "projects" / name / "pyproject.toml").write_text(f'[project]\nname = "{name}"\n[tool.kedro]\n')
    crypto = package / "projects" / "crypto"
    for path in (
        "conf/local/.gitkeep",
        "conf/local/credentials.yml",
        "data/raw.csv",
        "src/crypto/data/kept.py",
        "src/crypto/__pycache__/x.pyc",
        "mlruns/1/meta",
        ".gitignore",
    ):
        (crypto / path).parent.mkdir(parents=True, exist_ok=True)
        (crypto / path).write_text("")
    (package / "projects" / "lock.py").write_text("")
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setattr(boucle, "__file__", str(package / "__init__.py"))
    return package


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_the_projects_lie_beside_the_code_or_in_its_checkout(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list(starters()) == ["crypto", "shop"]
    checkout = tmp_path / "checkout"
    (checkout / "projects" / "weather").mkdir(parents=True)
    (checkout / "projects" / "weather" / "pyproject.toml").write_text("")
    monkeypatch.setattr(boucle, "__file__", str(checkout / "src" / "boucle" / "__init__.py"))
    assert list(starters()) == ["weather"]


def test_a_copy_holds_what_is_written_and_nothing_of_what_was_run() -> None:
    made = copy_starter("crypto", Path("mine"))
    assert made == Path.cwd() / "mine"
    assert files(made) == [".gitignore", "conf/local/.gitkeep", "pyproject.toml", "src/crypto/data/kept.py"]
    assert files(Path.cwd()) == [f"mine/{name}" for name in files(made)]


def test_an_empty_folder_is_filled_and_a_full_one_refused() -> None:
    Path("empty").mkdir()
    assert "pyproject.toml" in files(copy_starter("shop", Path("empty")))
    with pytest.raises(Conflict, match="is there already and is not empty"):
        copy_starter("shop", Path("empty"))
    Path("file").write_text("mine")
    with pytest.raises(Conflict, match="is there already"):
        copy_starter("shop", Path("file"))
    assert Path("file").read_text() == "mine"


@pytest.mark.parametrize("word", [".", "", "../here", "link"])
def test_the_current_folder_is_filled_and_stays_the_one_that_the_shell_is_in(word: str, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("here")
    here = Path().stat().st_ino

    made = copy_starter("crypto", tmp_path / "link" if word == "link" else Path(word))

    assert (Path().stat().st_ino, made.stat().st_ino) == (here, here)
    assert files(Path.cwd()) == [".gitignore", "conf/local/.gitkeep", "pyproject.toml", "src/crypto/data/kept.py"]
    assert sorted(path.name for path in Path.cwd().iterdir()) == [".gitignore", "conf", "pyproject.toml", "src"]


def test_a_current_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    Path.cwd().rmdir()
    for path in (".", "mine"):
        with pytest.raises(BoucleError, match=r"The current folder is gone, so .* leads nowhere"):
            copy_starter("crypto", Path(path))
    with pytest.raises(BoucleError, match=r"The current folder is gone"):
        find_folder("./mine", tmp_path / "home", print)
    assert "pyproject.toml" in files(copy_starter("crypto", tmp_path / "mine"))


def test_a_wrong_name_is_answered_with_the_right_ones() -> None:
    with pytest.raises(NotFound, match=r"There is no project 'cripto'. There is: crypto, shop\."):
        copy_starter("cripto", Path("mine"))
    assert files(Path.cwd()) == []


def test_a_word_is_a_folder_else_a_project_made_before_else_one_that_comes_along(tmp_path: Path) -> None:
    home, said = tmp_path / "home" / "projects", list[str]()

    copied = find_folder("crypto", home, said.append)
    assert copied == home / "crypto"
    assert said == [f"Project crypto is copied to {copied}; it is yours to change."]
    (copied / "mine.txt").write_text("kept")
    assert find_folder("crypto", home, said.append) == copied
    assert (copied / "mine.txt").exists()

    Path("crypto").mkdir()
    assert find_folder("crypto", home, said.append) == copied  # a folder, but no project
    (Path("crypto") / "pyproject.toml").write_text("")
    assert find_folder("crypto", home, said.append) == Path.cwd() / "crypto"
    assert len(said) == 1


def test_a_word_that_is_a_path_is_one_and_another_lists_what_there_is(tmp_path: Path) -> None:
    home = tmp_path / "home" / "projects"
    (home / "own").mkdir(parents=True)
    (home / "own" / "pyproject.toml").write_text("")
    assert find_folder("./crypto", home, print) == Path.cwd() / "crypto"
    assert find_folder("/elsewhere/crypto", home, print) == Path("/elsewhere/crypto")
    with pytest.raises(NotFound, match=r"There is: crypto, own, shop\. A folder is named as \./cripto"):
        find_folder("cripto", home, print)
