"""A run of a project: its environment is made, its command runs there, its output is told line by line and kept."""

from __future__ import annotations

import os
import re
import sys
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from boucle.core.errors import BoucleError, InvalidRequest, shown
from boucle.core.i18n import _
from boucle.training.ports import Command, Environments, Processes, Tell
from boucle.training.project import Project, choose_interpreter, find_project

KIND, QUEUE = "run", "runs"  # of the jobs that run projects
TOO_LONG = 124  # the exit status of what took too long, as timeout(1) gives it
LAST_LINES, LAST_CHARS, LINE_CHARS = 20, 1_400, 300
PREFERRED = f"{sys.version_info.major}.{sys.version_info.minor}"
_NAME = re.compile(r"[A-Za-z_][\w.-]*\Z")
_KEDRO = re.compile(r"^kedro==(\d+)\.(\d+)", re.MULTILINE)
_SAYS_PIPELINES = (1, 5)  # releases of Kedro from here on say --pipelines and warn of --pipeline
_OURS = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONSTARTUP")


class RunFailed(BoucleError):
    """A project's command failed. ``status`` is its exit status (128 + n: ended by signal n; 124: it took too long)."""

    code = "run-failed"

    def __init__(self, how: str, status: int, last: str, log: Path) -> None:
        self.status, self.last, self.log = status, last, log
        text = _("{how}. All of its output is in {log}; its last lines:\n{last}")
        super().__init__(text.format(how=how, log=log, last=last or _("none")))


@dataclass(frozen=True)
class RunRequest:
    """What is run: the folder of a project, one of its pipelines (None: its default), parameters that differ.

    ``env`` is the folder of ``conf/`` that Kedro lays over its base (None: ``local``).
    """

    project: str
    pipeline: str | None = None
    params: dict[str, Any] = field(default_factory=dict)
    env: str | None = None
    timeout_s: float | None = None


@dataclass(frozen=True)
class RunWorld:
    """What a run reaches outside itself.

    ``environ`` is the environment that the command starts from; ``libraries`` a folder of packages to find there
    beside its own (boucle itself); ``log`` the file that its output is kept in.
    """

    environments: Environments
    processes: Processes
    environ: Mapping[str, str]
    libraries: Path
    log: Path


@dataclass(frozen=True)
class Ran:
    """A run that went well."""

    project: str
    folder: str
    pipeline: str | None
    seconds: float
    log: str


def require_runnable(request: RunRequest) -> None:
    """Raise NotFound or InvalidRequest for what can be told to be wrong before anything is started."""
    kedro_arguments(request, find_project(Path(request.project)).lock)


def run_project(request: RunRequest, world: RunWorld, tell: Tell, start: float | None = None) -> Ran:
    """Run a project to its end; ``tell`` hears what is done, and each line of its output.

    ``start`` is when its time began (of the monotonic clock; None: now): what was waited for before counts.
    Raises NotFound, InvalidRequest, EnvironmentFailed, and RunFailed with the last lines of the output.
    """
    start = time.monotonic() if start is None else start
    project = find_project(Path(request.project))
    arguments = kedro_arguments(request, project.lock)
    python = environment_of(project, world.environments, tell)
    argv = (str(python), "-m", "kedro", "run", *arguments)
    environ = _environ(world, python)
    last: deque[str] = deque(maxlen=LAST_LINES)

    def heard(line: str) -> None:
        if line.strip():
            last.append(line[:LINE_CHARS])
        tell(line)

    tell(_("Running {command} in {folder}").format(command=" ".join(("kedro", *argv[3:])), folder=project.folder))
    try:
        left_s = None if request.timeout_s is None else _left(start + request.timeout_s)
        status = world.processes.run(Command(argv, project.folder, environ, left_s), heard)
    except TimeoutError as error:
        how = _("Project {name} was ended after {n:g} s").format(name=project.name, n=request.timeout_s)
        raise RunFailed(how, TOO_LONG, _tail(last), world.log) from error
    if status:
        how = _("Project {name} ended with status {status}").format(name=project.name, status=status)
        raise RunFailed(how, status, _tail(last), world.log)
    seconds = round(time.monotonic() - start, 3)
    return Ran(project.name, str(project.folder), request.pipeline, seconds, str(world.log))


def _left(deadline: float) -> float:
    """Return the seconds up to a deadline. Raises TimeoutError when it has passed."""
    left_s = deadline - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    return left_s


def environment_of(project: Project, environments: Environments, tell: Tell) -> Path:
    """Return the Python of a project's environment, made now unless it is there. Raises EnvironmentFailed."""
    minor = choose_interpreter(project, environments.interpreters(), PREFERRED)
    n = sum(1 for line in project.lock.splitlines() if line[:1].isalnum())
    text = _("Making sure of the environment of {name}: Python {minor}, {n} packages")
    tell(text.format(name=project.name, minor=minor, n=n))
    return environments.ensure(project.lock, minor, require_hashes=False)


def kedro_arguments(request: RunRequest, lock: str = "") -> list[str]:
    """Return the arguments of ``kedro run``, of the release in a lock.

    Raises InvalidRequest for what its command line cannot carry.

    >>> kedro_arguments(RunRequest("p", "training", {"training.max_epochs": 5, "pair": "BTCUSDT"}))
    ['--pipelines=training', '--params=training.max_epochs=5,pair=BTCUSDT']
    """
    told = []
    if request.pipeline is not None:
        named = _word(_("The pipeline"), request.pipeline)
        told.append(f"--{_pipeline_option(lock)}={named}")
    if request.env is not None:
        told.append("--env=" + _word(_("The folder of conf"), request.env))
    if request.params:
        told.append("--params=" + ",".join(_pair(name, value) for name, value in request.params.items()))
    return told


def _pipeline_option(lock: str) -> str:
    match = _KEDRO.search(lock)
    is_older = match is not None and (int(match[1]), int(match[2])) < _SAYS_PIPELINES
    return "pipeline" if is_older else "pipelines"


def _word(what: str, value: str) -> str:
    if not _NAME.match(value):
        raise InvalidRequest(
            "unusual-name", _("{what} is {value}; expected a name.").format(what=what, value=shown(value))
        )
    return value


def _pair(name: str, value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    is_plain = isinstance(value, (str, int, float)) and not set(text) & {",", "\n", "\r", "\0"}
    if not _NAME.match(name) or not is_plain:
        raise InvalidRequest(
            "unusual-parameter",
            _(
                "Parameter {name} is {value}. Expected a name and one value without a comma; "
                "write lists and blocks in conf/local/parameters.yml of the project."
            ).format(name=shown(name), value=shown(value)),
        )
    return f"{name}={text}"


def _environ(world: RunWorld, python: Path) -> dict[str, str]:
    environ = {name: value for name, value in world.environ.items() if name not in _OURS}
    return {
        **environ,
        "PATH": os.pathsep.join((str(python.parent), environ.get("PATH", os.defpath))),
        "PYTHONPATH": str(world.libraries),
        "PYTHONUNBUFFERED": "1",  # lines are told as they come
        "NO_COLOR": "1",
        "COLUMNS": "160",
        "DO_NOT_TRACK": "1",  # Kedro's telemetry would wait for a network
    }


def _tail(lines: deque[str]) -> str:
    """Return the last lines, whole ones, that fit beside the rest of an error."""
    kept: list[str] = []
    room = LAST_CHARS
    for line in reversed(lines):
        room -= len(line) + 1
        if room < 0:
            break
        kept.append(line)
    return "\n".join(reversed(kept))
