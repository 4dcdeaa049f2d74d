"""Isolation forests: rows that few questions set apart are outliers."""

from __future__ import annotations

from typing import Any, Dict

import numpy as np

from boucle_worker.describe.families.tree_ensemble import ensemble
from boucle_worker.describe.families.trees import plain, through_float32
from boucle_worker.describe.formulas import where
from boucle_worker.describe.graph import Value
from boucle_worker.describe.writer import Answer, Predict, Writer


def isolation_forest(writer: Writer, estimator: Any, x: Value) -> Answer:
    """Return ``-2 ** -(mean depth / expected depth) - offset``; below zero is an outlier, -1.

    The depth at a leaf counts its questions and the expected depth of a tree of the rows that it holds.
    """
    from sklearn.ensemble._iforest import _average_path_length

    is_part = x.width != estimator._max_features  # noqa: SLF001
    trees = []
    for member, features in zip(estimator.estimators_, estimator.estimators_features_):
        tree = member.tree_
        depth = _depths(tree) + _average_path_length(tree.n_node_samples) - 1.0
        trees.append(plain(tree, depth, features if is_part else None))
    depths = ensemble(through_float32(x, trees), trees, [0] * len(trees), 1)
    expected = len(trees) * float(_average_path_length([estimator._max_samples])[0])  # noqa: SLF001
    ratio = depths / expected if expected else depths * 0.0 + 1.0
    score = -(2.0**-ratio)
    decision = score - float(estimator.offset_)
    label = where(decision < 0.0, np.int64(-1), np.int64(1)).flat()
    return Answer(decision=decision, value=label)


def _depths(tree: Any) -> Any:
    """Return how many nodes lie on the way to each node, both ends counted."""
    depths = np.zeros(tree.node_count)
    level = np.array([0])
    while len(level):
        depths[level] += depths.max() + 1.0
        level = level[tree.children_left[level] >= 0]
        level = np.concatenate([tree.children_left[level], tree.children_right[level]])
    return depths


PREDICTS: Dict[str, Predict] = {"IsolationForest": isolation_forest}
