"""The commands about schedules: add, list, remove, run."""

from __future__ import annotations

import datetime as dt
import json
import sys
import time
from pathlib import Path
from typing import Any, Optional

import typer
from rich.console import Console
from rich.table import Table

from boucle.cli.models import pairs
from boucle.cli.progress import Progress
from boucle.cli.projects import AS_JSON, ENV, PARAM, PIPELINE, project_folder
from boucle.client.discovery import find_address
from boucle.client.wire import Wire, is_loopback
from boucle.core.errors import BoucleError, Unavailable
from boucle.core.i18n import _
from boucle.core.version import valid_name
from boucle.settings import load

NAME = typer.Argument(help="Name of the schedule.")
POLL_S = 0.25
group = typer.Typer(help="Run projects again and again.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add these commands to the command line, below ``schedule``."""
    for command in (add, remove, run):
        group.command()(command)
    group.command("list")(show)
    app.add_typer(group, name="schedule")


def add(
    name: str = NAME,
    project: str = typer.Option(..., help="Folder of the project on the machine of the worker, or a name: crypto."),
    cron: str = typer.Option(..., help="Five fields: minute, hour, day of month, month, day of week."),
    zone: str = typer.Option("UTC", help="Time zone in which they are read, such as Europe/Paris."),
    pipeline: Optional[str] = PIPELINE,
    param: list[str] = PARAM,
    env: Optional[str] = ENV,
    attempts: int = typer.Option(5, help="How often a run that fails is tried in all."),
    backoff_s: float = typer.Option(15.0, help="Seconds before the second attempt; doubled for each one after."),
    timeout_s: Optional[float] = typer.Option(None, help="Longest time that one attempt may take, in seconds."),
    as_json: bool = AS_JSON,
) -> None:
    """Run a project again and again. Runs missed while the platform was down are caught up by one."""
    told: dict[str, Any] = {
        "cron": cron,
        "zone": zone,
        "pipeline": pipeline,
        "params": pairs("--param", param),
        "env": env,
    }
    told |= {"attempts": attempts, "backoff_s": backoff_s, "timeout_s": timeout_s}
    wire = _platform()
    document = {"project": _folder(project, wire), **told}
    added = wire.checked("PUT", _path(name), json=document).json()
    if as_json:
        print(json.dumps(added))
        return
    print(
        _("{name} runs {project} next at {time} UTC.").format(
            name=name, project=document["project"], time=_at(added["next_at"])
        )
    )
    print(_("Run it now with: boucle schedule run {name}").format(name=name))


def show(as_json: bool = AS_JSON) -> None:
    """List the schedules: next time, last time, how the last run ended."""
    document = _platform().get("/api/v1/schedules")
    if as_json:
        print(json.dumps(document))
        return
    if not document["schedules"]:
        print(_("There is no schedule. Add one with: boucle schedule add"))
        return
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for title in (_("name"), _("when"), _("next (UTC)"), _("last (UTC)"), _("outcome of the last run")):
        table.add_column(title, overflow="fold")
    for schedule in document["schedules"]:
        when = f"{schedule['cron']} {schedule['zone']}"
        last = schedule["last_job"]
        at = schedule.get("last_at") if last is None else last.get("started_at", last["created_at"])
        table.add_row(schedule["name"], when, _at(schedule["next_at"]), _at(at), _outcome(last))
    Console(highlight=False, markup=False).print(table)


def remove(name: str = NAME, as_json: bool = AS_JSON) -> None:
    """Remove a schedule. A run that is under way goes on."""
    _platform().checked("DELETE", _path(name))
    print(json.dumps({"removed": name}) if as_json else _("{name} is removed.").format(name=name))


def run(name: str = NAME, as_json: bool = AS_JSON) -> None:
    """Run a schedule now and follow the run to its end, its attempts included; exit status 1 when it fails."""
    wire = _platform()
    with Progress(to_stderr=as_json) as progress:
        job = _followed(wire, wire.post(f"{_path(name)}/run", {}), progress)
    if as_json:
        print(json.dumps(job))
        if job["state"] != "done":
            sys.exit(1)
    elif job["state"] != "done":
        raise BoucleError(
            _("The run of {name} {state}. {error}").format(name=name, state=_state(job), error=job["error"])
        )
    else:
        text = _("Done in {seconds:.1f} s. Its output is in {log}")
        print(text.format(seconds=job["result"]["seconds"], log=job["result"]["log"]))


def _followed(wire: Wire, job: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Return a job once it has ended; each change of it is told."""
    seen: object = None
    while True:
        now = (job["state"], job["attempts"])
        if now != seen:
            seen = now
            progress.tell(_news(job))
        if job["state"] not in ("ready", "running"):
            return job
        time.sleep(POLL_S)
        job = wire.get(f"/api/v1/jobs/{job['id']}")


def _news(job: dict[str, Any]) -> str:
    if job["state"] == "ready" and job["error"]:
        text = _("Attempt {n} of {all} failed; the next is at {time} UTC: {error}")
        failed = {"n": job["attempts"], "all": job["max_attempts"], "error": _last_line(job["error"])}
        return text.format(**failed, time=_at(job["run_at"], "%H:%M:%S"))
    if job["state"] == "ready":
        return _("Job {id} waits for the worker.").format(id=job["id"])
    if job["state"] == "running":
        text = _("Attempt {n} of {all} runs.")
        return text.format(n=job["attempts"], all=job["max_attempts"])
    return _("The run {state}.").format(state=_state(job))


def _state(job: dict[str, Any]) -> str:
    states = {"done": _("is done"), "failed": _("failed"), "cancelled": _("was cancelled"), "running": _("runs")}
    return states.get(job["state"], _("waits"))


def _outcome(job: Optional[dict[str, Any]]) -> str:
    if job is None:
        return _("none yet")
    told = f"{_state(job)} {_at(job.get('ended_at'))}".strip()
    if job["attempts"] > 1 or job["state"] == "running":
        told += " " + _("(attempt {n} of {all})").format(n=job["attempts"], all=job["max_attempts"])
    return f"{told}: {_last_line(job['error'])}" if job["error"] and job["state"] != "done" else told


def _last_line(error: str) -> str:
    return error.strip().rpartition("\n")[2][:300]


def _at(at_us: Optional[int], form: str = "%Y-%m-%d %H:%M") -> str:
    return "" if at_us is None else dt.datetime.fromtimestamp(at_us / 1e6, dt.timezone.utc).strftime(form)


def _folder(project: str, wire: Wire) -> str:
    """Return the folder as the worker finds it: looked for here when the platform is here."""
    if not is_loopback(wire.url):
        return project
    with Progress(to_stderr=True) as progress:
        return str(project_folder(project, load(), progress))


def _path(name: str) -> str:
    return f"/api/v1/schedules/{valid_name(name)}"


def _platform() -> Wire:
    settings = load()
    address = find_address(settings)
    if address.is_down:
        home = Path(settings.home)
        raise Unavailable(_("No platform runs from {home}. Start it with: boucle up").format(home=home))
    return Wire(address.url, address.token)
