"""The commands about models: models, deploy, predict, promote, rollback, schema, history."""

from __future__ import annotations

import csv
import datetime as dt
import json
import re
import sys
from pathlib import Path
from typing import Any, Optional

import typer
from rich.console import Console
from rich.table import Table

from boucle import __version__
from boucle.client.card import window_text, worse_than_naive
from boucle.client.client import Client
from boucle.core.answer import Answer
from boucle.core.document import from_json, to_json
from boucle.core.errors import InvalidRequest
from boucle.core.i18n import _
from boucle.core.window import Window

NAME = typer.Argument(help="Name of the model.")
AS_JSON = typer.Option(False, "--json", help="Answer in JSON.")  # noqa: FBT003  # typer: the default comes first
PAIR = "NAME=VALUE"
BOUND = '"METRIC <= LIMIT"'
WINDOW = '{"rows": 120, "order_by": "timestamp"}'
TENSORS = '{"timestamp": ["timestamp", "ms"], "ohlc": ["open", "high"]}'
MAX_SHOWN_ROWS = 50


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.callback()(options)
    for command in (models, deploy, predict, promote, rollback, schema, history):
        app.command()(command)


def _tell_version(is_asked: bool) -> None:
    if is_asked:
        print(f"boucle {__version__}")
        raise typer.Exit


def options(
    _version: bool = typer.Option(False, "--version", help="Tell the version and end.", callback=_tell_version),  # noqa: FBT003
) -> None:
    """Hold what stands before any command."""


def models(as_json: bool = AS_JSON) -> None:
    """List the models: the champion of each, where it runs and how old it is."""
    from boucle.cli.listing import listed, listing_lines

    rows = listed(Client())
    if as_json:
        _print_json({"models": rows})
    elif rows:
        _print_table(listing_lines(rows, dt.datetime.now(dt.timezone.utc)))
    else:
        print(_("There is no model yet. Make one with: boucle deploy MODEL NAME --example FILE"))


def deploy(
    model: str = typer.Argument(help="model.onnx, model.skops, model.pkl, model.joblib, file.py:object, module:object"),
    name: str = NAME,
    example: Path = typer.Option(..., help="CSV, Parquet or JSON file of rows as callers will send them."),  # noqa: B008
    target: Optional[str] = typer.Option(None, help="Column of the example that the model predicts."),
    task: Optional[str] = typer.Option(None, help="classification or regression; found out when not given."),
    description: str = typer.Option("", help="What it answers, for those who will ask it."),
    metric: list[str] = typer.Option([], metavar=PAIR, help="A metric; can be repeated."),  # noqa: B008
    tag: list[str] = typer.Option([], metavar=PAIR, help="A tag; can be repeated."),  # noqa: B008
    date: list[str] = typer.Option([], metavar="COLUMN", help="A column to read as a date; can be repeated."),  # noqa: B008
    code: list[str] = typer.Option([], metavar="PATH", help="A local module to carry; can be repeated."),  # noqa: B008
    requirement: list[str] = typer.Option([], help="An exact pin, instead of those found; can be repeated."),  # noqa: B008
    window: Optional[str] = typer.Option(None, metavar="JSON", help=f"How rows become one answer: {WINDOW}"),
    tensors: Optional[str] = typer.Option(None, metavar="JSON", help=f"Columns of each ONNX input: {TENSORS}"),
    interval_level: Optional[float] = typer.Option(None, help="Share of outcomes that intervals hold, such as 0.9."),
    gate: list[str] = typer.Option([], metavar=BOUND, help="A bound of a metric to keep; can be repeated."),  # noqa: B008
    promotion: str = typer.Option("by-hand", help="by-hand, or by-gate: champion at once when the gate is kept."),
    as_json: bool = AS_JSON,
) -> None:
    """Deploy a fitted model and wait until it answers."""
    from boucle.cli.files import load_model, read_example
    from boucle.client.deploy import deploy as deploy_model

    deployment = deploy_model(
        load_model(model),
        name,
        example=read_example(example, date),
        target=target,
        task=task,  # type: ignore[arg-type]  # deploy refuses any other word and lists those there are
        description=description,
        metrics=pairs("--metric", metric),
        tags=pairs("--tag", tag),
        requirements=requirement or None,
        code=code,
        window=_object("--window", window),
        tensors=_object("--tensors", tensors),
        interval_level=interval_level,
        gate=_bounds(gate),
        promotion=promotion,  # type: ignore[arg-type]  # as above
    )
    if as_json:
        told = {"name": deployment.name, "version": deployment.version, "url": deployment.url}
        told = {**told, "aliases": deployment.aliases, "worse_than_naive": deployment.is_worse_than_naive}
        _print_json({**told, "runtime": deployment.runtime, "checks": to_json(deployment.checks)})
    else:
        print(deployment)


def predict(
    name: str = NAME,
    rows: str = typer.Argument("-", help="CSV, JSON or Parquet file; - is standard input (CSV or JSON)."),
    alias: Optional[str] = typer.Option(None, help="Ask the version of this alias instead of the champion."),
    as_json: bool = AS_JSON,
) -> None:
    """Ask a model about rows."""
    from boucle.cli.files import answer_lines, predict_file

    client = Client()
    answer = predict_file(client, name, rows, alias)
    if as_json:
        _print_json(_told(answer))
    elif sys.stdout.isatty() and len(answer) <= MAX_SHOWN_ROWS:
        _print_table(list(answer_lines(answer)))
        if client.version(name, answer.version).manifest.is_worse_than_naive:
            told = _("{name} version {version}: {label}").format(
                name=name, version=answer.version, label=worse_than_naive()
            )
            Console(stderr=True, highlight=False).print(told, style="yellow", markup=False)
    else:
        csv.writer(sys.stdout, lineterminator="\n").writerows(answer_lines(answer))


def promote(
    name: str = NAME,
    version: int = typer.Argument(help="Number of the version."),
    alias: str = typer.Option("champion", help="Alias to point at it."),
    as_json: bool = AS_JSON,
) -> None:
    """Make a version the champion; the one of before is kept for a rollback."""
    model = Client().promote(name, version, alias)
    text = _("{name}: {alias} is now version {version}").format(name=name, alias=alias, version=version)
    _print_aliases(model, text, as_json)


def rollback(name: str = NAME, as_json: bool = AS_JSON) -> None:
    """Go back to the champion of before."""
    model = Client().rollback(name)
    text = _("{name}: the champion is version {version} again")
    _print_aliases(model, text.format(name=name, version=model["aliases"]["champion"]), as_json)


def schema(name: str = NAME, as_json: bool = AS_JSON) -> None:
    """Show what a row must look like."""
    document = Client().schema(name)
    if as_json:
        _print_json(document)
        return
    required, rows = set(document.get("required", ())), [[_("column"), _("type"), _("must be there"), _("seen")]]
    for column, told in document["properties"].items():
        kind = told["type"] if isinstance(told["type"], str) else _("{type} or null").format(type=told["type"][0])
        rows.append([column, told.get("format", kind), _("yes") if column in required else _("no"), _seen(told)])
    _print_table(rows)
    if "x-boucle-window" in document:
        print(window_text(from_json(Window, document["x-boucle-window"])))


def history(name: str = NAME, as_json: bool = AS_JSON) -> None:
    """Show who changed what, and when."""
    entries = Client().history(name)
    if as_json:
        _print_json({"history": entries})
        return
    rows = [[_("time (UTC)"), _("who"), _("what"), _("version"), _("detail")]]
    for entry in entries:
        at = dt.datetime.fromtimestamp(int(entry["at"]) / 1e6, dt.timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
        words = [entry.get(key) for key in ("actor", "action", "version", "detail")]
        rows.append([at, *("" if word is None else str(word) for word in words)])
    _print_table(rows)


def pairs(option: str, texts: list[str]) -> dict[str, Any]:
    """Return NAME=VALUE words as a dict. Raises InvalidRequest naming the word that is none."""
    for text in texts:
        if "=" not in text.lstrip("="):
            raise InvalidRequest(
                "unusual-option",
                _("{option} {text} is not understood. Expected {pair}.").format(option=option, text=text, pair=PAIR),
            )
    return {name: value for name, _equals, value in (text.partition("=") for text in texts)}


def _object(option: str, text: Optional[str]) -> Any:
    """Return the JSON object that an option holds, None without one. Raises InvalidRequest for anything else."""
    if text is None:
        return None
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if isinstance(found, dict):
        return found
    raise InvalidRequest(
        "unusual-option",
        _("{option} {text} is not understood. Expected a JSON object, in quotes: {example}").format(
            option=option, text=text[:80], example=WINDOW if option == "--window" else TENSORS
        ),
    )


def _bounds(texts: list[str]) -> dict[str, str]:
    """Return ``loss <= 0.5`` words as a dict. Raises InvalidRequest naming the word that is none."""
    found = {}
    for text in texts:
        metric, sign, limit = re.match(r"(.*?)\s*(<=|>=)(.*)\Z|", text).groups()  # type: ignore[union-attr]  # always matches
        if not metric or metric in found:
            raise InvalidRequest(
                "unusual-option",
                _("{option} {text} is not understood. Expected {pair}.").format(option="--gate", text=text, pair=BOUND),
            )
        found[metric.strip()] = f"{sign} {limit.strip()}"
    return found


def _seen(told: dict[str, Any]) -> str:
    if "x-boucle-categories" in told:
        shown = ", ".join(map(str, told["x-boucle-categories"][:8]))
        return shown + (" …" if len(told["x-boucle-categories"]) > 8 else "")
    if "x-boucle-minimum" in told:
        return f"{told['x-boucle-minimum']} … {told['x-boucle-maximum']}"
    return ""


def _told(answer: Answer) -> dict[str, Any]:
    arrays = {
        "predictions": answer.predictions,
        "probabilities": answer.probabilities,
        "intervals": answer.intervals,
    }
    told = {key: None if array is None else _listed(array) for key, array in arrays.items()}
    told["groups"] = answer.groups
    return {"model": answer.model, "version": answer.version, "classes": answer.classes, **told, "ids": answer.ids}


def _listed(array: Any) -> Any:
    """Return an array as JSON: NaN and NaT are null, dates are texts."""
    if array.dtype.kind == "M":
        return [None if text == "NaT" else f"{text}Z" for text in array.astype("datetime64[us]").astype(str).tolist()]
    values = array.tolist()
    return [None if isinstance(value, float) and value != value else value for value in values]


def _print_aliases(model: dict[str, Any], text: str, as_json: bool) -> None:
    if as_json:
        _print_json({"name": model["name"], "aliases": model["aliases"], "previous": model["previous"]})
    else:
        print(text)


def _print_json(document: Any) -> None:
    print(json.dumps(document, ensure_ascii=False, default=list))


def _print_table(rows: list[list[str]]) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for title in rows[0]:
        table.add_column(title, overflow="fold")
    for row in rows[1:]:
        table.add_row(*row)
    Console(highlight=False, markup=False).print(table)
