"""Records of the inference log into rows: read with the very decoder that answered them, many records at once."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import orjson

from boucle.core.answer import Answer
from boucle.core.errors import BoucleError
from boucle.core.record import InferenceRecord
from boucle.core.schema import Schema
from boucle.core.signature import Signature
from boucle.core.table import Table, concat
from boucle.loop.log import LogRows
from boucle.monitoring.grids import answers_table
from boucle.serving.decode import CSV, JSON, decode
from boucle.serving.limits import Limits
from boucle.serving.plan import RowPlan
from boucle.serving.raw import RawRows

_PLENTY = 2**31 - 1
_ALL = Limits(_PLENTY, _PLENTY, _PLENTY, 1_000, _PLENTY)  # what the gateway let pass is not judged a second time
_MEDIA = {"json": JSON, "csv": CSV}
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_BOOLEANS = {"True": True, "False": False}
MINUTE_US = 60_000_000


class Refused(NamedTuple):
    """A record that could not be read, and why."""

    record: InferenceRecord
    cause: str


@dataclass(frozen=True, eq=False)
class Decoded:
    """The answers of one version: as rows of the log, and as what is counted of them.

    Row by row: ``features`` is what was asked, ``answers`` what was said, ``minutes`` when (int64, UTC microseconds).
    Of a model that answers windows a row is the newest one of an answer's window.
    """

    rows: LogRows
    features: Table
    answers: Table
    minutes: Any
    refused: tuple[Refused, ...] = ()


class Said(NamedTuple):
    """The answer of one record: ``probabilities`` and ``intervals`` are lists of lists, or None."""

    predictions: list[Any]
    probabilities: list[list[float | None]] | None = None
    intervals: list[list[float | None]] | None = None
    groups: list[Any] | None = None


class _Read(NamedTuple):
    """A record with its rows: ``raw`` cells by column, or, of windows, the newest row of each in ``rows``."""

    record: InferenceRecord
    said: Said
    raw: RawRows | None
    rows: Table | None


class Decoder:
    """Reads the records of one version."""

    def __init__(self, name: str, number: int, schema: Schema, signature: Signature) -> None:
        self.name, self.number = name, number
        self._schema, self._signature = schema, signature
        self._plan = RowPlan(schema, _ALL)

    def decode(self, records: Iterable[InferenceRecord], masked: frozenset[str] = frozenset()) -> Decoded:
        """Return the rows of answers, in order; the columns ``masked`` are not among the log's inputs."""
        read: list[_Read] = []
        refused: list[Refused] = []
        for record in records:
            try:
                read.append(self._read(record))
            except (BoucleError, ValueError, KeyError, TypeError, IndexError, OverflowError) as error:
                refused.append(Refused(record, f"{type(error).__name__}: {error}"[:500]))
        try:
            features = self._features(read)
        except (BoucleError, ValueError, TypeError, OverflowError):
            read, broken = self._sound(read)
            refused += broken
            features = self._features(read)
        minutes = np.repeat(
            np.array([one.record.at // MINUTE_US * MINUTE_US for one in read], dtype=np.int64),
            np.array([len(one.said.predictions) for one in read], dtype=np.int64),
        )
        answers = answers_table(self._answer([one.said for one in read]))
        return Decoded(self._rows(read, masked), features, answers, minutes, tuple(refused))

    def _read(self, record: InferenceRecord) -> _Read:
        said = self._said(record)
        raw = decode(record.request, _MEDIA[record.media], self._schema, self._plan.names)
        rows = None
        n_rows = raw.n_rows
        if self._schema.window is not None:
            found = self._plan.read(raw, has_long_texts=True)
            each = self._schema.window.rows
            rows = Table(found.columns or {}).take(np.arange(1, found.n_rows + 1) * each - 1)
            n_rows = found.n_rows
        lengths = {n_rows, *(len(part) for part in said if part is not None)}
        if len(lengths) != 1:
            raise ValueError(f"{n_rows} rows were asked about, answered: {sorted(lengths)}")
        return _Read(record, said, raw if rows is None else None, rows)

    def _said(self, record: InferenceRecord) -> Said:
        if record.answer_media == "csv":
            return said_in_csv(record.answer, self._signature)
        document = orjson.loads(record.answer)
        return Said(
            document["predictions"], document.get("probabilities"), document.get("intervals"), document.get("groups")
        )

    def _sound(self, read: Sequence[_Read]) -> tuple[list[_Read], list[Refused]]:
        """Return the records whose rows fit the schema, each looked at alone, and the others."""
        sound: list[_Read] = []
        refused: list[Refused] = []
        for one in read:
            try:
                self._features([one])
                sound.append(one)
            except (BoucleError, ValueError, TypeError, OverflowError) as error:
                refused.append(Refused(one.record, f"{type(error).__name__}: {error}"[:500]))
        return sound, refused

    def _features(self, read: Sequence[_Read]) -> Table:
        """Return the rows of many records as one table, checked as one request."""
        if self._schema.window is not None:
            tables = [one.rows for one in read if one.rows is not None]
            return concat(tables) if tables else Table({})
        raws = [one.raw for one in read if one.raw is not None]
        n_rows = sum(raw.n_rows for raw in raws)
        if n_rows == 0:
            return Table({})
        columns = [tuple(chain.from_iterable(parts)) for parts in zip(*(raw.columns for raw in raws), strict=True)]
        rows = self._plan.read(RawRows(n_rows, columns), has_long_texts=True)
        return Table(self._plan.columns([rows]))

    def _answer(self, said: Sequence[Said]) -> Answer:
        return answer_of(
            list(chain.from_iterable(one.predictions for one in said)),
            self._signature,
            _joined([one.probabilities for one in said]),
            _joined([one.intervals for one in said]),
        )

    def _rows(self, read: Sequence[_Read], masked: frozenset[str]) -> LogRows:
        rows = LogRows()
        names = [name for name in self._schema.names if name not in masked]
        places = [place for place, name in enumerate(self._schema.names) if name not in masked]
        for one in read:
            record, said = one.record, one.said
            n = len(said.predictions)
            rows.prediction_id += [f"{record.prediction_id}:{row}" for row in range(n)]
            rows.at += [record.at] * n
            rows.logged_at += [record.logged_at] * n
            rows.caller += [record.caller] * n
            rows.latency_us += [record.latency_us] * n
            rows.inputs += _inputs(one, names, places)
            rows.prediction += [orjson.dumps(cell).decode() for cell in said.predictions]
            rows.probabilities += _numbers(said.probabilities, n)
            rows.low += [None] * n if said.intervals is None else [pair[0] for pair in said.intervals]
            rows.high += [None] * n if said.intervals is None else [pair[1] for pair in said.intervals]
            rows.group += [None if group is None else _text(group) for group in said.groups or [None] * n]
        rows.model, rows.version = [self.name] * len(rows), [self.number] * len(rows)
        return rows


def answer_of(predictions: list[Any], signature: Signature, probabilities: Any = None, intervals: Any = None) -> Answer:
    """Return predictions (JSON values), probabilities and intervals as an answer; missing numbers are NaN."""
    values: Any = np.empty(len(predictions), dtype=object)
    values[:] = predictions
    if signature.prediction_kind in ("float", "int") and not any(isinstance(cell, str) for cell in predictions):
        kind = np.int64 if signature.prediction_kind == "int" and None not in predictions else np.float64
        values = np.array(predictions, dtype=kind)
    elif signature.prediction_kind == "bool" and None not in predictions:
        values = np.array(predictions, dtype=np.bool_)
    classes = None if signature.classes is None else list(signature.classes)
    return Answer(values, classes, _matrix(probabilities), _matrix(intervals))


def said_in_csv(answer: bytes, signature: Signature) -> Said:
    """Return what an answer in CSV says: ``group``, ``prediction``, the probabilities, ``low`` and ``high``."""
    header, *lines = csv.reader(io.StringIO(answer.decode("utf-8"), newline=""))
    at = header.index("prediction")
    by_text = {_escaped(str(label)): label for label in signature.classes or ()}
    predictions = [_cell(line[at], signature.prediction_kind, by_text) for line in lines]
    shares = [place for place, name in enumerate(header) if place > at and name.startswith("probability_")]
    ends = [place for place, name in enumerate(header) if place > at and name in ("low", "high")]
    return Said(
        predictions,
        [[_float(line[place]) for place in shares] for line in lines] if shares else None,
        [[_float(line[place]) for place in ends] for line in lines] if ends else None,
        [_unescaped(line[0]) for line in lines] if at else None,
    )


def _cell(text: str, kind: str, by_text: dict[str, Any]) -> Any:
    if text in by_text:
        return by_text[text]
    if text == "":
        return None
    if kind == "float":
        return float(text)
    if kind == "int":
        return int(text)
    return _BOOLEANS[text] if kind == "bool" else _unescaped(text)


def _escaped(text: str) -> str:
    return "'" + text if text.startswith(_FORMULA_STARTS) else text


def _unescaped(text: str) -> str:
    """Return a text as it was before ``encode`` kept it from being taken for a formula."""
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA_STARTS) else text


def _float(text: str) -> float | None:
    return float(text) if text else None


def _inputs(one: _Read, names: Sequence[str], places: Sequence[int]) -> list[str]:
    if one.raw is None:
        rows = one.rows.select(names).rows() if one.rows is not None else []
        return [_json(row) for row in rows]
    columns = [one.raw.columns[place] for place in places]
    if not columns:
        return ["{}"] * one.raw.n_rows
    return [_json(dict(zip(names, row, strict=True))) for row in zip(*columns, strict=True)]


def _json(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # a whole number beyond 64 bits
        return json.dumps(value, ensure_ascii=False)


def _numbers(parts: list[list[float | None]] | None, n: int) -> Sequence[list[float] | None]:
    if parts is None:
        return [None] * n
    return [[float("nan") if cell is None else cell for cell in part] for part in parts]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else _json(value)


def _joined(parts: Sequence[Any]) -> Any:
    return None if not parts or any(part is None for part in parts) else list(chain.from_iterable(parts))


def _matrix(rows: Any) -> Any:
    return None if rows is None else np.array(rows, dtype=np.float64)
