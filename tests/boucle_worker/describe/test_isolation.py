"""Graphs of isolation forests answer as the fitted models do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.random import default_rng
from sklearn.ensemble import IsolationForest

from faithful import compared

X = default_rng(0).normal(size=(400, 5)) * [1, 1, 10, 1e6, 0.01]


def edges(model: Any) -> Any:
    """Return rows that stand on the first threshold of each tree."""
    rows = np.repeat(X[:1], len(model.estimators_), axis=0)
    for row, member, columns in zip(rows, model.estimators_, model.estimators_features_, strict=True):
        if member.tree_.feature[0] >= 0:
            row[columns[member.tree_.feature[0]]] = member.tree_.threshold[0]
    return rows


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"contamination": 0.05},
        {"max_features": 0.5, "n_estimators": 30},
        {"max_features": 1, "max_samples": 50},
        {"bootstrap": True},
        {"max_samples": 1, "n_estimators": 4},
    ],
    ids=str,
)
def test_scores_and_labels_are_those_of_the_model(settings: dict[str, Any]) -> None:
    model = IsolationForest(random_state=0, **settings).fit(X)

    found = compared(model, X, X * 1.5 + 0.1, edges(model))

    assert found.labels == 0
    assert 0.0 <= found.scores < 1e-15


def test_missing_numbers_go_where_the_model_sends_them() -> None:
    holes = np.where(default_rng(1).random(X.shape) < 0.2, np.nan, X)

    found = compared(IsolationForest(random_state=0).fit(holes), holes, X, np.full((1, 5), np.nan))

    assert found.labels == 0
    assert 0.0 <= found.scores < 1e-15
