"""Commands of projects: heard line by line, and gone with all they started; and the bounded logs of their runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from boucle.adapters import project_process
from boucle.adapters.project_process import BoundedLog, ProjectProcesses
from boucle.training.ports import Command

# Starts a child in its group, one in a session of its own whose parent ends at once, and tells their numbers.
BROOD = """
import os, subprocess, sys, time
near = subprocess.Popen(["sleep", "600"])
far = subprocess.run(["sh", "-c", "setsid sleep 600 >/dev/null & echo $!"], stdout=subprocess.PIPE, text=True).stdout
print(os.getpid(), near.pid, far.strip(), flush=True)
"""


def command(folder: Path, code: str, timeout_s: float | None = None) -> Command:
    environ = {"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1"}
    return Command((sys.executable, "-c", code), folder, environ, timeout_s)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def until(is_true: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 20
    while not is_true():
        assert time.monotonic() < end, what
        time.sleep(0.01)


def test_lines_are_told_as_they_come_and_the_status_is_that_of_the_command(tmp_path: Path) -> None:
    code = "import sys; print('one\\x1b[31m'); sys.stderr.write('10%\\r20%\\r\\n'); print('fin', end=''); sys.exit(7)"
    told: list[str] = []

    status = ProjectProcesses().run(command(tmp_path, code), told.append)

    assert (status, sorted(told)) == (7, ["10%", "20%", "fin", "one"])


def test_a_command_reads_nothing_and_gets_only_the_environment_it_was_given(tmp_path: Path) -> None:
    told: list[str] = []
    code = "import os, sys; print(sys.stdin.read() == '', sorted(k for k in os.environ if k != 'LC_CTYPE'))"
    ProjectProcesses().run(command(tmp_path, code), told.append)
    assert told == ["True ['PATH', 'PYTHONUNBUFFERED']"]


def test_a_command_that_cannot_start_or_is_killed_has_the_status_that_shells_give(tmp_path: Path) -> None:
    told: list[str] = []
    nowhere = Command(("/nowhere/python",), tmp_path, {})
    assert ProjectProcesses().run(nowhere, told.append) == 127
    assert "No such file" in told[0]
    killed = "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"
    assert ProjectProcesses().run(command(tmp_path, killed), told.append) == 128 + signal.SIGTERM


def test_what_a_command_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    told: list[str] = []
    assert ProjectProcesses().run(command(tmp_path, BROOD), told.append) == 0
    assert [is_alive(int(pid)) for pid in told[0].split()] == [False, False, False]


def test_a_command_that_takes_too_long_is_ended_with_all_it_started(tmp_path: Path) -> None:
    told: list[str] = []
    with pytest.raises(TimeoutError):
        ProjectProcesses().run(command(tmp_path, BROOD + "time.sleep(600)", timeout_s=2), told.append)
    assert [is_alive(int(pid)) for pid in told[0].split()] == [False, False, False]


def test_a_callback_that_raises_ends_the_command(tmp_path: Path) -> None:
    seen: list[str] = []

    def refuse(line: str) -> None:
        seen.append(line)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ProjectProcesses().run(command(tmp_path, BROOD + "time.sleep(600)"), refuse)
    assert [is_alive(int(pid)) for pid in seen[0].split()] == [False, False, False]


STARTER = """
import sys
from pathlib import Path
from adapters.test_project_process import BROOD, command
from boucle.adapters.project_process import ProjectProcesses
ProjectProcesses().run(command(Path(sys.argv[1]), BROOD + "time.sleep(600)"), lambda line: print(line, flush=True))
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "ended"])
def test_a_command_dies_with_its_starter_however_that_dies(tmp_path: Path, number: signal.Signals) -> None:
    tests = str(Path(__file__).parents[1])
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": tests},
    )
    assert starter.stdout is not None
    with starter.stdout:
        pids = [int(pid) for pid in starter.stdout.readline().split()]
    assert [is_alive(pid) for pid in pids] == [True, True, True]

    starter.send_signal(number)
    starter.wait()

    until(lambda: not any(is_alive(pid) for pid in pids), "the end of all")


def test_a_log_keeps_the_newest_lines_within_its_bounds(tmp_path: Path) -> None:
    log = BoundedLog(tmp_path / "run.log", max_bytes=1000)
    for n in range(1000):
        log.write(f"line {n:04}")
    log.close()

    kept = (tmp_path / "run.log.1").read_text() + (tmp_path / "run.log").read_text()
    assert kept.splitlines()[-1] == "line 0999"
    assert 1000 < len(kept) <= 2100
    assert kept.splitlines() == [f"line {n:04}" for n in range(1000 - len(kept.splitlines()), 1000)]
    assert (tmp_path / "run.log").stat().st_mode & 0o777 == 0o600


def test_the_oldest_logs_are_forgotten_but_none_of_the_last_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(project_process, "MAX_LOGS", 3)
    now = time.time()
    for name, days in (("a", 9), ("b", 8), ("c", 0.9), ("d", 0.5), ("e", 0.1)):
        (tmp_path / f"{name}.log").touch()
        os.utime(tmp_path / f"{name}.log", (now, now - days * 86_400))

    BoundedLog(tmp_path / "new.log").close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.log", "d.log", "e.log", "new.log"]

    os.utime(tmp_path / "c.log", (now, now - 2 * 86_400))
    BoundedLog(tmp_path / "new.log").close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d.log", "e.log", "new.log"]


def test_a_log_that_another_run_takes_away_is_no_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("gone.log", "kept.log"):
        (tmp_path / name).touch()
    there = [tmp_path / "gone.log", tmp_path / "kept.log"]
    monkeypatch.setattr(Path, "iterdir", lambda _folder: iter(there))
    (tmp_path / "gone.log").unlink()

    BoundedLog(tmp_path / "new.log").close()

    assert (tmp_path / "new.log").exists()
