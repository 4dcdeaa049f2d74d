"""The commands about projects, as a shell runs them. What they do on a platform: tests/journeys/test_projects.py."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

STANDIN = Path(__file__).parents[1] / "journeys" / "standin"


def boucle(
    folder: Path, *arguments: str, python: tuple[str, ...] = (), url: str = ""
) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "BOUCLE_HOME": str(folder / "home"), "BOUCLE_LANGUAGE": "en", "COLUMNS": "200"}
    environment["BOUCLE_URL"] = url
    command = [sys.executable, *(python or ("-m", "boucle.cli.main")), *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_a_new_project_is_a_copy_and_the_next_command_is_told(tmp_path: Path) -> None:
    made = boucle(tmp_path, "new", "crypto", "my-project")
    assert made.returncode == 0, made.stderr
    assert "boucle run ./my-project" in made.stdout
    assert (tmp_path / "my-project" / "pyproject.toml").is_file()

    again = boucle(tmp_path, "new", "crypto", "my-project")
    assert (again.returncode, "is not empty" in again.stderr) == (1, True)
    told = json.loads(boucle(tmp_path, "new", "crypto", "--json").stdout)
    assert told == {"project": "crypto", "folder": str(tmp_path / "crypto")}


def test_a_new_project_fills_the_current_folder(tmp_path: Path) -> None:
    made = boucle(tmp_path, "new", "crypto", ".")
    assert made.returncode == 0, made.stderr
    assert "boucle run .\n" in made.stdout
    assert (tmp_path / "pyproject.toml").is_file()


def test_a_run_says_what_it_does_and_lives_though_nothing_is_heard(tmp_path: Path) -> None:
    project = shutil.copytree(STANDIN, tmp_path / "standin")
    slow = (
        "import time; from boucle.training import run as r;"
        "real = r.environment_of; r.environment_of = lambda *a: (time.sleep(5), real(*a))[1];"
        "from boucle.cli.main import main; main()"
    )
    elsewhere = "http://127.0.0.1:9"  # named, so that none is started here
    done = boucle(tmp_path, "run", "./standin", "--json", python=("-c", slow), url=elsewhere)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["status"], told["project"], told["folder"]) == (0, "standin", str(project))
    lines = done.stderr.splitlines()
    signs = [int(line.split()[1]) for line in lines if line.startswith("… ")]
    assert max(later - sooner for sooner, later in pairwise([0, *signs])) <= 2
    assert signs[-1] >= 4
    assert "pipeline None params {}" in lines


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("new", "cripto"), "There is no project 'cripto'. There is: crypto"),
        (("run", "cripto"), "There is no project 'cripto'. There is: crypto"),
        (("run", "./nowhere"), "There is no project"),
        (("run", ".", "--param", "x"), "--param x is not understood. Expected NAME=VALUE."),
        (("run", str(STANDIN), "--param", "x=1,2"), "without a comma"),
        (("schedule", "add", "s", "--project", str(STANDIN), "--cron", "* * * * *"), "boucle up"),
        (("schedule", "list"), "boucle up"),
    ],
)
def test_an_error_is_one_message_on_stderr_and_exit_status_1(
    tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "token").write_text("t")  # a platform ran from here, and does not now
    done = boucle(tmp_path, *arguments)
    assert (done.returncode, told in done.stderr) == (1, True), done.stderr
    assert "Traceback" not in done.stderr


def test_running_needs_the_server_part_and_says_so(tmp_path: Path) -> None:
    without = "import sys; sys.modules['uv'] = sys.modules['obstore'] = None; from boucle.cli.main import main; main()"
    done = boucle(tmp_path, "run", str(STANDIN), python=("-c", without))
    assert done.returncode == 1
    assert "This needs the server part" in done.stderr
    assert "pip install 'boucle[server]'" in done.stderr
