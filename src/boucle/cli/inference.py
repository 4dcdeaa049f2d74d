"""The commands about what was asked and what became true: log, feedback."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from pathlib import Path
from typing import Any, Optional

import typer

from boucle.cli.models import AS_JSON, NAME
from boucle.client.client import Client
from boucle.client.feedback import ID_COLUMNS, ROW_COLUMN, Entry, Feedback, entries_of
from boucle.client.pace import Pace
from boucle.client.paths import missing_file
from boucle.client.printable import printable
from boucle.client.watching import MEGABYTE, Asked, Download, shown
from boucle.core.errors import InvalidRequest
from boucle.core.i18n import _

SINCE = typer.Option(None, metavar="TIME", help="From when: 2026-05-04T10:00 (UTC), or before now: 30min, 24h, 7d.")
UNTIL = typer.Option(None, metavar="TIME", help="Until when, written the same way.")
VERSION = typer.Option(None, help="Number of the version; the champion, or all of them in a log, when not given.")
FORMATS = {".parquet": "parquet", ".csv": "csv"}
WRAPPERS = ("truth", "rows")


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    for command in (log, feedback):
        app.command()(command)


def log(
    name: str = NAME,
    out: str = typer.Option("-", metavar="FILE", help="f.parquet or f.csv; - is standard output, as CSV."),
    since: Optional[str] = SINCE,
    until: Optional[str] = UNTIL,
    version: Optional[int] = VERSION,
    limit: Optional[int] = typer.Option(None, help="How many rows at most."),
    as_json: bool = AS_JSON,
) -> None:
    """Get the rows that a model was asked, what it answered and what became true."""
    asked = Asked(since, until, version, limit=limit)
    watching = Client().watching
    if out == "-" and as_json:
        print(json.dumps({"rows": watching.log(name, asked).rows()}, ensure_ascii=False))
        return
    kind = "csv" if out == "-" else FORMATS.get(Path(out).suffix)
    if kind is None:
        text = _("{path} is none of: {kinds}. Name the file for example {name}.parquet")
        raise InvalidRequest("unusual-rows", text.format(path=out, kinds=", ".join(FORMATS), name=name))
    download = watching.download(name, "log", asked, format=kind)
    if out == "-":
        sys.stdout.flush()
        for piece in download:
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
        return
    n_bytes = write_whole(Path(out), download)
    if as_json:
        print(json.dumps({"path": out, "rows": download.n_rows, "bytes": n_bytes}))
    elif download.n_rows is None:
        print(_("{path}: {size:.1f} MB").format(path=out, size=n_bytes / MEGABYTE))
    else:
        rows = f"{download.n_rows:,}"
        print(_("{path}: {rows} rows, {size:.1f} MB").format(path=out, rows=rows, size=n_bytes / MEGABYTE))


def feedback(
    name: str = NAME,
    rows: str = typer.Argument(..., metavar="FILE", help="CSV, JSON or Parquet file; - is standard input."),
    id_column: Optional[str] = typer.Option(
        None, metavar="COLUMN", help="Column of the ids that the answers gave; id or prediction_id when not given."
    ),
    value_column: str = typer.Option("value", help="Column of what became true."),
    as_json: bool = AS_JSON,
) -> None:
    """Tell what became true of answers. Told twice, it counts once."""
    entries = read_entries(rows, id_column, value_column)
    if not entries:
        text = _("{path} holds no rows. Expected a table with the columns {columns}.")
        raise InvalidRequest("no-rows", text.format(path=rows, columns=f"{id_column or 'id'}, {value_column}"))
    done = Client().watching.feedback(name, entries)
    if as_json:
        rejected = [{"id": given, "detail": why} for given, why in done.rejected]
        print(json.dumps({"accepted": done.accepted, "rejected": rejected, "n_rejected": done.n_rejected}))
    else:
        print(_all_of(done))


def write_whole(path: Path, download: Download) -> int:
    """Write a download to a file that is there whole or not at all; return its size in bytes.

    Raises InvalidRequest when the folder cannot be written.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    n_bytes = 0
    try:
        with part.open("wb") as file, Pace() as pace:
            for piece in shown(download, pace):
                n_bytes += file.write(piece)
        part.replace(path)
    except OSError as error:
        text = _("{path} cannot be written: {cause}").format(path=path, cause=error.strerror or error)
        raise InvalidRequest("unusual-path", text) from error
    finally:
        part.unlink(missing_ok=True)
    return n_bytes


def read_entries(source: str, id_column: Optional[str], value_column: str) -> list[Entry]:
    """Return (id, value) pairs of a file, or of standard input for ``-``.

    Raises InvalidRequest when it cannot be read or lacks a column, NotFound when there is no such file.
    """
    if source.endswith(".parquet"):
        return _of_parquet(source, id_column, value_column)
    path = Path(source)
    if source != "-" and not path.is_file():
        raise missing_file(path)
    body = sys.stdin.buffer.read() if source == "-" else path.read_bytes()
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        told = _("{source} is not written in UTF-8, from line {line} on. Save it in UTF-8 and tell it again.")
        line = body.count(b"\n", 0, error.start) + 1
        raise InvalidRequest("unusual-rows", told.format(source=source, line=line)) from error
    rows = _json_rows(source, text) if text.lstrip()[:1] in ("{", "[") else _csv_rows(source, text)
    if not rows:
        return []
    given = _needed(source, list(rows[0]), id_column, value_column)
    return [(_told_id(row.get(given), row.get(ROW_COLUMN)), row.get(value_column)) for row in rows]


def _csv_rows(source: str, text: str) -> list[dict[str, Any]]:
    """Return the rows of a CSV text, cells that are JSON numbers or truth values read as such, empty ones None."""
    rows = csv.DictReader(io.StringIO(text, newline=""))
    try:
        return [{name: _cell(cell) for name, cell in row.items() if name is not None} for row in rows]
    except csv.Error as error:
        told = _("{source} is no CSV that can be read, at line {line}: {cause}. Is a quotation mark left open?")
        told = told.format(source=source, line=rows.line_num + 1, cause=error)
        raise InvalidRequest("unusual-rows", told) from error


def _cell(text: Optional[str]) -> Any:
    if not text:
        return None
    try:
        value = json.loads(text, parse_constant=str)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, (bool, int, float)) else text


def _json_rows(source: str, text: str) -> list[dict[str, Any]]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        try:  # one object a line
            document = [json.loads(line) for line in text.splitlines() if line.strip()]
        except (ValueError, RecursionError):
            raise no_json(source, error) from error
    if isinstance(document, dict):
        document = next((document[key] for key in WRAPPERS if isinstance(document.get(key), list)), [document])
    if not all(isinstance(row, dict) for row in document):
        text = _('{source} holds no rows. Expected [{{"id": …, "value": …}}, …]')
        raise InvalidRequest("unusual-rows", text.format(source=source))
    rows: list[dict[str, Any]] = document
    return rows


def no_json(source: str, cause: Exception) -> InvalidRequest:
    """Return the error of a text that cannot be read as JSON, among them one whose lists go too deep."""
    if isinstance(cause, RecursionError):
        told = _("{source} holds lists within lists, deeper than can be read. Take the outer ones away.")
        return InvalidRequest("malformed-json", told.format(source=source))
    return InvalidRequest("malformed-json", _("{source} is no JSON: {cause}").format(source=source, cause=cause))


def _of_parquet(source: str, id_column: Optional[str], value_column: str) -> list[Entry]:
    from boucle.cli.files import read_example

    table = read_example(Path(source))
    names = [str(name) for name in table.columns]
    given = _needed(source, names, id_column, value_column)
    rows = table[ROW_COLUMN] if ROW_COLUMN in names else [None] * len(table)
    return entries_of([_told_id(one, row) for one, row in zip(table[given], rows)], table[value_column])


def _told_id(given: Any, row: Any) -> str:
    """Return an id, put together where a column of its own says the row of the answer."""
    text = str(given)
    return text if row is None or ":" in text else f"{text}:{row}"


def _needed(source: str, there: list[str], id_column: Optional[str], value_column: str) -> str:
    """Return the column of the ids. Raises InvalidRequest when it or that of the values is not there."""
    given = id_column or next((name for name in ID_COLUMNS if name in there), ID_COLUMNS[0])
    for name, option in ((given, "--id-column"), (value_column, "--value-column")):
        if name not in there:
            text = _("{source} has no column {name}; it has: {found}. Name the right one with {option}.")
            found = ", ".join(there[:20])
            raise InvalidRequest("unusual-rows", text.format(source=source, name=name, found=found, option=option))
    return given


def _all_of(done: Feedback) -> str:
    lines = [_("{n} accepted, {bad} rejected").format(n=done.accepted, bad=done.n_rejected)]
    lines += [printable(f"  {given}: {why}") for given, why in done.rejected]
    if done.n_rejected > len(done.rejected):
        lines.append(_("  … and {n} more").format(n=done.n_rejected - len(done.rejected)))
    return "\n".join(lines)
