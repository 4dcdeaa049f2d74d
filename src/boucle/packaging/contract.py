"""The contract of a version: do its rows fit its schema, and do its answers fit its signature?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from boucle.core.check import Check
from boucle.core.errors import shown
from boucle.core.i18n import _
from boucle.core.schema import Schema
from boucle.core.signature import Signature
from boucle.core.table import Table, cells, missing_mask

MOST_SHOWN = 5


def schema_check(schema: Schema, signature: Signature, rows: Table, answers: Table) -> Check:
    """Return the Check ``schema``: fail when rows or answers contradict the documents, warn on answers that are odd."""
    broken = [*_columns(schema, signature), *_rows(schema, rows), *_answers(signature, answers)]
    evidence: dict[str, Any] = {
        "columns": len(schema.columns),
        "nullable": sum(column.nullable for column in schema.columns),
        "categories": sum(column.categories is not None for column in schema.columns),
        "classes": len(signature.classes) if signature.classes is not None else None,
    }
    expected = _("rows that fit the schema, answers that fit the signature")
    if broken:
        advice = _("Deploy again from the notebook, with the example that the model takes.")
        return Check("schema", "fail", _joined(broken), expected, advice, {**evidence, "problems": broken[:20]})
    odd = [*_oddities(answers), *_intervals(signature, answers)]
    if odd:
        advice = _("Callers get such answers too. Look at the rows that give them before relying on the model.")
        return Check("schema", "warn", _joined(odd), expected, advice, {**evidence, "problems": odd})
    observed = _("{columns} columns in, {kind} out").format(columns=len(schema.columns), kind=signature.prediction_kind)
    if "intervals" in answers.columns and signature.interval_level is not None:
        observed += _(" with intervals of {level:.4g} %").format(level=100 * signature.interval_level)
    if signature.probabilities:
        observed += _(" with the probabilities of {n} classes").format(n=len(signature.classes or ()))
    return Check("schema", "pass", observed, expected, evidence=evidence)


def _columns(schema: Schema, signature: Signature) -> Iterator[str]:
    names = tuple(item.name for item in signature.inputs)
    if names != schema.names:
        yield _("the schema has the columns {schema}, the signature {signature}").format(
            schema=shown(list(schema.names)), signature=shown(list(names))
        )
        return
    for column, item in zip(schema.columns, signature.inputs, strict=True):
        if column.kind != item.kind:
            yield _("column {name} is {schema} in the schema, {signature} in the signature").format(
                name=shown(column.name), schema=column.kind, signature=item.kind
            )


def _rows(schema: Schema, rows: Table) -> Iterator[str]:
    for column in schema.columns:
        there = rows.columns.get(column.name)
        if there is None:
            yield _("the sample lacks column {name}").format(name=shown(column.name))
        elif there.kind != column.kind:
            yield _("column {name} of the sample is {found}, expected {expected}").format(
                name=shown(column.name), found=there.kind, expected=column.kind
            )
        elif not column.nullable and missing_mask(there).any():
            yield _("column {name} holds nulls, which its schema does not allow").format(name=shown(column.name))


def _answers(signature: Signature, answers: Table) -> Iterator[str]:
    prediction, probabilities = answers.columns["prediction"], answers.columns.get("probabilities")
    if prediction.kind != signature.prediction_kind:
        yield _("answers are {found}, the signature says {expected}").format(
            found=prediction.kind, expected=signature.prediction_kind
        )
    elif signature.classes is not None:
        strangers = set(cells(prediction)) - set(signature.classes)
        if strangers:
            yield _("answers {strangers} are not among the classes {classes}").format(
                strangers=shown(sorted(map(str, strangers))), classes=shown(list(signature.classes))
            )
    if signature.interval_level is not None and "intervals" not in answers.columns:
        yield _("the signature promises intervals of {level:.4g} %, but the model gives none").format(
            level=100 * signature.interval_level
        )
    if signature.probabilities and probabilities is None:
        yield _("the signature promises probabilities, but the model gives none")
    if probabilities is not None and probabilities.values.shape[1] != len(signature.classes or ()):
        yield _("there are {width} columns of probabilities for {n} classes").format(
            width=probabilities.values.shape[1], n=len(signature.classes or ())
        )


def _oddities(answers: Table) -> Iterator[str]:
    n_missing = int(missing_mask(answers.columns["prediction"]).sum())
    if n_missing:
        yield _("{n} of {rows} rows have no answer (null)").format(n=n_missing, rows=answers.n_rows)
    if answers.columns["prediction"].kind == "float":
        n_infinite = int(np.isinf(answers.columns["prediction"].values).sum())
        if n_infinite:
            yield _("{n} of {rows} answers are infinite").format(n=n_infinite, rows=answers.n_rows)
    if "probabilities" in answers.columns:
        values = answers.columns["probabilities"].values
        n_off = int((~((values >= 0).all(axis=1) & (np.abs(values.sum(axis=1) - 1) < 1e-3))).sum())
        if n_off:
            yield _("the probabilities of {n} of {rows} rows do not add up to 1").format(n=n_off, rows=answers.n_rows)


def _intervals(signature: Signature, answers: Table) -> Iterator[str]:
    if "intervals" not in answers.columns:
        return
    n_none = int(np.isnan(answers.columns["intervals"].values).any(axis=1).sum())
    if n_none:
        yield _("the intervals of {n} of {rows} answers are none: low above high, or no number").format(
            n=n_none, rows=answers.n_rows
        )
    if signature.interval_level is None:
        yield _("nothing says how many outcomes the intervals hold: tell it with interval_level=0.9")


def _joined(problems: list[str]) -> str:
    more = len(problems) - MOST_SHOWN
    return "; ".join(problems[:MOST_SHOWN]) + (_("; and {n} more").format(n=more) if more > 0 else "")
