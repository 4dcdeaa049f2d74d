"""Files that commands are given: models, examples, rows."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from boucle.client.client import Client
from boucle.client.encode import csv_bodies
from boucle.client.paths import missing_file
from boucle.core.answer import Answer
from boucle.core.errors import BoucleError, InvalidRequest, NotFound
from boucle.core.i18n import _

MODELS = "model.onnx, model.skops, model.pkl, model.joblib, file.py:object, module:object"


def load_model(spec: str) -> Any:
    """Return the model that a word of the command line names; an ONNX file stays a path.

    Raises NotFound for a file that is not there, BoucleError telling why one cannot be loaded.
    """
    path = Path(spec).expanduser()
    reader = {".skops": _skops, ".pkl": _pickle, ".pickle": _pickle, ".joblib": _pickle}.get(path.suffix)
    if reader is None and path.suffix != ".onnx" and ":" not in spec:
        raise InvalidRequest(
            "unusual-model", _("{spec} names no model. Expected one of: {models}").format(spec=spec, models=MODELS)
        )
    if ":" not in spec and not path.is_file():
        raise missing_file(path)
    try:
        return path if path.suffix == ".onnx" else reader(path) if reader else _object(spec)
    except BoucleError:
        raise
    except Exception as error:
        cause = f"{type(error).__name__}: {error}"
        raise BoucleError(_("{spec} cannot be loaded. {cause}").format(spec=spec, cause=cause[:500])) from error


def read_example(path: Path, dates: Sequence[str] = ()) -> Any:
    """Return the table in a CSV, Parquet or JSON file, with pandas, else with polars. ``dates`` are parsed as such."""
    if not path.is_file():
        raise missing_file(path)
    kinds = {".csv": "csv", ".parquet": "parquet", ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl"}
    kind = kinds.get(path.suffix)
    if kind is None:
        raise InvalidRequest(
            "unusual-rows", _("{path} is none of: {kinds}").format(path=path, kinds=", ".join(sorted(kinds)))
        )
    try:
        return _pandas_table(path, kind, dates)
    except ImportError:
        return _polars_table(path, kind, dates)
    except ValueError as error:  # a column of dates that is not there, or a file that is no such table
        raise InvalidRequest(
            "unusual-rows", _("{path} cannot be read: {cause}").format(path=path, cause=str(error)[:300])
        ) from error


def predict_file(client: Client, name: str, source: str, alias: Any) -> Answer:
    """Return the answer to the rows of a file, or of standard input for ``-``. CSV and JSON go as they are."""
    if source.endswith(".parquet"):
        return client.predict(name, read_example(Path(source)), alias)
    text = sys.stdin.read() if source == "-" else _text(Path(source))
    if text.lstrip()[:1] in ("{", "["):
        try:
            document = json.loads(text)
        except ValueError as error:
            told = _("{source} is no JSON: {cause}").format(source=source, cause=error)
            raise InvalidRequest("malformed-json", told) from error
        return client.predict(name, _rows(document), alias)
    return client.send(name, csv_bodies(text, lambda: client.window(name, alias)), alias)


def _rows(document: Any) -> Any:
    """Return the rows of a JSON document: records, or the shapes that the gateway knows by name."""
    for key in ("rows", "dataframe_records", "instances"):
        if isinstance(document, dict) and isinstance(document.get(key), list):
            return document[key]
    split = document.get("dataframe_split") if isinstance(document, dict) else None
    if isinstance(split, dict):
        return [dict(zip(split["columns"], row)) for row in split["data"]]
    return document


def _skops(path: Path) -> Any:
    import skops.io

    from boucle_worker.trusted import TRUSTED

    return skops.io.load(path, trusted=list(TRUSTED))


def _pickle(path: Path) -> Any:
    """Unpickle a file of the person's own, with their own rights: joblib where it is there, it reads both."""
    try:
        joblib = importlib.import_module("joblib")
    except ImportError:
        import pickle

        return pickle.loads(path.read_bytes())  # noqa: S301  # named by the person who runs the command
    return joblib.load(path)


def _object(spec: str) -> Any:
    where, _colon, name = spec.rpartition(":")
    path = Path(where).expanduser()
    if path.suffix == ".py":
        if not path.is_file():
            raise missing_file(path)
        sys.path.insert(0, str(path.resolve().parent))
        where = path.stem
    else:
        sys.path.insert(0, str(Path.cwd()))
    module = importlib.import_module(where)
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            raise NotFound(_("object"), name, sorted(word for word in vars(module) if not word.startswith("_")))
        found = getattr(found, part)
    return found


def _pandas_table(path: Path, kind: str, dates: Sequence[str]) -> Any:
    import pandas as pd

    if kind == "csv":
        return pd.read_csv(path, parse_dates=list(dates))
    if kind == "parquet":
        return pd.read_parquet(path)
    table = pd.read_json(path, lines=kind == "jsonl", convert_dates=False)
    for column in dates:
        table[column] = pd.to_datetime(table[column])
    return table


def _polars_table(path: Path, kind: str, dates: Sequence[str]) -> Any:
    import polars as pl

    readers: dict[str, Any] = {
        "csv": pl.read_csv,
        "parquet": pl.read_parquet,
        "json": pl.read_json,
        "jsonl": pl.read_ndjson,
    }
    return readers[kind](path).with_columns(pl.col(column).str.to_datetime() for column in dates)


def _text(path: Path) -> str:
    if not path.is_file():
        raise missing_file(path)
    return path.read_text(encoding="utf-8-sig")


def answer_lines(answer: Answer) -> Iterator[list[str]]:
    """Yield the header and the rows of an answer as texts."""
    classes = answer.classes or [] if answer.probabilities is not None else []
    header = [] if answer.groups is None else ["group"]
    header += ["prediction", *(f"probability_{label}" for label in classes)]
    yield header + (["low", "high"] if answer.intervals is not None else [])
    for i, prediction in enumerate(answer.predictions.tolist()):
        cells = [] if answer.groups is None else [answer.groups[i]]
        cells += [prediction, *(answer.probabilities[i].tolist() if classes else [])]
        cells += answer.intervals[i].tolist() if answer.intervals is not None else []
        yield ["" if cell is None else str(cell) for cell in cells]
