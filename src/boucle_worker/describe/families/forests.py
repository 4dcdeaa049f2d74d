"""Forests: the mean of what trees answer, added in their order and divided once."""

from __future__ import annotations

from typing import Any, Dict

import numpy as np

from boucle_worker.describe.families.tree_ensemble import ensemble
from boucle_worker.describe.families.trees import plain, refuse_outputs, shares, summed, through_float32
from boucle_worker.describe.graph import Value
from boucle_worker.describe.writer import Answer, Predict, Transform, Writer


def forest_classifier(writer: Writer, estimator: Any, x: Value) -> Answer:
    """Return the mean shares of the classes in the leaves; the label is the first of the largest."""
    refuse_outputs(estimator)
    trees = [member.tree_ for member in estimator.estimators_]
    p = summed(x, trees, [shares(tree) for tree in trees]) / float(len(trees))
    return Answer(p.argmax(), p, classes=estimator.classes_)


def forest_regressor(writer: Writer, estimator: Any, x: Value) -> Answer:
    """Return the mean value of the leaves, ``(n, 1)`` or ``(n, outputs)``."""
    trees = [member.tree_ for member in estimator.estimators_]
    return Answer(value=summed(x, trees, [tree.value[:, :, 0] for tree in trees]) / float(len(trees)))


def trees_embedding(writer: Writer, estimator: Any, x: Value) -> Value:
    """Return a one for each leaf that the row reaches: a column for each leaf of each tree."""
    trees, targets, width = [], [], 0
    for member, leaves in zip(estimator.estimators_, estimator.one_hot_encoder_.categories_):
        trees.append(plain(member.tree_, np.ones(member.tree_.node_count)))
        targets.append(width + np.searchsorted(leaves, np.arange(member.tree_.node_count)))
        width += len(leaves)
    found = ensemble(through_float32(x, trees), trees, targets, width)
    return found.sparse(bool(estimator.sparse_output))


PREDICTS: Dict[str, Predict] = {
    "RandomForestClassifier": forest_classifier,
    "RandomForestRegressor": forest_regressor,
    "ExtraTreesClassifier": forest_classifier,
    "ExtraTreesRegressor": forest_regressor,
}
TRANSFORMS: Dict[str, Transform] = {"RandomTreesEmbedding": trees_embedding}
