"""What the wiring lends to projects, which platform they find, and that runs of one folder do not meet."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from boucle.bootstrap.home import Home
from boucle.bootstrap.projects import _alone, lent_packages, run_here, run_job
from boucle.core.errors import InvalidRequest, NotFound
from boucle.jobs.context import JobContext
from boucle.settings import load
from boucle.training.run import RunFailed, RunRequest, RunWorld


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
        "boucle.bootstrap.projects.run_project", lambda request, world, _tell, _start: seen.append((request, world))
    )
    settings = load({}, home=tmp_path, host=host, port=8123)

    run_job(cast("JobContext", Asked(project="/p", pipeline="training")), settings)

    ((request, world),) = seen
    assert request == RunRequest("/p", "training")
    assert (world.environ["BOUCLE_URL"], world.environ["BOUCLE_HOME"]) == (f"http://{reached}:8123", str(tmp_path))
    assert ("BOUCLE_TOKEN" in world.environ) == has_token
    assert world.log == tmp_path / "logs" / "runs" / "job-1.log"


@pytest.fixture
def project(tmp_path: Path) -> RunRequest:
    folder = tmp_path / "fore"
    folder.mkdir()
    (folder / "pyproject.toml").write_text('[project]\nname = "fore"\n[tool.kedro]\npackage_name = "fore"\n')
    (folder / "requirements.lock").write_text("")
    return RunRequest(str(folder))


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """The platforms that were started (True: detached); a run only tells which platform it would find."""
    seen: list[bool] = []

    def start(_settings: object, detach: bool, tell: object) -> dict[str, str]:
        del tell
        seen.append(detach)
        return {"url": "http://127.0.0.1:4242"}

    def run(_request: RunRequest, world: RunWorld, tell: Callable[[str], None], _start: float) -> RunWorld:
        tell("the first line of the project")
        return world

    monkeypatch.setattr("boucle.bootstrap.projects.ensure_up", start)
    monkeypatch.setattr("boucle.bootstrap.projects.run_project", run)
    return seen


def test_a_run_by_hand_starts_the_platform_of_the_home_and_says_so(
    tmp_path: Path, project: RunRequest, started: list[bool]
) -> None:
    told: list[str] = []
    world = cast("RunWorld", run_here(project, load({}, home=tmp_path / "home"), told.append))

    assert started == [True]
    assert world.environ["BOUCLE_URL"] == "http://127.0.0.1:4242"
    assert told == [
        f"No platform runs from {tmp_path / 'home'}: starting it",
        "The local platform is up at http://127.0.0.1:4242 (stop it with: boucle down)",
        "the first line of the project",
    ]
    assert world.log.read_text().splitlines() == told, "all that was told is in the log of the run"


def test_a_platform_that_is_named_or_runs_is_not_started_again(
    tmp_path: Path, project: RunRequest, started: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load({}, home=tmp_path / "home", url="https://far.example", token="t")
    far = cast("RunWorld", run_here(project, settings, lambda _line: None))
    monkeypatch.setattr(Home, "platform", lambda _home: {"url": "http://127.0.0.1:1"})
    near = cast("RunWorld", run_here(project, load({}, home=tmp_path / "home"), lambda _line: None))

    assert (far.environ["BOUCLE_URL"], far.environ["BOUCLE_TOKEN"]) == ("https://far.example", "t")
    assert near.environ["BOUCLE_URL"] == "http://127.0.0.1:1"
    assert started == []


def test_nothing_is_started_for_a_project_that_cannot_run(
    tmp_path: Path, project: RunRequest, started: list[bool]
) -> None:
    settings = load({}, home=tmp_path / "home")
    with pytest.raises(InvalidRequest, match="without a comma"):
        run_here(replace(project, params={"x": "1,2"}), settings, print)
    with pytest.raises(NotFound):
        run_here(RunRequest(str(tmp_path / "nowhere")), settings, print)
    assert started == []


def test_the_time_of_a_run_ends_while_it_waits_for_another_too(tmp_path: Path, project: RunRequest) -> None:
    settings = load({}, home=tmp_path / "home")
    with _alone(Home(tmp_path / "home").prepare(), project.project, print), pytest.raises(RunFailed) as caught:
        run_job(
            cast("JobContext", Asked(project=project.project, timeout_s=0.3)),
            settings,
        )

    text = str(caught.value)
    assert text.startswith(f"Another run of {project.project} was still under way after 0.3 s.")
    assert caught.value.status == 124
    assert caught.value.log.read_text() == (f"Another run of {project.project} is under way: waiting for its end\n")


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
