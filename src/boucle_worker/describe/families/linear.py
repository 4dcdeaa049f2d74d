"""Linear models: ``decision = X @ coef.T + intercept``, and what each class makes of it."""

# ruff: noqa: SLF001  # much of what a fitted estimator is lies in private attributes

from __future__ import annotations

from typing import Any, Dict

import numpy as np

from boucle_worker.describe.errors import Cannot
from boucle_worker.describe.formulas import affine, clip, concat, exp, sigmoid, softmax, where
from boucle_worker.describe.graph import Value
from boucle_worker.describe.writer import Answer, Predict, Writer, version_of


def linear(x: Value, coefficients: Any, intercept: Any) -> Value:
    """Return ``x @ coefficients.T + intercept``, ``(n, k)``, in the dtype that numpy computes in."""
    return affine(x, np.atleast_2d(dense(coefficients)).T, intercept)


def dense(array: Any) -> Any:
    """Return a fitted array that the library may hold sparse as a plain one."""
    return array.toarray() if hasattr(array, "toarray") else np.asarray(array)


def linear_regression(writer: Writer, estimator: Any, x: Value) -> Answer:
    """Return the weighted sum of the columns."""
    return Answer(value=linear(x, estimator.coef_, estimator.intercept_))


def linear_classifier(writer: Writer, estimator: Any, x: Value) -> Answer:
    """Return the second of two classes above 0, else the class whose plane is furthest below."""
    if len(estimator.classes_) < 2:
        raise Cannot(f"its {type(estimator).__name__} knows one class only")
    z = linear(x, estimator.coef_, estimator.intercept_)
    return Answer(chosen(z), None, z, classes=estimator.classes_)


def chosen(z: Value) -> Value:
    """Return the place of the class that decision values ``(n, 1)`` or ``(n, k)`` speak for."""
    return (z > 0.0).astype(np.int64).flat() if z.width == 1 else z.argmax()


def both(p: Value) -> Value:
    """Return the probabilities of two classes from that of the second, ``(n, 1)``."""
    return concat([1.0 - p, p])


def ridge_classifier(writer: Writer, estimator: Any, x: Value) -> Answer:
    """Return the classes as any linear classifier; several labels at once have no graph."""
    if estimator._label_binarizer.y_type_.startswith("multilabel"):
        raise Cannot(f"its {type(estimator).__name__} gives several labels for one row")
    return linear_classifier(writer, estimator, x)


def logistic_regression(writer: Writer, estimator: Any, x: Value) -> Answer:
    """Return the sigmoid of two classes, the softmax of several; each by itself when fitted one against the rest."""
    label, _none, z, _value, classes = linear_classifier(writer, estimator, x)
    assert z is not None  # noqa: S101  # a linear classifier has one
    if _is_one_against_rest(estimator):
        return Answer(label, one_against_rest(z), z, classes=classes)
    return Answer(label, softmax(concat([-z, z]) if z.width == 1 else z), z, classes=classes)


def one_against_rest(z: Value) -> Value:
    """Return the sigmoid of each class, divided by their sum for more than two.

    Where all are 0, NaN before scikit-learn 1.9; since then all classes are as probable.
    """
    if z.width == 1:
        return both(sigmoid(z))
    p = 1.0 / (exp(-z) + 1.0)  # onnxruntime's Sigmoid has no digits left below 1e-16
    return _shared(p) if version_of("sklearn") >= (1, 9) else p / p.sum()


def sgd_classifier(writer: Writer, estimator: Any, x: Value) -> Answer:
    """Return a linear classifier's answer; probabilities for the losses that have them."""
    label, _none, z, _value, classes = linear_classifier(writer, estimator, x)
    assert z is not None  # noqa: S101  # a linear classifier has one
    p = None
    if estimator.loss in ("log", "log_loss"):
        p = one_against_rest(z)
    elif estimator.loss == "modified_huber":
        p = (clip(z, np.asarray(-1.0, z.dtype), np.asarray(1.0, z.dtype)) + 1.0) / 2.0
        p = both(p.astype(np.float64)) if z.width == 1 else _shared(p)
    return Answer(label, p, z, classes=classes)


def sgd_one_class(writer: Writer, estimator: Any, x: Value) -> Answer:
    """Return 1 where ``X @ coef - offset >= 0``, else -1."""
    decision = linear(x, estimator.coef_, -estimator.offset_)
    return outliers(decision, decision >= 0.0)


def outliers(decision: Value, is_inlier: Value) -> Answer:
    """Return 1 for inliers and -1 for outliers, of shape ``(n, 1)`` both."""
    return Answer(decision=decision, value=where(is_inlier, np.int64(1), np.int64(-1)).flat())


def ransac(writer: Writer, estimator: Any, x: Value) -> Answer:
    """Return what the estimator fitted on the inliers answers."""
    return writer.predict(estimator.estimator_, x)


def _shared(p: Value) -> Value:
    """Return numbers divided by their sum; equal ones where the sum is 0."""
    total = p.sum()
    is_zero = total.equals(np.zeros((1, 1), p.dtype))
    return where(is_zero, np.full((1, 1), 1.0 / p.width, p.dtype), p / total)


def _is_one_against_rest(estimator: Any) -> bool:
    """True when probabilities are sigmoids: the rule of the version that runs the model."""
    version, is_binary = version_of("sklearn"), len(estimator.classes_) == 2
    if version >= (1, 8):
        return is_binary
    alone = ("liblinear", "newton-cholesky") if (1, 2) <= version < (1, 6) else ("liblinear",)
    if estimator.multi_class in ("auto", "deprecated"):
        return is_binary or estimator.solver in alone
    return estimator.multi_class in ("ovr", "warn")


REGRESSORS = (
    "ARDRegression",
    "BayesianRidge",
    "ElasticNet",
    "ElasticNetCV",
    "HuberRegressor",
    "Lars",
    "LarsCV",
    "Lasso",
    "LassoCV",
    "LassoLars",
    "LassoLarsCV",
    "LassoLarsIC",
    "LinearRegression",
    "LinearSVR",
    "MultiTaskElasticNet",
    "MultiTaskElasticNetCV",
    "MultiTaskLasso",
    "MultiTaskLassoCV",
    "OrthogonalMatchingPursuit",
    "OrthogonalMatchingPursuitCV",
    "PassiveAggressiveRegressor",
    "QuantileRegressor",
    "Ridge",
    "RidgeCV",
    "SGDRegressor",
    "TheilSenRegressor",
)

PREDICTS: Dict[str, Predict] = {
    **dict.fromkeys(REGRESSORS, linear_regression),
    "LinearSVC": linear_classifier,
    "LogisticRegression": logistic_regression,
    "LogisticRegressionCV": logistic_regression,
    "PassiveAggressiveClassifier": linear_classifier,
    "Perceptron": linear_classifier,
    "RANSACRegressor": ransac,
    "RidgeClassifier": ridge_classifier,
    "RidgeClassifierCV": ridge_classifier,
    "SGDClassifier": sgd_classifier,
    "SGDOneClassSVM": sgd_one_class,
}
