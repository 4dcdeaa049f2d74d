"""What the wiring lends to projects, and that runs of one folder do not meet."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, cast

import pytest

from boucle.bootstrap.home import Home
from boucle.bootstrap.projects import _alone, lent_packages, run_job
from boucle.jobs.context import JobContext
from boucle.settings import load
from boucle.training.run import RunRequest, RunWorld


class Asked:
    """The context of a job, as far as a run looks at it."""

    job_id = "job-1"

    def __init__(self, **args: Any) -> None:
        self.args = args


def test_a_project_finds_this_boucle_and_nothing_else_of_our_python(tmp_path: Path) -> None:
    home = Home(tmp_path).prepare()
    folder = lent_packages(home)
    assert lent_packages(home) == folder
    assert sorted(path.name for path in folder.iterdir()) == ["boucle", "boucle_worker"]
    code = "import boucle, importlib.util as u; print(boucle.__version__, u.find_spec('httpx'))"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        env={"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "0.1.0 None\n"


@pytest.mark.parametrize(
    ("host", "reached", "has_token"),
    [
        ("127.0.0.1", "127.0.0.1", False),
        ("10.0.0.5", "10.0.0.5", True),
        ("0.0.0.0", "127.0.0.1", False),  # noqa: S104  # nothing listens in this test
    ],
)
def test_a_run_is_told_the_token_only_where_it_cannot_read_it_from_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, reached: str, has_token: bool
) -> None:
    seen: list[tuple[RunRequest, RunWorld]] = []
    monkeypatch.setattr(
        "boucle.bootstrap.projects.run_project", lambda request, world, _tell: seen.append((request, world))
    )
    settings = load({}, home=tmp_path, host=host, port=8123)

    run_job(cast("JobContext", Asked(project="/p", pipeline="training")), settings)

    ((request, world),) = seen
    assert request == RunRequest("/p", "training")
    assert (world.environ["BOUCLE_URL"], world.environ["BOUCLE_HOME"]) == (f"http://{reached}:8123", str(tmp_path))
    assert ("BOUCLE_TOKEN" in world.environ) == has_token
    assert world.log == tmp_path / "logs" / "runs" / "job-1.log"


def test_runs_of_one_folder_come_one_after_the_other_and_those_of_another_do_not_wait(tmp_path: Path) -> None:
    home, said, order = Home(tmp_path).prepare(), threading.Event(), list[str]()

    def second() -> None:
        with _alone(home, "/p/../p", lambda _line: said.set()):
            order.append("second")

    thread = threading.Thread(target=second)
    with _alone(home, "/p", print), _alone(home, "/other", print):
        thread.start()
        assert said.wait(10)
        order.append("first")
    thread.join(10)

    assert order == ["first", "second"]
    assert all(path.name.startswith(".") for path in home.projects.iterdir())
