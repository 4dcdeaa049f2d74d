"""Smoke: one row goes the whole way of a consumer's request, from JSON text to JSON text."""

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
from boucle.serving.plan import RowPlan


def example_rows(schema: Schema) -> Table:
    """Return the example row of a schema as a table of one row."""
    return _decoded(_request(schema.example_row()), schema)


def smoke_check(predict: Predict, rows: Table, schema: Schema, signature: Signature) -> Check:
    """Return the Check ``smoke``: the row that came as JSON is answered as the same row that never was text."""
    expected = _("the same answer through JSON as without it")
    position = _sendable(rows)
    if position is None:
        observed = _("no row of the sample can be sent as JSON: each holds an infinite number")
        advice = _("Give an example of rows as callers send them.")
        return Check("smoke", "warn", observed, expected, advice, {"bytes_in": 0})
    row = rows.take(np.array([position]))
    body = _request(row.rows()[0])
    direct, answers = predict(row), predict(_decoded(body, schema))
    text = Encoder(signature.classes).to_json(answers.columns, 0, 1, "smoke")
    evidence = {"row": position, "bytes_in": len(body), "bytes_out": len(text)}
    if compare(answers, direct, signature.task, REPRODUCED).is_same and _told(text) == _expected(answers):
        observed = _("a row of {n} bytes of JSON is answered with {answer}").format(
            n=len(body), answer=shown_answer(answers, 0)
        )
        return Check("smoke", "pass", observed, expected, evidence=evidence)
    observed = _("row {row} is answered with {found} through JSON, {direct} without").format(
        row=position, found=shown(text.decode()), direct=shown_answer(direct, 0)
    )
    advice = _("The schema does not carry this row as it is. Deploy again with an example as callers send it.")
    return Check("smoke", "fail", observed, expected, advice, evidence)


def _request(row: dict[str, Any]) -> bytes:
    return json.dumps([row], ensure_ascii=False, allow_nan=False).encode("utf-8")


def _decoded(body: bytes, schema: Schema) -> Table:
    """Read a body as the gateway does. Raises InvalidRows or InvalidRequest."""
    plan = RowPlan(schema, Limits())
    return Table(plan.columns([plan.read(decode(body, JSON, schema, plan.names))]))


def _sendable(rows: Table) -> int | None:
    """Return the first row without an infinite number, which JSON cannot carry."""
    is_infinite = np.zeros(rows.n_rows, dtype=bool)
    for column in rows.columns.values():
        if column.kind == "float":
            is_infinite |= np.isinf(column.values)
    return next(iter(np.flatnonzero(~is_infinite).tolist()), None)


def _told(text: bytes) -> dict[str, Any]:
    document = json.loads(text)
    return {name: document.get(name) for name in ("predictions", "probabilities")}


def _expected(answers: Table) -> dict[str, Any]:
    """Return what the answer must say: null for a number that is none."""
    probabilities = answers.columns.get("probabilities")
    return {
        "predictions": [_plain(cell) for cell in cells(answers.columns["prediction"])],
        "probabilities": None
        if probabilities is None
        else [[_plain(cell) for cell in row] for row in probabilities.values.tolist()],
    }


def _plain(cell: Any) -> Any:
    return None if isinstance(cell, float) and not np.isfinite(cell) else cell
