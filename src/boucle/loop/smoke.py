"""Smoke: one row (or window of rows) goes the whole way of a consumer's request, from JSON text to JSON text."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from boucle.core.check import Check
from boucle.core.errors import shown
from boucle.core.i18n import _
from boucle.core.schema import Schema
from boucle.core.signature import Signature
from boucle.core.table import Table, cells
from boucle.packaging.comparison import REPRODUCED, compare, shown_answer
from boucle.packaging.ports import Predict
from boucle.serving.decode import JSON, decode
from boucle.serving.encode import Encoder
from boucle.serving.limits import Limits
from boucle.serving.plan import RowPlan, Rows


def example_rows(schema: Schema) -> Table:
    """Return the example row of a schema as a table of one row, or of one window of it. Raises InvalidRows."""
    if schema.window is not None:
        return Table(RowPlan(schema, Limits()).example_rows())
    return _decoded(_request([schema.example_row()]), schema)[1]


def smoke_check(predict: Predict, rows: Table, schema: Schema, signature: Signature) -> Check:
    """Return the Check ``smoke``: what came as JSON is answered as the same rows that never were text.

    Of a model that answers windows, ``rows`` are windows one after the other.
    """
    rows_each = 1 if schema.window is None else schema.window.rows
    expected = _("the same answer through JSON as without it")
    position = _sendable(rows, rows_each)
    if position is None:
        observed = _("no row of the sample can be sent as JSON: each holds an infinite number")
        advice = _("Give an example of rows as callers send them.")
        return Check("smoke", "warn", observed, expected, advice, {"bytes_in": 0})
    sent = rows.take(slice(position * rows_each, (position + 1) * rows_each))
    body = _request(sent.rows())
    asked, decoded = _decoded(body, schema)
    direct, answers = predict(sent), predict(decoded)
    text = Encoder(signature.classes).to_json(answers.columns, 0, 1, "smoke", asked.groups)
    evidence = {"row": position * rows_each, "bytes_in": len(body), "bytes_out": len(text)}
    is_same = compare(answers, direct, signature.task, REPRODUCED).is_same
    if is_same and _told(text) == _expected(answers, asked.groups):
        observed = _("a row of {n} bytes of JSON is answered with {answer}")
        if rows_each > 1:
            observed = _("{rows} rows in {n} bytes of JSON are answered with {answer}")
        observed = observed.format(rows=rows_each, n=len(body), answer=shown_answer(answers, 0))
        return Check("smoke", "pass", observed, expected, evidence=evidence)
    observed = _("row {row} is answered with {found} through JSON, {direct} without").format(
        row=position * rows_each, found=shown(text.decode()), direct=shown_answer(direct, 0)
    )
    advice = _("The schema does not carry this row as it is. Deploy again with an example as callers send it.")
    return Check("smoke", "fail", observed, expected, advice, evidence)


def _request(rows: list[dict[str, Any]]) -> bytes:
    return json.dumps(rows, ensure_ascii=False, allow_nan=False).encode("utf-8")


def _decoded(body: bytes, schema: Schema) -> tuple[Rows, Table]:
    """Read a body as the gateway does. Raises InvalidRows or InvalidRequest."""
    plan = RowPlan(schema, Limits())
    rows = plan.read(decode(body, JSON, schema, plan.names))
    return rows, Table(plan.columns([rows]))


def _sendable(rows: Table, rows_each: int) -> int | None:
    """Return the first row (or window) without an infinite number, which JSON cannot carry."""
    is_infinite = np.zeros(rows.n_rows, dtype=bool)
    for column in rows.columns.values():
        if column.kind == "float":
            is_infinite |= np.isinf(column.values)
    is_sendable = ~is_infinite.reshape(-1, rows_each).any(axis=1)
    return next(iter(np.flatnonzero(is_sendable).tolist()), None)


def _told(text: bytes) -> dict[str, Any]:
    document = json.loads(text)
    return {name: document.get(name) for name in ("predictions", "probabilities", "intervals", "groups")}


def _expected(answers: Table, groups: tuple[Any, ...] | None) -> dict[str, Any]:
    """Return what the answer must say: null for a number that is none."""
    return {
        "predictions": [_plain(cell) for cell in cells(answers.columns["prediction"])],
        "probabilities": _rows(answers, "probabilities"),
        "intervals": _rows(answers, "intervals"),
        "groups": None if groups is None else list(groups),
    }


def _rows(answers: Table, name: str) -> list[list[Any]] | None:
    column = answers.columns.get(name)
    return None if column is None else [[_plain(cell) for cell in row] for row in column.values.tolist()]


def _plain(cell: Any) -> Any:
    return None if isinstance(cell, float) and not np.isfinite(cell) else cell
