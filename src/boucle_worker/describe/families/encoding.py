"""Encoders and bins of numbers: each column of the answer is a step function of one column."""

from __future__ import annotations

import contextlib
import warnings
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

import numpy as np

from boucle_worker.describe.errors import Cannot
from boucle_worker.describe.formulas import absolute, refusing
from boucle_worker.describe.graph import Value
from boucle_worker.describe.steps import Steps, before, stepped
from boucle_worker.describe.writer import Transform, Writer, version_of


class _Answers(NamedTuple):
    """What an encoder answers to each category of a column, to another number and to NaN: ``rows`` ``(k + 2, width)``.

    ``is_refused`` tells on which of them it raises.
    """

    categories: Any
    rows: Any
    is_refused: Any


def encoder(writer: Writer, estimator: Any, x: Value) -> Value:
    """Return what the fitted encoder itself answers to the category that x equals, to any other number, to NaN.

    Covers whatever its settings say on rare, dropped, unknown and missing categories. The graph fails where it raises.
    """
    name = type(estimator).__name__
    base = np.array([[_first(categories, name) for categories in estimator.categories_]], np.float64)
    if base.shape[1] != x.width:
        raise Cannot(f"its {name} was fitted on {base.shape[1]} columns and gets {x.width}")
    fixed = _answer(estimator, base)
    columns = [_asked(estimator, base, j, fixed) for j in range(x.width)]
    width = fixed.shape[1]
    dtype = fixed.dtype if fixed.dtype == np.float32 else np.float64
    is_sparse = hasattr(fixed, "tocsr")
    for j, column in enumerate(columns):
        if not column.is_refused.any():
            writer.graph.mark(x, j, column.categories)
    plain = _plain(columns, width)
    if plain is not None:
        owners, categories = plain
        return x.astype(np.float64).columns(owners).equals(categories[None]).astype(dtype).sparse(is_sparse)
    functions = _one_hot(columns, width) or [
        _steps(j, columns[j], columns[j].rows[:, o], o) for o, j in enumerate(_owners(columns, width))
    ]
    refused = [_steps(j, c, c.is_refused.astype(float), width) for j, c in enumerate(columns) if c.is_refused.any()]
    y = stepped(x, functions + refused, width + bool(refused))
    if refused:
        y = refusing(y.columns(np.arange(width)), y.column(width) > 0.0)
    return y.astype(dtype).sparse(is_sparse)


def k_bins(writer: Writer, estimator: Any, x: Value) -> Value:
    """Return the bin of each number (``searchsorted(inner edges, x, side="right")``), as a number or as columns."""
    if estimator.dtype is not None:
        x = x.astype(estimator.dtype)
    edges = [np.asarray(edges, np.float64)[1:-1] for edges in estimator.bin_edges_]
    for j, inner in enumerate(edges):
        writer.graph.mark(x, j, inner)
    shifted = x
    if version_of("sklearn") < (1, 1):  # which moved numbers close to an edge across it
        shifted = x + (absolute(x) * 1e-5 + 1e-8)
    if estimator.encode == "ordinal":
        functions = [Steps(j, before(e), np.full(len(e) + 2, j), _bins(e)) for j, e in enumerate(edges)]
        return stepped(shifted, functions, x.width).astype(x.dtype)
    functions, width = [], 0
    for j, inner in enumerate(edges):
        targets = np.append(np.arange(width, width + len(inner) + 1), width)
        functions.append(Steps(j, before(inner), targets, np.append(np.ones(len(inner) + 1), np.nan)))
        width += len(inner) + 1
    return stepped(shifted, functions, width).astype(x.dtype).sparse(estimator.encode == "onehot")


def _bins(inner: Any) -> Any:
    return np.append(np.arange(len(inner) + 1.0), np.nan)


def _first(categories: Any, name: str) -> float:
    """Return a category to hold a column at. Raises Cannot for texts."""
    try:
        return float(categories[0])
    except (TypeError, ValueError, IndexError) as error:
        raise Cannot(f"its {name} knows texts in a column of numbers") from error


def _asked(estimator: Any, base: Any, j: int, fixed: Any) -> _Answers:
    """Return the answers to one column, the others held at ``base``."""
    told = np.unique(np.asarray(estimator.categories_[j]).astype(np.float64))
    known = told[~np.isnan(told)]
    beyond = np.ceil(np.abs(known).max() if len(known) else 0.0) + 1.0
    probes = np.repeat(base, len(known) + 2, axis=0)
    probes[:, j] = [*known, beyond, np.nan]
    rows = np.zeros((len(probes), fixed.shape[1]))
    is_refused = np.zeros(len(probes), bool)
    if len(known):
        rows[: len(known)] = _dense(_answer(estimator, probes[: len(known)]))
    for i in (len(known), len(known) + 1):
        is_refused[i] = True
        with contextlib.suppress(ValueError):  # scikit-learn's word for a category it does not know
            rows[i] = _dense(_answer(estimator, probes[i : i + 1]))[0]
            is_refused[i] = False
    return _Answers(known, rows, is_refused)


def _answer(estimator: Any, rows: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the rows bear no names; unknown categories are asked for on purpose
        answer = estimator.transform(rows)
    return answer.to_numpy() if hasattr(answer, "to_numpy") else answer


def _dense(rows: Any) -> Any:
    return rows.toarray() if hasattr(rows, "toarray") else np.asarray(rows)


def _owners(columns: List[_Answers], width: int) -> List[int]:
    """Return which column of the rows decides each of the answer: the first for one that never changes."""
    owners = [0] * width
    for j, column in enumerate(columns):
        rows = column.rows[~column.is_refused]
        is_moved = ~((rows == rows[:1]) | (np.isnan(rows) & np.isnan(rows[:1]))).all(axis=0)
        for o in np.flatnonzero(is_moved):
            owners[o] = j
    return owners


def _plain(columns: List[_Answers], width: int) -> Optional[Tuple[Any, Any]]:
    """Return of each column of the answer the one column of the rows, and the number, on which it is 1; else None."""
    owners = np.array(_owners(columns, width))
    categories = np.zeros(width)
    for o, j in enumerate(owners):
        answers = columns[j].rows[:, o]
        places = np.flatnonzero(answers)
        is_one = len(places) == 1 and places[0] < len(columns[j].categories) and answers[places[0]] == 1.0
        if not is_one or any(column.is_refused.any() for column in columns):
            return None
        categories[o] = columns[j].categories[places[0]]
    return owners, categories


def _one_hot(columns: List[_Answers], width: int) -> List[Steps]:
    """Return one function for each column of the rows, which moves a one about; [] when the answers are no such."""
    owners = np.array(_owners(columns, width))
    functions = []
    for j, column in enumerate(columns):
        mine = np.flatnonzero(owners == j)
        rows = column.rows[:, mine]
        if not len(mine):
            continue
        if ((rows != 0.0).sum(axis=1) > 1).any() or np.isnan(rows).any():
            return []
        places = (rows != 0.0).argmax(axis=1)
        functions.append(_steps(j, column, rows[np.arange(len(rows)), places], mine[places]))
    return functions


def _steps(j: int, column: _Answers, weights: Any, targets: Any) -> Steps:
    """Return the function of column j that gives each category its weight, all other numbers that of the unknown."""
    known = column.categories
    thresholds = np.column_stack([before(known), known]).ravel()
    order = np.full(len(thresholds) + 2, len(known))
    order[1 : 2 * len(known) : 2] = np.arange(len(known))
    order[-1] = len(known) + 1
    return Steps(j, thresholds, np.broadcast_to(targets, len(weights))[order], weights[order])


TRANSFORMS: Dict[str, Transform] = {
    "KBinsDiscretizer": k_bins,
    "OneHotEncoder": encoder,
    "OrdinalEncoder": encoder,
    "TargetEncoder": encoder,
}
