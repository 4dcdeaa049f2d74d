"""The commands about how a model fares: drift, report, watch."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Optional

import typer
from rich.console import Console

from boucle.cli.inference import SINCE, UNTIL, VERSION, write_whole
from boucle.cli.models import AS_JSON
from boucle.cli.watch_policy import members_of, policy_lines, read_policy
from boucle.client.client import Client
from boucle.client.printable import printable
from boucle.client.report_card import basis_of, column_lines, has_drifted, is_judged, report_text, title_of
from boucle.client.watching import Asked
from boucle.core.document import to_json
from boucle.core.errors import InvalidRequest
from boucle.core.i18n import _
from boucle.core.report import Report
from boucle.core.watching import WatchPolicy

NAME = typer.Argument(help="Name of the model.")
AGAINST = typer.Option(None, metavar="WINDOW", help="reference, or an earlier window: 48h/24h.")
SLICE = typer.Option("", metavar="COLUMN=VALUE", help="Only these rows; one of the slices of the policy.")
EXIT_CODE = "End with exit status 2 when something moved, with 3 when nothing could be judged."
MEMBER = "MEMBER=VALUE"
DRIFTED, NOT_JUDGED = 2, 3
WIDE = 1_000


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    for command in (drift, report, watch):
        app.command()(command)


def drift(
    name: str = NAME,
    since: Optional[str] = SINCE,
    until: Optional[str] = UNTIL,
    against: Optional[str] = AGAINST,
    slice: str = SLICE,  # noqa: A002  # the option is called so
    version: Optional[int] = VERSION,
    exit_code: bool = typer.Option(False, "--exit-code", help=EXIT_CODE),  # noqa: FBT003
    as_json: bool = AS_JSON,
) -> None:
    """Show what moved: the columns of a window beside the reference, worst first."""
    found = Client().watching.report(name, Asked(since, until, version, against, slice))
    if as_json:
        print(json.dumps(to_json(found), ensure_ascii=False))
    else:
        _print_drift(found)
    if exit_code and has_drifted(found):
        sys.exit(DRIFTED)
    if exit_code and not is_judged(found):
        text = _(
            "Nothing could be judged: {n} rows, beside {reference}. Take a longer window, for example --since 7d; how "
            "many rows it takes is the least_rows of: boucle watch {name} --show"
        )
        print(text.format(n=found.n_rows, reference=found.n_reference, name=name), file=sys.stderr)
        sys.exit(NOT_JUDGED)


def report(
    name: str = NAME,
    html: Optional[Path] = typer.Option(None, metavar="FILE", help="Write one self-contained HTML file."),  # noqa: B008
    evidently: Optional[Path] = typer.Option(None, metavar="FILE", help="Write the report that Evidently makes of it."),  # noqa: B008
    since: Optional[str] = SINCE,
    until: Optional[str] = UNTIL,
    against: Optional[str] = AGAINST,
    slice: str = SLICE,  # noqa: A002  # the option is called so
    version: Optional[int] = VERSION,
    as_json: bool = AS_JSON,
) -> None:
    """Report on a window: what moved, how good the answers were, traffic and alerts."""
    client, asked = Client(), Asked(since, until, version, against, slice)
    watching = client.watching
    if evidently is not None:
        from boucle.cli.evidently import report_evidently

        report_evidently(client, name, asked, evidently, as_json=as_json)
    if html is not None:
        n_bytes = write_whole(html, watching.download(name, "report.html", asked))
        if as_json:
            print(json.dumps({"path": str(html), "bytes": n_bytes}))
        else:
            print(_("The report is in {path}").format(path=html))
    if html is not None or evidently is not None:
        return
    found = watching.report(name, asked)
    print(json.dumps(to_json(found), ensure_ascii=False) if as_json else report_text(found))


def watch(
    name: Optional[str] = typer.Argument(None, help="Name of the model; all of them when not given."),
    once: bool = typer.Option(False, "--once", help="Show it once and end."),  # noqa: FBT003
    every_s: float = typer.Option(5.0, "--every", min=1.0, metavar="SECONDS", help="How often it is shown anew."),
    show: bool = typer.Option(False, "--show", help="Print the policy: how the model is watched."),  # noqa: FBT003
    set_: list[str] = typer.Option([], "--set", metavar=MEMBER, help="Change the policy; can be repeated."),  # noqa: B008
    policy: Optional[Path] = typer.Option(None, metavar="FILE", help="Take the whole policy from a JSON file."),  # noqa: B008
    silence: Optional[str] = typer.Option(None, metavar="SPAN", help="Tell nobody of alerts for so long: 2h."),
    check: str = typer.Option("", help="Silence only checks whose name starts so, such as drift:price."),
    reason: str = typer.Option("", help="Why it is silenced."),
    as_json: bool = AS_JSON,
) -> None:
    """Watch a model live, or say how it is watched."""
    client = Client()
    if show or set_ or policy is not None or silence is not None:
        kept = _policy(client, _required(name), set_, policy)
        if silence is not None:
            kept = client.silence(_required(name), silence, check, reason)
        print(
            json.dumps(to_json(kept), ensure_ascii=False) if as_json else "\n".join(map(printable, policy_lines(kept)))
        )
        return
    if check or reason:
        text = _("--check and --reason say what to silence and why. Say for how long too: --silence 2h")
        raise InvalidRequest("unusual-option", text)
    from boucle.cli.live import Live, follow

    follow(Live(client, name, as_json), None if once else every_s)


def _policy(client: Client, name: str, texts: list[str], path: Optional[Path]) -> WatchPolicy:
    if path is None and not texts:
        return client.policy(name)
    before = client.policy(name) if path is None else read_policy(path)
    return client.watch(name, before, **members_of(texts))


def _required(name: Optional[str]) -> str:
    if name is None:
        text = _("Name the model whose policy is meant: boucle watch NAME --show. The models: boucle models")
        raise InvalidRequest("unusual-option", text)
    return name


def _print_drift(found: Report) -> None:
    from boucle.cli.live import table_of

    width = None if sys.stdout.isatty() else WIDE  # a pipe has no width
    console = Console(highlight=False, markup=False, emoji=False, width=width)
    console.print(printable(title_of(found)), soft_wrap=True)
    for line in (basis_of(found), *found.summary):
        console.print(f"  {printable(line)}", soft_wrap=True)
    if found.columns:
        console.print(table_of(column_lines(found.columns), console.width))
    if found.slices:
        bad = ", ".join(f"{where} ({status})" for where, status in found.slices)
        console.print(printable(_("slices: {slices}").format(slices=bad)), soft_wrap=True)
