"""Suspects: what a build can see of a model that will disappoint, although it answers as its notebook did.

Each is a sentence of the Check ``suspects``, which warns and never fails: columns that tell the target by themselves,
categories learned from a single row, scales that drown one another, encoders fitted on the target.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from boucle.core.check import Check
from boucle.core.i18n import _
from boucle.core.table import Column, Table, cells, missing_mask
from boucle.packaging.ports import Converted

LEAST_ROWS = 100
LEAST_OF_A_CLASS = 5
MOST_CLASSES = 20
TELLING = 0.995  # area under the curve, share of right answers or of variance: of one column alone
SCALES = 1e4  # the largest spread of columns that are joined, by the smallest
MANY_ONCE = 0.2  # of the categories of a column, seen once


@dataclass(frozen=True)
class Looked:
    """What is looked at: ``reference`` rows with the target where it is known, and ``rows`` that the model answered."""

    reference: Table
    rows: Table
    target: str | None = None


def suspects_check(looked: Looked, made: Converted | None) -> Check:
    """Return the Check. ``made`` is the graph, where there is one: it tells what lies between columns and model."""
    rows = looked.reference.select(looked.rows.names)
    found = [*_telling(rows, looked.reference.columns.get(looked.target or "")), *_once(rows, made)]
    if made is not None:
        found += [*_scales(looked.rows, made), *_supervised(made)]
    evidence: dict[str, Any] = {"rows": rows.n_rows, "suspects": found}
    expected = _("no column that tells the target by itself, no category learned from one row, scales alike")
    if not found:
        observed = _("nothing suspect in {rows} rows of {columns} columns")
        observed = observed.format(rows=rows.n_rows, columns=len(rows.names))
        if looked.target is None:
            observed += _("; no target was named (target=), so nothing was looked for that gives it away")
        return Check("suspects", "pass", observed, expected, evidence=evidence)
    advice = _("The version is built all the same. Look into it before you rely on its answers.")
    return Check("suspects", "warn", "; ".join(found[:5]), expected, advice, evidence)


def _telling(rows: Table, target: Column | None) -> Iterator[str]:
    """Yield the columns that tell the target almost by themselves: often they were filled in after it was known."""
    if target is None or rows.n_rows < LEAST_ROWS:
        return
    is_known = ~missing_mask(target)
    labels = _labels(target, is_known)
    for name, column in rows.columns.items():
        score = _by_label(column, is_known, labels) if labels is not None else _by_amount(column, target, is_known)
        if score >= TELLING:
            yield _(
                "column {name} alone gives the target away ({score:.4f} of 1): is its value known before the outcome?"
            ).format(name=repr(name[:80]), score=score)


def _labels(target: Column, is_known: Any) -> Any:
    """Return the target as small integers; None for an amount."""
    values = np.array([str(cell) for cell in cells(target)], dtype=object)[is_known]
    distinct, codes = np.unique(values.astype(str), return_inverse=True)
    is_amount = target.kind in ("float", "datetime") and len(distinct) > 2
    return None if is_amount or not 2 <= len(distinct) <= MOST_CLASSES else codes


def _by_label(column: Column, is_known: Any, labels: Any) -> float:
    """Return how well one column tells labels: a number two of them by its curve, several by how rarely they change.

    Sorted by a column that tells them, rows of one label lie side by side.
    """
    if column.kind == "text":
        return _by_category(np.array(cells(column), dtype=object)[is_known], labels)
    number = _number(column)[is_known]
    is_there = ~np.isnan(number)
    number, labels = number[is_there], labels[is_there]
    if len(labels) == 0:
        return 0.0
    distinct = np.unique(labels)
    if len(distinct) == 2:
        return _area(number, labels == distinct[0])
    if len(np.unique(number)) * 10 <= len(number):
        return _by_category(number, labels)
    in_order = labels[np.argsort(number, kind="stable")]
    return 1.0 - float(np.count_nonzero(in_order[1:] != in_order[:-1])) / len(in_order)


def _area(number: Any, is_label: Any) -> float:
    """Return the area under the ROC curve (Mann-Whitney U by its largest value), at least one half.

    Ties count one half; 0 where a side has under five rows.
    """
    n_yes, n_no = int(is_label.sum()), int((~is_label).sum())
    if min(n_yes, n_no) < LEAST_OF_A_CLASS:
        return 0.0
    _distinct, place, count = np.unique(number, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - (count - 1) / 2.0)[place]
    area = (float(ranks[is_label].sum()) - n_yes * (n_yes + 1) / 2.0) / (n_yes * n_no)
    return max(area, 1.0 - area)


def _by_category(texts: Any, labels: Any) -> float:
    """Return the share of rows that bear the commonest label of their category; 0 when categories are rarely shared."""
    groups: dict[Any, Counter[int]] = {}
    for text, label in zip(texts.tolist(), labels.tolist(), strict=True):
        groups.setdefault(text, Counter())[label] += 1
    if len(groups) * 10 > len(texts) or max(np.bincount(labels)) > 0.95 * len(labels):
        return 0.0
    return sum(max(group.values()) for group in groups.values()) / len(texts)


def _by_amount(column: Column, target: Column, is_known: Any) -> float:
    """Return the size of Pearson's correlation of a column with an amount."""
    if column.kind == "text" or target.kind == "text":
        return 0.0
    x, y = _number(column)[is_known], _number(target)[is_known]
    both = np.isfinite(x) & np.isfinite(y)
    if both.sum() < LEAST_ROWS or np.ptp(x[both]) == 0 or np.ptp(y[both]) == 0:
        return 0.0
    return float(abs(np.corrcoef(x[both], y[both])[0, 1]))


def _once(rows: Table, made: Converted | None) -> Iterator[str]:
    """Yield the columns of which many categories were seen in one row only."""
    known = made.coding.vocabularies if made is not None else {}
    for name, column in rows.columns.items():
        if column.kind != "text" or rows.n_rows < LEAST_ROWS or (made is not None and not known.get(name)):
            continue
        counts = Counter(cell for cell in cells(column) if cell is not None)
        once = sum(count == 1 for count in counts.values())
        is_free_text = len(counts) * 5 > rows.n_rows
        if not is_free_text and once >= 5 and once > MANY_ONCE * len(counts):
            text = _("{once} of {n} categories of column {name} were seen once: group rare ones (min_frequency)")
            yield text.format(once=once, n=len(counts), name=repr(name[:80]))


def _scales(rows: Table, made: Converted) -> Iterator[str]:
    """Yield the estimators that see columns of very different spread."""
    if made.inside is None or not made.joined:
        return
    inside = made.inside(rows.take(slice(0, 1000)).columns)
    for value, estimator in made.joined:
        matrix = np.asarray(inside[value], dtype=np.float64)
        spread = np.nanstd(np.where(np.isfinite(matrix), matrix, np.nan), axis=0) if len(matrix) > 1 else np.zeros(0)
        usual = np.flatnonzero(spread > 0)
        if len(usual) < 2 or spread[usual].max() < SCALES * spread[usual].min():
            continue
        wide, narrow = int(spread.argmax()), int(usual[spread[usual].argmin()])
        text = _(
            "the columns that its {estimator} takes have very different scales ({wide} spreads {ratio:.0f} times as "
            "wide as {narrow}): put a StandardScaler before it"
        )
        yield text.format(
            estimator=estimator,
            wide=_source(rows, matrix[:, wide], wide),
            narrow=_source(rows, matrix[:, narrow], narrow),
            ratio=spread[wide] / spread[narrow],
        )


def _source(rows: Table, inside: Any, place: int) -> str:
    """Return the raw column that a column inside the graph is, or its place."""
    for name, column in rows.columns.items():
        if column.kind in ("int", "float"):
            raw = _number(column)[: len(inside)]
            if np.array_equal(raw[np.isfinite(raw)], inside[np.isfinite(raw)]):
                return repr(name[:80])
    return _("column {place}").format(place=place)


def _supervised(made: Converted) -> Iterator[str]:
    for name in made.supervised:
        yield _("its {name} was fitted on the target: measure the model on rows that this encoder has not seen").format(
            name=name
        )


def _number(column: Column) -> Any:
    values = column.values.astype(np.int64) if column.kind == "datetime" else column.values
    return np.where(missing_mask(column), np.nan, values.astype(np.float64))
