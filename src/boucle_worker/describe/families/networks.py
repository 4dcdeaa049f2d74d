"""Neural networks: layers of ``activation(X @ W + b)``."""

# ruff: noqa: SLF001  # much of what a fitted estimator is lies in private attributes

from __future__ import annotations

from typing import Any, Callable, Dict

import numpy as np

from boucle_worker.describe.errors import Cannot
from boucle_worker.describe.families.linear import both, linear
from boucle_worker.describe.formulas import exp, relu, sigmoid, softmax, tanh
from boucle_worker.describe.graph import Value
from boucle_worker.describe.writer import Answer, Predict, Transform, Writer

ACTIVATIONS: Dict[str, Callable[[Value], Value]] = {
    "identity": lambda x: x,
    "exp": exp,
    "logistic": sigmoid,
    "relu": relu,
    "softmax": softmax,
    "tanh": tanh,
}


def mlp_classifier(writer: Writer, estimator: Any, x: Value) -> Answer:
    """Return the sigmoid of one output, whose label is the second class above a half, or the softmax of several."""
    if estimator._label_binarizer.y_type_.startswith("multilabel"):
        raise Cannot("its MLPClassifier gives several labels for one row")
    if len(estimator.classes_) < 2:
        raise Cannot("its MLPClassifier knows one class only")
    p = _forward(estimator, x)
    if p.width == 1:
        return Answer((p > 0.5).astype(np.int64).flat(), both(p), classes=estimator.classes_)
    return Answer(p.argmax(), p, classes=estimator.classes_)


def mlp_regressor(writer: Writer, estimator: Any, x: Value) -> Answer:
    """Return the last layer."""
    return Answer(value=_forward(estimator, x))


def bernoulli_rbm(writer: Writer, estimator: Any, x: Value) -> Value:
    """Return the probabilities of the hidden units, ``sigmoid(X @ components.T + bias)``."""
    return sigmoid(linear(x, estimator.components_, estimator.intercept_hidden_))


def _forward(estimator: Any, x: Value) -> Value:
    for weights, bias in zip(estimator.coefs_[:-1], estimator.intercepts_[:-1]):
        x = ACTIVATIONS[estimator.activation](linear(x, weights.T, bias))
    x = linear(x, estimator.coefs_[-1].T, estimator.intercepts_[-1])
    return ACTIVATIONS[estimator.out_activation_](x)


TRANSFORMS: Dict[str, Transform] = {"BernoulliRBM": bernoulli_rbm}
PREDICTS: Dict[str, Predict] = {"MLPClassifier": mlp_classifier, "MLPRegressor": mlp_regressor}
