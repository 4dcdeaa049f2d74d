"""Exploring: the rows of a window as they were asked, what was answered and what came to be, as one typed table."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

import numpy as np
import orjson

from boucle.core.errors import InvalidRequest, InvalidRows, TooLarge
from boucle.core.i18n import _
from boucle.core.report import Span
from boucle.core.schema import ColumnSchema, Schema
from boucle.core.signature import Signature
from boucle.core.table import Column, Table, cells, missing_mask
from boucle.core.version import Version
from boucle.labels.ports import TruthReader
from boucle.loop.log import InferenceLog
from boucle.registry.registry import Registry
from boucle.serving.limits import Limits
from boucle.serving.plan import RowPlan
from boucle.serving.raw import RawRows

if TYPE_CHECKING:
    import polars

FileFormat = Literal["table", "parquet", "csv"]
MOST_ROWS = 1_000_000
OWN = ("prediction_id", "at", "version", "prediction", "low", "high", "group", "truth", "latency_us", "caller")
_MINUTE_US = 60_000_000
_PLENTY = 2**31 - 1
_LIMITS = Limits(_PLENTY, _PLENTY, _PLENTY, 1_000, _PLENTY)  # what the gateway let pass is not judged a second time
_CHUNK = 50_000  # rows whose texts are Python objects at once
_FORMULA = re.compile(r"^([=+\-@\t\r\n])")
_NUMERIC = {"bool", "int", "float"}


class TooManyRows(TooLarge):
    """More rows than one answer may hold."""

    def __init__(self, found: int, limit: int) -> None:
        super().__init__(_("rows"), found, limit)
        cure = _("The window holds {n} rows, and one answer takes {limit}. Ask for a shorter window, or say limit=.")
        self.args = (cure.format(n=found, limit=limit),)


@dataclass(frozen=True)
class LogQuery:
    """Rows of which window, of one version (None: of all); ``limit`` keeps the newest ones."""

    model: str
    window: Span
    version: int | None = None
    limit: int | None = None


@dataclass(frozen=True)
class ExploreWorld:
    """What rows are made from."""

    registry: Registry
    log: InferenceLog
    truths: TruthReader


def explore(world: ExploreWorld, query: LogQuery) -> Table:
    """Return the rows of a window in order of time: id, time, version, inputs, answer, truth, latency and caller.

    Inputs have the kinds of their version's schema, missing where a column was masked or unknown to the version; a
    name that is taken is told as ``input_<name>`` (see ``told_names``). ``truth`` is missing until it is known. Raises
    NotFound, and TooManyRows for more than a million rows when no limit is told.
    """
    known = {version.number: version for version in world.registry.versions(query.model)}
    if query.version is not None:
        world.registry.version(query.model, query.version)
    if query.limit is None:
        found = world.log.rows(query.model, query.window, query.version)
        n_rows = found.select("version").collect().height
        if n_rows > MOST_ROWS:
            raise TooManyRows(n_rows, MOST_ROWS)
    frame = world.log.rows(query.model, query.window, query.version, query.limit or MOST_ROWS).collect()
    return Table(dict(_columns(frame, known, _truths(world.truths, query))))


def write_table(table: Table, kind: FileFormat, file: BinaryIO) -> None:
    """Write a table: as the SDK reads it, as Parquet, or as CSV with a header.

    In CSV a text or a name that a spreadsheet would take for a formula has an apostrophe before it, and times are
    ISO 8601.
    """
    if kind == "table":
        file.write(table.to_bytes())
    elif kind == "parquet":
        frame_of(table).write_parquet(file, compression="zstd")
    else:
        header = io.StringIO()
        csv.writer(header, lineterminator="\n").writerow(_FORMULA.sub(r"'\1", name) for name in table.names)
        file.write(header.getvalue().encode())
        body = _safe(frame_of(table))
        body.write_csv(file, include_header=False, datetime_format="%Y-%m-%dT%H:%M:%S%.6fZ")


def frame_of(table: Table) -> polars.DataFrame:
    """Return a table as a polars frame; missing cells are null."""
    import polars as pl

    return pl.DataFrame({name: _series(name, column) for name, column in table.columns.items()})


def told_names(inputs: Sequence[str], taken: Collection[str]) -> dict[str, str]:
    """Return the name under which each input is told: its own, or ``input_`` before it until the name is free.

    >>> told_names(["at", "input_at", "low"], OWN)
    {'at': 'input_input_at', 'input_at': 'input_at', 'low': 'input_low'}
    """
    found: dict[str, str] = {}
    for name in inputs:
        told = name
        while told in taken or (told != name and (told in inputs or told in found.values())):
            told = f"input_{told}"
        found[name] = told
    return found


def _columns(
    frame: polars.DataFrame, known: Mapping[int, Version], truths: Mapping[str, Any]
) -> Iterator[tuple[str, Column]]:
    ids = frame["prediction_id"].to_list()
    numbers = frame["version"].to_numpy()
    typed = merged(len(ids), list(_parts(frame, numbers, known)))
    inputs = [name for name in typed if name.startswith("i:")]
    shares = [name for name in typed if name.startswith("p:")]
    taken = {*OWN, *(f"probability_{name[2:]}" for name in shares)}
    yield "prediction_id", _texts(ids)
    yield "at", Column("datetime", frame["at"].dt.epoch("us").to_numpy().astype("datetime64[us]"))
    yield "version", Column("int", numbers.astype(np.int64))
    for name, told in told_names([name[2:] for name in inputs], taken).items():
        yield told, typed[f"i:{name}"]
    yield "prediction", typed.get("prediction", _texts([]))
    for name in shares:
        yield f"probability_{name[2:]}", typed[name]
    for name in ("low", "high"):
        if frame[name].null_count() < frame.height:
            yield name, Column("float", frame[name].fill_null(float("nan")).to_numpy().astype(np.float64))
    if frame["group"].null_count() < frame.height:
        yield "group", _texts(frame["group"].to_list())
    yield "truth", column_of([truths.get(id_) for id_ in ids])
    yield "latency_us", Column("int", frame["latency_us"].to_numpy().astype(np.int64))
    yield "caller", _texts(frame["caller"].to_list())


def _parts(
    frame: polars.DataFrame, numbers: Any, known: Mapping[int, Version]
) -> Iterator[tuple[Any, dict[str, Column]]]:
    """Return places of rows with what depends on their version: ``i:<input>``, ``prediction``, ``p:<class>``."""
    for number in np.unique(numbers).tolist():
        version = known.get(number)
        schema = version.manifest.schema if version is not None else Schema(())
        signature = (version.signature or version.manifest.signature) if version is not None else None
        places = np.flatnonzero(numbers == number)
        for start in range(0, len(places), _CHUNK):
            chosen = places[start : start + _CHUNK]
            yield chosen, _typed(frame[chosen], schema, signature)


def _typed(frame: polars.DataFrame, schema: Schema, signature: Signature | None) -> dict[str, Column]:
    rows = [orjson.loads(text) for text in frame["inputs"].to_list()]
    found = {f"i:{column.name}": _input(column, [row.get(column.name) for row in rows]) for column in schema.columns}
    kind = "" if signature is None else signature.prediction_kind
    found["prediction"] = column_of([orjson.loads(text) for text in frame["prediction"].to_list()], kind)
    told = frame["probabilities"].to_list()
    classes = (signature.classes if signature is not None else None) or ()
    if classes and any(shares is not None for shares in told):
        nothing = [float("nan")] * len(classes)
        matrix = np.array([nothing if shares is None else shares for shares in told], dtype=np.float64)
        found.update({f"p:{label}": Column("float", matrix[:, place]) for place, label in enumerate(classes)})
    return found


def _input(column: ColumnSchema, values: Sequence[Any]) -> Column:
    """Return the cells of an input as its schema types them; as texts when they do not fit it."""
    plan = RowPlan(Schema((replace(column, required=False, nullable=True),)), _LIMITS)
    try:
        rows = plan.read(RawRows(len(values), [tuple(values)]), has_long_texts=True)
        return plan.columns([rows])[column.name]
    except (InvalidRows, InvalidRequest, ValueError, TypeError, OverflowError):
        return _texts([None if value is None else _text(value) for value in values])


def column_of(values: Sequence[Any], kind: str = "") -> Column:
    """Return JSON values as a column of the narrowest kind that holds them all: texts of JSON when nothing else does.

    >>> column_of([1, None, 2.5]).kind, column_of(["yes", None]).kind, column_of([["a"], "b"]).values.tolist()
    ('float', 'text', ['["a"]', 'b'])
    """
    types = {type(value) for value in values if value is not None}
    missing = np.fromiter((value is None for value in values), dtype=bool, count=len(values))
    if types and types <= {int, float} and (kind == "float" or float in types):
        return Column("float", np.array([float("nan") if v is None else v for v in values], dtype=np.float64))
    if types in ({bool}, {int}) and all(-(2**63) <= (v or 0) < 2**63 for v in values):
        kind_, dtype = ("bool", np.bool_) if types == {bool} else ("int", np.int64)
        filled: Any = np.array([v or 0 for v in values], dtype=dtype)
        return Column(kind_, filled, missing if missing.any() else None)
    return _texts([None if value is None else _text(value) for value in values])


def merged(n_rows: int, parts: Iterable[tuple[Any, Mapping[str, Column]]]) -> dict[str, Column]:
    """Return columns whose cells come from several parts, each with the places of its rows; missing elsewhere."""
    by_name: dict[str, list[tuple[Any, Column]]] = {}
    for places, columns in parts:
        for name, column in columns.items():
            by_name.setdefault(name, []).append((places, column))
    return {name: _united(n_rows, of_name) for name, of_name in by_name.items()}


def _united(n_rows: int, parts: Sequence[tuple[Any, Column]]) -> Column:
    kinds = {column.kind for _places, column in parts}
    kind = kinds.pop() if len(kinds) == 1 else "float" if kinds <= _NUMERIC else "text"
    if kind == "text":
        texts = np.full(n_rows, None, dtype=object)
        for places, column in parts:
            texts[places] = [None if cell is None else _text(cell) for cell in cells(column)]
        return Column("text", texts)
    if kind in ("float", "datetime"):
        empty: Any = np.nan if kind == "float" else np.datetime64("NaT", "us")
        values = np.full(n_rows, empty)
        for places, column in parts:
            values[places] = np.where(missing_mask(column), empty, column.values) if column.kind != kind else column[1]
        return Column(kind, values)
    values, missing = np.zeros(n_rows, dtype=parts[0][1].values.dtype), np.ones(n_rows, dtype=bool)
    for places, column in parts:
        values[places], missing[places] = column.values, missing_mask(column)
    return Column(kind, values, missing if missing.any() else None)


def _truths(truths: TruthReader, query: LogQuery) -> dict[str, Any]:
    minutes = Span(query.window.start // _MINUTE_US * _MINUTE_US, query.window.stop)
    return {truth.id: truth.value for truth in truths.joined(query.model, minutes)}


def _texts(values: Sequence[str | None]) -> Column:
    texts = np.empty(len(values), dtype=object)
    texts[:] = values
    return Column("text", texts)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _series(name: str, column: Column) -> polars.Series:
    import polars as pl

    kind, values, missing = column
    if kind == "text":
        return pl.Series(name, values.tolist(), dtype=pl.String)
    if kind == "datetime":
        return pl.Series(name, values.astype("datetime64[us]")).dt.replace_time_zone("UTC")
    made = pl.Series(name, values, nan_to_null=True)
    return made if missing is None else made.zip_with(pl.Series(~missing), pl.Series(name, [None], dtype=made.dtype))


def _safe(frame: polars.DataFrame) -> polars.DataFrame:
    import polars as pl

    return frame.with_columns(pl.col(pl.String).str.replace(_FORMULA.pattern, "'$1"))
