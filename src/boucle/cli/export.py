"""The command about files that leave the platform: export."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Optional

import typer

from boucle.cli.projects import server_part
from boucle.core.document import to_json

AS_JSON = typer.Option(False, "--json", help="Answer in JSON.")  # noqa: FBT003  # typer: the default comes first


def register(app: typer.Typer) -> None:
    """Add this command to the command line."""
    app.command()(export)


def export(
    model: str = typer.Argument(help="model.skops, model.pkl, model.joblib, file.py:object, module:object"),
    onnx: Path = typer.Option(..., help="The file to write."),  # noqa: B008
    example: Optional[Path] = typer.Option(None, help="CSV, Parquet or JSON file of rows as the model takes them."),  # noqa: B008
    date: list[str] = typer.Option([], metavar="COLUMN", help="A column to read as a date; can be repeated."),  # noqa: B008
    as_json: bool = AS_JSON,
) -> None:
    """Write a fitted model as an ONNX file that runs anywhere, once it is proven to answer the same."""
    from boucle.cli.files import load_model, read_example

    server_part()
    from boucle.standalone import export as export_model

    rows = None if example is None else read_example(example, date)
    made = export_model(load_model(model), onnx, example=rows)
    if as_json:
        told = {"path": str(made.path), "size_bytes": made.size_bytes, "proof": to_json(made.proof)}
        print(json.dumps({**told, "inputs": to_json(made.inputs), "outputs": to_json(made.outputs)}))
    else:
        print(made)
