"""Answers into bytes: JSON or CSV. Numbers that are not (NaN, infinity) are null in JSON and empty in CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from typing import Any

import orjson

from boucle.core.table import Column, cells
from boucle_worker.frames import Columns

_OPTIONS = orjson.OPT_SERIALIZE_NUMPY
Groups = Sequence[Any] | None
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


class Encoder:
    """Writes the answers of one version. ``classes`` are the labels of the probability columns, or None."""

    def __init__(self, classes: Sequence[Any] | None) -> None:
        self.classes = None if classes is None else list(classes)
        self._classes_json = b"" if classes is None else b',"classes":' + orjson.dumps(list(classes))

    def to_json(self, answers: Columns, start: int, stop: int, prediction_id: str, groups: Groups = None) -> bytes:
        """Return the JSON answer to the rows from ``start`` to ``stop`` of a batch; ``groups`` are theirs alone."""
        parts = [b'{"predictions":', _json(answers["prediction"], start, stop)]
        probabilities = answers.get("probabilities")
        if probabilities is not None:
            parts += (self._classes_json, b',"probabilities":', _json(probabilities, start, stop))
        elif self._classes_json:
            parts.append(self._classes_json)
        intervals = answers.get("intervals")
        if intervals is not None:
            parts += (b',"intervals":', _json(intervals, start, stop))
        if groups is not None:
            parts += (b',"groups":', orjson.dumps(groups))
        parts += (b',"prediction_id":"', prediction_id.encode("ascii"), b'"}')
        return b"".join(parts)

    def to_csv(self, answers: Columns, start: int, stop: int, groups: Groups = None) -> bytes:
        """Return the CSV answer: ``group``, ``prediction``, one ``probability_<class>`` each, ``low`` and ``high``."""
        header, columns = ["prediction"], [_list(answers["prediction"], start, stop)]
        if "probabilities" in answers:
            header += [f"probability_{label}" for label in self.classes or range(answers["probabilities"][1].shape[1])]
            columns += answers["probabilities"].values[start:stop].T.tolist()
        if "intervals" in answers:
            header += ["low", "high"]
            columns += answers["intervals"].values[start:stop].T.tolist()
        if groups is not None:
            header, columns = ["group", *header], [list(groups), *columns]
        out = io.StringIO(newline="")
        writer = csv.writer(out)
        writer.writerow(map(_csv_cell, header))
        writer.writerows([_csv_cell(cell) for cell in row] for row in zip(*columns, strict=True))
        return out.getvalue().encode("utf-8")


def _json(column: Column, start: int, stop: int) -> bytes:
    if column.kind in ("float", "matrix", "int", "bool") and column.missing is None:
        return orjson.dumps(column.values[start:stop], option=_OPTIONS)
    return orjson.dumps(_list(column, start, stop))


def _list(column: Column, start: int, stop: int) -> list[Any]:
    missing = None if column.missing is None else column.missing[start:stop]
    return cells(Column(column.kind, column.values[start:stop], missing))


def _csv_cell(cell: Any) -> Any:
    """Return a cell that no spreadsheet takes for a formula, and no reader for a number that is none."""
    if isinstance(cell, str) and cell.startswith(_FORMULA_STARTS):
        return "'" + cell
    if isinstance(cell, float) and not math.isfinite(cell):
        return ""
    return cell
