"""The commands about the platform itself: up, down, status, doctor."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Optional

import typer
from rich.console import Console
from rich.table import Table

from boucle.core.check import Check
from boucle.core.document import to_json
from boucle.core.errors import Unavailable
from boucle.core.i18n import _
from boucle.settings import load

HOME = typer.Option(None, "--home", help="Folder of the platform (default: ~/.boucle, or BOUCLE_HOME).")
AS_JSON = typer.Option(False, "--json", help="Answer in JSON.")  # noqa: FBT003  # typer: the default comes first
MARKS = {"pass": "[green]✓[/]", "warn": "[yellow]![/]", "fail": "[red]✗[/]"}


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    for command in (up, down, status, doctor):
        app.command()(command)


def up(
    home: Optional[Path] = HOME,
    port: Optional[int] = typer.Option(None, help="Port of the control plane; 0 means any free one."),
    gateway_port: Optional[int] = typer.Option(None, help="Port of the gateway; 0 means any free one."),
    host: Optional[str] = typer.Option(None, help="Address to listen on."),
    detach: bool = typer.Option(False, "--detach", help="Return once it is up; stop it with: boucle down"),  # noqa: FBT003
    as_json: bool = AS_JSON,
) -> None:
    """Start the platform: control plane, gateway, model host and worker."""
    starting = _starting()
    settings = load(home=_absolute(home), port=port, gateway_port=gateway_port, host=host)
    told = starting.ensure_up(settings, detach, lambda addresses: _print_addresses(addresses, as_json))
    if told is None:
        return
    _print_addresses(told, as_json)
    asked = {"url": settings.port, "gateway_url": settings.gateway_port}
    if not as_json and any(wanted and not str(told[key]).endswith(f":{wanted}") for key, wanted in asked.items()):
        Console(highlight=False).print(_("It was up already, on these ports. For others: boucle down, then up again."))


def down(home: Optional[Path] = HOME, as_json: bool = AS_JSON) -> None:
    """Stop the platform of a home. Models, versions and logs stay."""
    settings = load(home=_absolute(home))
    was_up = _starting().stop(settings)
    if as_json:
        print(json.dumps({"was_up": was_up}))
    elif was_up:
        Console().print(_("The platform is down. Start it again with: boucle up"))
    else:
        Console().print(_("No platform runs from {home}.").format(home=settings.home))


def status(home: Optional[Path] = HOME, as_json: bool = AS_JSON) -> None:
    """Show the addresses and how each process fares; exit status 1 when something is not well."""
    settings = load(home=_absolute(home))
    told, checks = _starting().status(settings)
    if told is None:
        if as_json:
            print(json.dumps({"is_up": False}))
            sys.exit(1)
        raise Unavailable(_("No platform runs from {home}. Start it with: boucle up").format(home=settings.home))
    if as_json:
        print(json.dumps({"is_up": True, **told, "checks": to_json(checks)}))
    else:
        _print_addresses(told, as_json=False)
        _print_checks(checks)
    if any(check.is_failed for check in checks):
        sys.exit(1)


def doctor(home: Optional[Path] = HOME, as_json: bool = AS_JSON) -> None:
    """Look at this machine and say what the platform would lack; exit status 1 when something must be mended."""
    from boucle.cli.health import examine

    checks = examine(load(home=_absolute(home)))
    if as_json:
        print(json.dumps({"checks": to_json(checks)}))
    else:
        _print_checks(checks)
    if any(check.is_failed for check in checks):
        sys.exit(1)


def _starting() -> Any:
    try:
        from boucle.bootstrap import starting
    except ImportError as error:
        raise Unavailable(
            _(
                "This needs the server part ({cause}). Install it with: pip install 'boucle[server]' (Python 3.11+)"
            ).format(cause=error)
        ) from error
    return starting


def _absolute(home: Optional[Path]) -> Optional[Path]:
    return None if home is None else home.expanduser().absolute()


def _print_addresses(told: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(told), flush=True)
        return
    console = Console(highlight=False)
    console.print(_("boucle is up"), style="bold green")
    for label, key in ((_("Pages"), "url"), (_("Predictions"), "gateway_url"), (_("Home"), "home")):
        console.print(f"  {label:<12} {told[key]}", soft_wrap=True)
    console.print(_("Models are not sandboxed (isolation: none): deploy only what you trust."), style="yellow")


def _print_checks(checks: list[Check]) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for check in checks:
        advice = f"\n[dim]{check.advice}[/]" if check.advice else ""
        table.add_row(MARKS[check.status], check.name, check.observed + advice)
    Console(highlight=False).print(table)
