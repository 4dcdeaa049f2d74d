"""Generalised linear models: a link's inverse of the weighted sum, and isotonic regression."""

# ruff: noqa: SLF001  # much of what a fitted estimator is lies in private attributes

from __future__ import annotations

from typing import Any, Dict

import numpy as np

from boucle_worker.describe.errors import Cannot
from boucle_worker.describe.families.linear import linear
from boucle_worker.describe.formulas import exp, refusing, where
from boucle_worker.describe.graph import Value
from boucle_worker.describe.steps import interpolated
from boucle_worker.describe.writer import Answer, Predict, Transform, Writer


def generalized(writer: Writer, estimator: Any, x: Value) -> Answer:
    """Return the inverse of the link of ``X @ coef + intercept``: itself, or e to its power."""
    loss = getattr(estimator, "_base_loss", None)
    link = type(loss.link if loss is not None else estimator._link_instance).__name__  # the latter before 1.1
    eta = linear(x, estimator.coef_, estimator.intercept_)
    if link == "IdentityLink":
        return Answer(value=eta)
    if link == "LogLink":
        return Answer(value=exp(eta))
    raise Cannot(f"its {type(estimator).__name__} has a link {link}")


def isotonic(writer: Writer, estimator: Any, x: Value) -> Value:
    """Return straight lines between the knots of the one column; beyond them the nearest, NaN, or a failure."""
    if x.width != 1:
        raise Cannot("its IsotonicRegression takes one column")
    knots, heights = np.asarray(estimator.X_thresholds_), np.asarray(estimator.y_thresholds_)
    x.graph.mark(x, 0, knots)
    x = x.astype(knots.dtype)
    found = interpolated(x, [(knots, heights)]).astype(knots.dtype)
    if estimator.out_of_bounds == "clip" or len(knots) == 1:
        return found
    is_outside = (x < knots[:1][None]) | (x > knots[-1:][None])
    if estimator.out_of_bounds == "raise":
        return refusing(found, is_outside)
    return where(is_outside, np.full((1, 1), np.nan, knots.dtype), found)


def isotonic_answer(writer: Writer, estimator: Any, x: Value) -> Answer:
    """Return the height between the knots."""
    return Answer(value=isotonic(writer, estimator, x))


TRANSFORMS: Dict[str, Transform] = {"IsotonicRegression": isotonic}
PREDICTS: Dict[str, Predict] = {
    "GammaRegressor": generalized,
    "IsotonicRegression": isotonic_answer,
    "PoissonRegressor": generalized,
    "TweedieRegressor": generalized,
}
