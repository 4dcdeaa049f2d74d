"""Runs of projects, wired: the environments of the home, processes under a guardian, this boucle lent to them."""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from boucle.adapters.project_process import BoundedLog, ProjectProcesses
from boucle.bootstrap.data_plane import environments, home_of, is_open
from boucle.bootstrap.home import Home
from boucle.bootstrap.sockets import reachable
from boucle.bootstrap.starting import ensure_up
from boucle.core.document import from_json, to_json
from boucle.core.i18n import _
from boucle.core.ids import uuid7
from boucle.jobs.context import JobContext
from boucle.settings import Settings, environment, without_secrets
from boucle.training.ports import Tell
from boucle.training.run import TOO_LONG, Ran, RunFailed, RunRequest, RunWorld, require_runnable, run_project

LENT = ("boucle", "boucle_worker")
POLL_S = 0.1


def run_job(context: JobContext, settings: Settings) -> dict[str, Any]:
    """Do a job of kind ``run`` as the worker of a platform: the project finds that platform in its environment."""
    start = time.monotonic()
    home = home_of(settings)
    host = reachable(settings.host)
    told = {"BOUCLE_URL": f"http://{host}:{settings.port}"}
    if is_open(host):  # on loopback a client reads the token from the home
        told["BOUCLE_TOKEN"] = home.token()
    request = from_json(RunRequest, context.args)
    world = _world(settings, told, home.run_logs / f"{context.job_id}.log")
    with _logged(world.log, _hears_nothing) as logged:
        ran: dict[str, Any] = to_json(_run(home, request, world, logged, start))
    return ran


def run_here(request: RunRequest, settings: Settings, tell: Tell) -> Ran:
    """Run a project for a person, with the platform they named, else that of the home, started if need be."""
    start = time.monotonic()
    require_runnable(request)
    home = home_of(settings)
    log = home.run_logs / f"{uuid7()}.log"
    with _logged(log, tell) as logged:
        url = settings.url or _local_platform(settings, home, logged)
        world = _world(settings, {"BOUCLE_URL": url, "BOUCLE_TOKEN": settings.token}, log)
        return _run(home, request, world, logged, start)


def _local_platform(settings: Settings, home: Home, tell: Tell) -> str:
    """Return the address of the platform of the home, started now unless it is up."""
    running = home.platform()
    if running is None:
        tell(_("No platform runs from {home}: starting it").format(home=home.root))
        running = ensure_up(settings, detach=True, tell=lambda _told: None) or {}
        tell(_("The local platform is up at {url} (stop it with: boucle down)").format(url=running["url"]))
    return str(running["url"])


def _run(home: Home, request: RunRequest, world: RunWorld, tell: Tell, start: float) -> Ran:
    """Run a project once the runs of its folder before it are over; all of it within the time of the request."""
    deadline = None if request.timeout_s is None else start + request.timeout_s
    with ExitStack() as held:
        try:
            held.enter_context(_alone(home, request.project, tell, deadline))
        except TimeoutError as error:
            how = _("Another run of {project} was still under way after {n:g} s")
            text = how.format(project=request.project, n=request.timeout_s)
            raise RunFailed(text, TOO_LONG, "", world.log) from error
        return run_project(request, world, tell, start)


@contextmanager
def _logged(log: Path, tell: Tell) -> Iterator[Tell]:
    """Return a ``tell`` that keeps each line in a log too."""
    kept = BoundedLog(log)

    def logged(line: str) -> None:
        kept.write(line)
        tell(line)

    try:
        yield logged
    finally:
        kept.close()


@contextmanager
def _alone(home: Home, project: str, tell: Tell, deadline: float | None = None) -> Iterator[None]:
    """Wait for the runs of a project's folder that are under way: each reads what the one before left there.

    Raises TimeoutError at the deadline (of the monotonic clock).
    """
    home.projects.mkdir(exist_ok=True, mode=0o700)
    key = hashlib.sha256(os.fsencode(Path(project).resolve())).hexdigest()[:12]
    with (home.projects / f".{key}.lock").open("w") as file:
        if not _is_locked(file):
            tell(_("Another run of {project} is under way: waiting for its end").format(project=project))
            while not _is_locked(file):
                if deadline is not None and time.monotonic() > deadline:
                    raise TimeoutError
                time.sleep(POLL_S)
        yield


def _is_locked(file: IO[str]) -> bool:
    """Lock a file for this process; return False when another has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _hears_nothing(line: str) -> None:
    """The log has it."""


def _world(settings: Settings, told: dict[str, str], log: Path) -> RunWorld:
    home = home_of(settings)
    environ = {**without_secrets(environment(settings)), **{name: value for name, value in told.items() if value}}
    return RunWorld(environments(settings), ProjectProcesses(), environ, lent_packages(home), log)


def lent_packages(home: Home) -> Path:
    """Return a folder that holds links to the packages of this boucle and nothing else of its Python."""
    source = Path(__file__).resolve().parents[2]
    folder = home.packages / hashlib.sha256(os.fsencode(source)).hexdigest()[:12]
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in LENT:
        with suppress(FileExistsError):
            (folder / name).symlink_to(source / name, target_is_directory=True)
    return folder
