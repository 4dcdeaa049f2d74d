"""Decision trees: each row reaches one leaf, and takes what it holds.

scikit-learn rounds the rows to float32 and asks ``x <= threshold`` with a double threshold.
"""

from __future__ import annotations

from typing import Any, Dict, Optional, Sequence

import numpy as np

from boucle_worker.describe.errors import Cannot
from boucle_worker.describe.families.tree_ensemble import (
    Tree,
    at_most,
    ensemble,
    leaf_number,
    leaf_numbers,
    mark_thresholds,
)
from boucle_worker.describe.formulas import gather
from boucle_worker.describe.graph import Value
from boucle_worker.describe.writer import Answer, Predict, Writer, version_of


def tree_classifier(writer: Writer, estimator: Any, x: Value) -> Answer:
    """Return the shares of the classes in the leaf; the label is the first of the largest."""
    refuse_outputs(estimator)
    tree = estimator.tree_
    is_leaf = tree.children_left < 0
    asked = _single(tree, np.zeros(tree.node_count))
    leaf = leaf_number(through_float32(x, [asked], np.float32), asked)
    label = gather(tree.value[is_leaf, 0].argmax(axis=1), leaf)
    return Answer(label, gather(shares(tree)[is_leaf], leaf), classes=estimator.classes_)


def tree_regressor(writer: Writer, estimator: Any, x: Value) -> Answer:
    """Return the value of the leaf, ``(n, 1)`` or ``(n, outputs)``."""
    return Answer(value=summed(x, [estimator.tree_], [estimator.tree_.value[:, :, 0]]))


def summed(x: Value, trees: Sequence[Any], tables: Sequence[Any]) -> Value:
    """Return the sum over scikit-learn's trees of the row of each one's table ``(nodes, k)`` at the leaf: ``(n, k)``.

    Added in the order of the trees, as scikit-learn adds, so that ties come out as there.
    """
    rows = np.concatenate([table[tree.children_left < 0] for tree, table in zip(trees, tables)])
    width = rows.shape[1]
    if width == 1:
        singles = [plain(tree, table[:, 0]) for tree, table in zip(trees, tables)]
        return ensemble(through_float32(x, singles), singles, [0] * len(trees), 1)
    if ((rows == 0.0) | (rows == 1.0)).all() and (rows.sum(axis=1) == 1.0).all():
        ones = [_single(tree, np.ones(tree.node_count)) for tree in trees]
        classes = [table.argmax(axis=1) for table in tables]
        counted = ensemble(through_float32(x, ones, np.float32), ones, classes, width)
        return counted.astype(np.float64)  # whole numbers, which float32 adds exactly
    asked = [_single(tree, np.zeros(tree.node_count)) for tree in trees]
    found = gather(rows, leaf_numbers(through_float32(x, asked, np.float32), asked))  # (trees, n, k)
    # along the first axis onnxruntime adds one by one, along any other in blocks
    return x.graph.op("ReduceSum", [found, np.array([0])], np.float64, (x.shape[0], width), keepdims=0)


def shares(tree: Any) -> Any:
    """Return the shares of the classes in each node ``(nodes, k)``; before 1.4 nodes hold weights."""
    held = tree.value[:, 0].astype(np.float64)
    if version_of("sklearn") >= (1, 4):
        return held
    total = held.sum(axis=1)[:, None]
    total[total == 0.0] = 1.0
    return held / total


def plain(tree: Any, value: Any, features: Optional[Any] = None) -> Tree:
    """Return scikit-learn's tree; ``value`` is what its nodes give, ``features`` the columns that it was fitted on."""
    feature = tree.feature if features is None else np.asarray(features)[np.maximum(tree.feature, 0)]
    missing_left = getattr(tree, "missing_go_to_left", None)  # from 1.3 on
    if missing_left is None:
        missing_left = np.zeros(tree.node_count, np.int64)
    left, right = tree.children_left, tree.children_right
    return Tree(feature, tree.threshold, left, right, missing_left, value, traffic=tree.n_node_samples)


def through_float32(x: Value, trees: Sequence[Tree], dtype: Any = np.float64) -> Value:
    """Return x rounded to float32 as scikit-learn's trees compare it; their thresholds are marked."""
    mark_thresholds(x, trees)
    return x.astype(np.float32).astype(dtype)


def refuse_outputs(estimator: Any) -> None:
    """Raise Cannot for a classifier of several outputs."""
    if estimator.n_outputs_ != 1:
        raise Cannot(f"its {type(estimator).__name__} has {estimator.n_outputs_} outputs")


def _single(tree: Any, value: Any) -> Tree:
    """Return scikit-learn's tree such that it decides alike in float32, which takes half the memory."""
    asked = plain(tree, value)
    return asked._replace(threshold=at_most(asked.threshold))


PREDICTS: Dict[str, Predict] = {
    "DecisionTreeClassifier": tree_classifier,
    "DecisionTreeRegressor": tree_regressor,
    "ExtraTreeClassifier": tree_classifier,
    "ExtraTreeRegressor": tree_regressor,
}
