"""A run over an environment and a process of the test: what is asked of them, what is told of the end."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from boucle.core.errors import InvalidRequest, NotFound
from boucle.training.ports import Command, Tell
from boucle.training.run import PREFERRED, RunFailed, RunRequest, RunWorld, kedro_arguments, run_project


@dataclass
class Scene:
    """An environment that is there, and a process that prints what a test says."""

    lines: tuple[str, ...] = ()
    status: int = 0
    is_slow: bool = False
    locks: list[tuple[str, str, bool]] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)

    def interpreters(self) -> dict[str, Path]:
        return {PREFERRED: Path("/usr/bin/python")}

    def ensure(self, lock: str, interpreter: str, *, require_hashes: bool = True) -> Path:
        self.locks.append((lock, interpreter, require_hashes))
        return Path("/envs/1/bin/python")

    def run(self, command: Command, tell: Tell) -> int:
        self.commands.append(command)
        for line in self.lines:
            tell(line)
        if self.is_slow:
            raise TimeoutError
        return self.status

    def world(self, environ: Mapping[str, str] | None = None) -> RunWorld:
        return RunWorld(self, self, environ or {"PATH": "/bin"}, Path("/home/packages"), Path("/home/logs/1.log"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "fore"\n[tool.kedro]\npackage_name = "fore"\n')
    (tmp_path / "requirements.lock").write_text("kedro==1.7.0 \\\n    --hash=sha256:00\ntorch==2.13.0\n")
    return tmp_path


def test_a_run_makes_the_environment_of_the_lock_and_runs_kedro_there(folder: Path) -> None:
    scene, told = Scene(lines=("hello",)), list[str]()
    request = RunRequest(str(folder), "training", {"pair": "BTCUSDT"}, timeout_s=60)

    ran = run_project(request, scene.world(), told.append)

    assert scene.locks == [((folder / "requirements.lock").read_text(), PREFERRED, False)]
    (command,) = scene.commands
    assert command.argv == (
        "/envs/1/bin/python",
        *("-m", "kedro", "run", "--pipelines=training", "--params=pair=BTCUSDT"),
    )
    assert command.folder == folder
    assert command.timeout_s == pytest.approx(60, abs=5)
    assert (ran.project, ran.folder, ran.pipeline, ran.log) == ("fore", str(folder), "training", "/home/logs/1.log")
    assert told == [
        f"Making sure of the environment of fore: Python {PREFERRED}, 2 packages",
        f"Running kedro run --pipelines=training --params=pair=BTCUSDT in {folder}",
        "hello",
    ]


def test_the_command_finds_boucle_and_its_own_scripts_and_nothing_of_our_python(folder: Path) -> None:
    scene = Scene()
    ours = {"PATH": "/bin", "PYTHONPATH": "/mine", "VIRTUAL_ENV": "/mine", "BOUCLE_HOME": "/home", "PYTHONHOME": "/x"}
    run_project(RunRequest(str(folder)), scene.world(ours), lambda _line: None)
    environ = scene.commands[0].environ
    assert environ["PATH"] == "/envs/1/bin:/bin"
    assert environ["PYTHONPATH"] == "/home/packages"
    assert (environ["BOUCLE_HOME"], environ["DO_NOT_TRACK"]) == ("/home", "1")
    assert not {"VIRTUAL_ENV", "PYTHONHOME"} & set(environ)


def test_a_failure_tells_the_status_the_log_and_the_last_lines(folder: Path) -> None:
    lines = (*(f"step {n}" for n in range(100)), "", "ValueError: no candles", "")
    with pytest.raises(RunFailed) as caught:
        run_project(RunRequest(str(folder)), Scene(lines, status=3).world(), lambda _line: None)
    text = str(caught.value)
    assert text.startswith(
        "Project fore ended with status 3. All of its output is in /home/logs/1.log; its last lines:\n"
    )
    assert text.endswith("step 98\nstep 99\nValueError: no candles")
    assert "step 80" not in text
    assert caught.value.status == 3


def test_the_last_lines_fit_in_the_error_of_a_job_however_long_they_are(folder: Path) -> None:
    lines = (*("x" * 5000 for _n in range(30)), "ValueError: the end")
    with pytest.raises(RunFailed) as caught:
        run_project(RunRequest(str(folder)), Scene(lines, status=1).world(), lambda _line: None)
    assert len(str(caught.value)) < 1_900
    assert str(caught.value).endswith("ValueError: the end")


def test_a_run_that_takes_too_long_says_so_with_its_last_lines(folder: Path) -> None:
    scene = Scene(("waiting for the exchange",), is_slow=True)
    with pytest.raises(RunFailed, match=r"(?s)fore was ended after 5 s.*waiting for the exchange") as caught:
        run_project(RunRequest(str(folder), timeout_s=5), scene.world(), lambda _line: None)
    assert caught.value.status == 124


def test_what_was_waited_for_before_the_command_counts(folder: Path) -> None:
    scene = Scene()
    request = RunRequest(str(folder), timeout_s=60)

    run_project(request, scene.world(), lambda _line: None, start=time.monotonic() - 40)
    assert scene.commands[0].timeout_s == pytest.approx(20, abs=5)

    with pytest.raises(RunFailed, match="fore was ended after 60 s") as caught:
        run_project(request, scene.world(), lambda _line: None, start=time.monotonic() - 61)
    assert (caught.value.status, len(scene.commands)) == (124, 1)


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"a": True, "b.c": 1.5, "d": "x=y"}, "--params=a=true,b.c=1.5,d=x=y"),
        ({"since": "2024-01-01T00:00:00Z"}, "--params=since=2024-01-01T00:00:00Z"),
    ],
)
def test_parameters_are_told_as_kedro_reads_them(params: dict[str, Any], expected: str) -> None:
    assert kedro_arguments(RunRequest("p", params=params)) == [expected]


def test_an_older_kedro_is_told_the_pipeline_in_its_own_word() -> None:
    request = RunRequest("p", "training")
    assert kedro_arguments(request, "kedro==0.19.14 \\\n    --hash=sha256:00\n") == ["--pipeline=training"]
    assert kedro_arguments(request, "click==8.2.0\nkedro==1.7.0\n") == ["--pipelines=training"]


@pytest.mark.parametrize(
    "request_",
    [
        RunRequest("p", params={"a": "1,b=2"}),
        RunRequest("p", params={"a": [1]}),
        RunRequest("p", params={"--pipeline": "x"}),
        RunRequest("p", params={"a": "1\n"}),
        RunRequest("p", pipeline="--help"),
        RunRequest("p", env="../elsewhere"),
    ],
    ids=["comma", "list", "option as name", "newline", "option as pipeline", "path as env"],
)
def test_what_the_command_line_of_kedro_cannot_carry_is_refused(request_: RunRequest) -> None:
    with pytest.raises(InvalidRequest, match=r"(?i)expected a name"):
        kedro_arguments(request_)


def test_nothing_is_made_for_a_project_that_is_not_there(tmp_path: Path) -> None:
    scene = Scene()
    with pytest.raises(NotFound):
        run_project(RunRequest(str(tmp_path / "nowhere")), scene.world(), lambda _line: None)
    assert (scene.locks, scene.commands) == ([], [])
