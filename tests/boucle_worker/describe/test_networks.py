"""Graphs of neural networks answer as the networks do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import BernoulliRBM, MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline

from boucle_worker.describe import Cannot
from fitted import CLASSES, NUMBER, ROWS, THREE, TWO, UNSEEN, gaps

LAYERS: list[dict[str, Any]] = [
    {"hidden_layer_sizes": (8,)},
    {"hidden_layer_sizes": (8, 5), "activation": "tanh"},
    {"hidden_layer_sizes": (8,), "activation": "logistic"},
    {"hidden_layer_sizes": (4,), "activation": "identity"},
]


@pytest.mark.parametrize("classes", CLASSES)
@pytest.mark.parametrize("layers", LAYERS, ids=repr)
def test_a_classifier_answers_alike(layers: dict[str, Any], classes: str) -> None:
    found = gaps(MLPClassifier(max_iter=20, random_state=0, **layers), CLASSES[classes])

    assert found.labels == 0
    assert found.probabilities < 1e-12


@pytest.mark.parametrize("layers", LAYERS, ids=repr)
def test_a_regressor_answers_alike(layers: dict[str, Any]) -> None:
    assert gaps(MLPRegressor(max_iter=20, random_state=0, **layers), NUMBER).value < 1e-12


@pytest.mark.parametrize("layers", LAYERS, ids=repr)
def test_a_network_in_single_precision_answers_alike(layers: dict[str, Any]) -> None:
    model = MLPRegressor(max_iter=20, random_state=0, **layers)

    assert gaps(model, NUMBER, unseen=UNSEEN[:300], dtype="float32").value < 2e-6


def test_several_targets_come_side_by_side() -> None:
    model = MLPRegressor(max_iter=20, random_state=0)

    assert gaps(model, np.column_stack([NUMBER, ROWS[:, 2]])).value < 1e-12


def test_hidden_units_of_a_boltzmann_machine_feed_a_classifier() -> None:
    model = make_pipeline(BernoulliRBM(5, random_state=0, n_iter=2), LogisticRegression())

    assert gaps(model, THREE, 1 / (1 + np.exp(-ROWS)), 1 / (1 + np.exp(-UNSEEN[:300]))).probabilities < 1e-12


def test_several_labels_for_one_row_are_refused() -> None:
    with pytest.raises(Cannot, match="its MLPClassifier gives several labels for one row"):
        gaps(MLPClassifier(max_iter=5), np.column_stack([TWO, THREE > 1]).astype(int))
