"""Step functions: numbers looked up in sorted thresholds, all columns at once, by one operator.

A step function is a balanced tree that a TreeEnsemble of doubles walks, so that a thousand thresholds cost ten
comparisons, and an encoder of many columns is one node.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, List, NamedTuple, Sequence, Tuple

import numpy as np

from boucle_worker.describe.formulas import gather
from boucle_worker.describe.graph import Value


class Steps(NamedTuple):
    """A function of a column: output ``targets[i]`` gets ``weights[i]`` for ``thresholds[i-1] < x <= thresholds[i]``.

    ``targets`` and ``weights`` are two longer than the sorted ``thresholds``: beyond the last one, and for NaN.
    """

    column: int
    thresholds: Any
    targets: Any
    weights: Any


def before(edges: Any) -> Any:
    """Return the largest doubles below: ``x < edge`` is ``x <= before(edge)``."""
    return np.nextafter(np.asarray(edges, np.float64), -np.inf)


def stepped(x: Value, functions: Sequence[Steps], width: int) -> Value:
    """Return ``(n, width)`` doubles: for each output the sum of the step functions that aim at it, 0 without any.

    Compares in double, as ``np.searchsorted`` does with edges of doubles.
    """
    columns: List[Any] = []
    roots, n_leaves = [], 0
    n_nodes = 0
    for function in functions:
        thresholds = np.append(np.asarray(function.thresholds, np.float64), np.inf)  # only NaN is not below that
        yes, no, is_yes_leaf, is_no_leaf, order = _balanced(len(thresholds))
        columns.append(
            (
                np.full(len(order), function.column, np.int64),
                thresholds[order],
                yes + np.where(is_yes_leaf, n_leaves, n_nodes),
                no + np.where(is_no_leaf, n_leaves, n_nodes),
                is_yes_leaf,
                is_no_leaf,
            )
        )
        roots.append(n_nodes)
        n_nodes += len(order)
        n_leaves += len(thresholds) + 1
    features, splits, yes, no, is_yes_leaf, is_no_leaf = (np.concatenate(parts) for parts in zip(*columns))
    return x.graph.op(
        "TreeEnsemble",
        [x.astype(np.float64)],
        np.float64,
        (x.shape[0], width),
        domain="ai.onnx.ml",
        aggregate_function=1,
        post_transform=0,
        n_targets=width,
        leaf_targetids=np.concatenate([np.asarray(f.targets, np.int64) for f in functions]),
        leaf_weights=np.concatenate([np.asarray(f.weights, np.float64) for f in functions]),
        nodes_featureids=features,
        nodes_splits=splits,
        nodes_modes=np.zeros(n_nodes, np.uint8),  # <=
        nodes_truenodeids=yes,
        nodes_falsenodeids=no,
        nodes_trueleafs=is_yes_leaf,
        nodes_falseleafs=is_no_leaf,
        nodes_missing_value_tracks_true=np.zeros(n_nodes, np.int64),
        tree_roots=np.array(roots, np.int64),
    )


def intervals(x: Value, edges: Sequence[Any]) -> Value:
    """Return the rows of a table of all intervals, int64 ``(n, d)``: those of the first column, of the second, ...

    ``edges[j]`` are the sorted edges of column j. Its intervals are ``[edge, next edge)``; the one before all edges
    comes first, that of NaN last: ``len(edges[j]) + 2`` rows.
    """
    functions, first = [], 0
    for j, edge in enumerate(edges):
        n_rows = len(edge) + 2
        functions.append(Steps(j, before(edge), np.full(n_rows, j), np.arange(first, first + n_rows)))
        first += n_rows
    return stepped(x, functions, len(edges)).astype(np.int64)


def interpolated(x: Value, points: Sequence[Tuple[Any, Any]]) -> Value:
    """Return ``np.interp(x[:, j], xp, fp)`` of each column j with its own points ``(xp, fp)``, as numpy computes it."""
    tables = []
    for xp, fp in points:
        rise, run = np.diff(np.asarray(fp, np.float64)), np.diff(np.asarray(xp, np.float64))
        slopes = np.divide(rise, run, out=np.zeros(len(run)), where=run > 0)
        starts = np.concatenate([xp[:1], xp, [np.nan]])
        values = np.concatenate([fp[:1], fp, [np.nan]])
        tables.append(np.column_stack([starts, values, np.concatenate([[0.0], slopes, [0.0], [0.0]])]))
    table = np.concatenate(tables).astype(np.float64)
    row = intervals(x, [xp for xp, _fp in points])
    start, value, slope = (gather(table[:, k], row) for k in range(3))
    return slope * (x.astype(np.float64) - start) + value


@lru_cache(maxsize=256)
def _balanced(n_nodes: int) -> Tuple[Any, Any, Any, Any, Any]:
    """Return a balanced tree of that many thresholds: children, whether these are leaves, and each node's threshold.

    The children of a node are nodes in the order of the tree, or leaves: leaf i lies right before threshold i.
    """
    yes, no = np.zeros(n_nodes, np.int64), np.zeros(n_nodes, np.int64)
    is_yes_leaf, is_no_leaf = np.zeros(n_nodes, np.int64), np.zeros(n_nodes, np.int64)
    order = np.zeros(n_nodes, np.int64)
    waiting: List[Tuple[int, int, Any]] = [(0, n_nodes, None)]
    count = 0
    while waiting:
        low, high, parent = waiting.pop()
        if parent is not None:
            child, is_leaf, above = parent
            child[above] = low if low == high else count
            is_leaf[above] = low == high
        if low == high:
            continue
        middle = (low + high) // 2
        order[count] = middle
        waiting.append((middle + 1, high, (no, is_no_leaf, count)))
        waiting.append((low, middle, (yes, is_yes_leaf, count)))
        count += 1
    return yes, no, is_yes_leaf, is_no_leaf, order
