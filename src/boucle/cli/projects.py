"""The commands about projects: new, run."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Optional

import typer

from boucle.cli.models import pairs
from boucle.cli.progress import Progress
from boucle.cli.starters import copy_starter, find_folder
from boucle.core.document import to_json
from boucle.core.errors import Unavailable
from boucle.core.i18n import _
from boucle.settings import Settings, load

AS_JSON = typer.Option(False, "--json", help="Answer in JSON.")  # noqa: FBT003  # typer: the default comes first
PIPELINE = typer.Option(None, help="The pipeline to run; the project's default when not given.")
PARAM = typer.Option([], metavar="NAME=VALUE", help="A parameter that differs; can be repeated.")
ENV = typer.Option(None, help="Folder of conf/ that is laid over conf/base (default: local).")


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    for command in (new, run):
        app.command()(command)


def new(
    name: str = typer.Argument(help="A project that comes with boucle, such as crypto."),
    folder: Optional[Path] = typer.Argument(None, help="Where it goes (default: a folder of its name, here)."),  # noqa: B008
    as_json: bool = AS_JSON,
) -> None:
    """Start a project of your own from one that comes with boucle."""
    made = copy_starter(name, folder or Path(name))
    if as_json:
        print(json.dumps({"project": name, "folder": str(made)}))
        return
    print(_("{folder} holds your own {name} project. Next:").format(folder=made, name=name))
    print(f"  boucle run {_said(made)}")
    print(_("Its README.md tells the rest; conf/base/ holds every figure."))


def run(
    name: str = typer.Argument(help="Folder of a project, or the name of one: crypto."),
    pipeline: Optional[str] = PIPELINE,
    param: list[str] = PARAM,
    env: Optional[str] = ENV,
    as_json: bool = AS_JSON,
) -> None:
    """Run a project in its own environment, made when it is not there yet. Ends with the status of its command."""
    wired: Any = server_part()
    from boucle.training.run import RunFailed, RunRequest

    settings = load()
    with Progress(to_stderr=as_json) as progress:
        folder = project_folder(name, settings, progress)
        request = RunRequest(str(folder), pipeline, pairs("--param", param), env)
        try:
            ran = wired.run_here(request, settings, progress.tell)
        except RunFailed as failed:
            progress.tell(_("It ended with status {status}.").format(status=failed.status))
            if as_json:
                told = {"status": failed.status, "error": str(failed), "log": str(failed.log)}
                print(json.dumps({"project": str(folder), **told}))
            sys.exit(failed.status)
    if as_json:
        print(json.dumps({"status": 0, **to_json(ran)}))
    else:
        print(_("Done in {seconds:.1f} s.").format(seconds=ran.seconds))


def project_folder(name: str, settings: Settings, progress: Progress) -> Path:
    """Return the folder of the project that a person named: a folder, or a name of ours, copied to the home first."""
    return find_folder(name, Path(settings.home) / "projects", progress.tell)


def server_part() -> Any:
    """Return the wiring of projects. Raises Unavailable where the server part is not installed."""
    try:
        from boucle.bootstrap import projects
    except ImportError as error:
        raise Unavailable(
            _(
                "This needs the server part ({cause}). Install it with: pip install 'boucle[server]' (Python 3.11+)"
            ).format(cause=error)
        ) from error
    return projects


def _said(folder: Path) -> str:
    """Return a folder as it is said from here."""
    with suppress(OSError):  # the current folder may be gone
        here = Path.cwd()
        if here == folder or here in folder.parents:
            return f"./{folder.relative_to(here)}".removesuffix("/.")
    return str(folder)
