"""Linear models: ``decision = X @ coef.T + intercept``."""

from __future__ import annotations

from typing import Any, Dict

import numpy as np

from boucle_worker.describe.formulas import concat, sigmoid, softmax
from boucle_worker.describe.graph import Value
from boucle_worker.describe.writer import Answer, Predict, Writer


def linear(x: Value, coefficients: Any, intercept: Any) -> Value:
    """Return ``x @ coefficients.T + intercept``, ``(n, k)``."""
    return x @ np.atleast_2d(coefficients).T + np.atleast_1d(intercept)[None]


def logistic_regression(writer: Writer, estimator: Any, x: Value) -> Answer:
    """Return the sigmoid of two classes, the softmax of several; each by itself when fitted one against the rest."""
    z = linear(x, estimator.coef_, estimator.intercept_)
    if z.width == 1:
        p = sigmoid(z)
        return Answer((z > 0.0).astype(np.int64).flat(), concat([1.0 - p, p]), z, classes=estimator.classes_)
    if getattr(estimator, "multi_class", "auto") == "ovr" or estimator.solver == "liblinear":
        p = sigmoid(z)
        return Answer(z.argmax(), p / p.sum(), z, classes=estimator.classes_)
    return Answer(z.argmax(), softmax(z), z, classes=estimator.classes_)


def linear_regression(writer: Writer, estimator: Any, x: Value) -> Answer:
    """Return the weighted sum of the columns."""
    return Answer(value=linear(x, estimator.coef_, estimator.intercept_))


PREDICTS: Dict[str, Predict] = {
    "LogisticRegression": logistic_regression,
    "LinearRegression": linear_regression,
    "Ridge": linear_regression,
}
