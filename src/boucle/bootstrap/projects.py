"""Runs of projects, wired: the environments of the home, processes under a guardian, this boucle lent to them."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from boucle.adapters.project_process import ProjectProcesses
from boucle.bootstrap.data_plane import environments, home_of, is_open
from boucle.bootstrap.home import Home
from boucle.bootstrap.sockets import reachable
from boucle.core.document import from_json, to_json
from boucle.core.i18n import _
from boucle.core.ids import uuid7
from boucle.jobs.context import JobContext
from boucle.settings import Settings, environment
from boucle.training.ports import Tell
from boucle.training.run import Ran, RunRequest, RunWorld, run_project

LENT = ("boucle", "boucle_worker")


def run_job(context: JobContext, settings: Settings) -> dict[str, Any]:
    """Do a job of kind ``run`` as the worker of a platform: the project finds that platform in its environment."""
    home = home_of(settings)
    host = reachable(settings.host)
    told = {"BOUCLE_URL": f"http://{host}:{settings.port}"}
    if is_open(host):  # on loopback a client reads the token from the home
        told["BOUCLE_TOKEN"] = home.token()
    world = _world(settings, told, context.job_id)
    request = from_json(RunRequest, context.args)
    with _alone(home, request.project, _hears_nothing):
        ran: dict[str, Any] = to_json(run_project(request, world, _hears_nothing))
    return ran


def run_here(request: RunRequest, settings: Settings, tell: Tell) -> Ran:
    """Run a project for a person, with the platform they named, else that of the home when it is up."""
    home = home_of(settings)
    running = home.platform() or {}
    told = {"BOUCLE_URL": settings.url or str(running.get("url", "")), "BOUCLE_TOKEN": settings.token}
    with _alone(home, request.project, tell):
        return run_project(request, _world(settings, told, uuid7()), tell)


@contextmanager
def _alone(home: Home, project: str, tell: Tell) -> Iterator[None]:
    """Wait for the runs of a project's folder that are under way: each reads what the one before left there."""
    home.projects.mkdir(exist_ok=True, mode=0o700)
    key = hashlib.sha256(os.fsencode(Path(project).resolve())).hexdigest()[:12]
    with (home.projects / f".{key}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell(_("Another run of {project} is under way: waiting for its end").format(project=project))
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _hears_nothing(line: str) -> None:
    """The log has it."""


def _world(settings: Settings, told: dict[str, str], run: str) -> RunWorld:
    home = home_of(settings)
    environ = {**environment(settings), **{name: value for name, value in told.items() if value}}
    log = home.run_logs / f"{run}.log"
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
