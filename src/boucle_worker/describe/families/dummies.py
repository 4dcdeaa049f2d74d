"""Dummies: answers that do not look at the rows."""

# ruff: noqa: SLF001  # much of what a fitted estimator is lies in private attributes

from __future__ import annotations

from typing import Any, Dict

import numpy as np

from boucle_worker.describe.errors import Cannot
from boucle_worker.describe.formulas import zeros
from boucle_worker.describe.frame import Frame
from boucle_worker.describe.graph import Value
from boucle_worker.describe.writer import Answer, Predict, Rows, Writer


def dummy_classifier(writer: Writer, estimator: Any, x: Rows) -> Answer:
    """Return the most frequent or the told class for each row; by strategy 'prior' with the shares of the classes."""
    strategy = estimator._strategy
    if strategy not in ("prior", "most_frequent", "constant"):
        raise Cannot(f"its DummyClassifier draws at random (strategy {strategy!r})")
    if estimator.n_outputs_ != 1:
        raise Cannot("its DummyClassifier has several outputs")
    classes, priors = np.asarray(estimator.classes_), np.asarray(estimator.class_prior_, np.float64)
    place = int(np.flatnonzero(classes == estimator.constant)[0]) if strategy == "constant" else int(priors.argmax())
    p = priors if strategy == "prior" else np.eye(len(classes))[place]
    nothing = zeros(_any_column(x), 1)
    return Answer((nothing + float(place)).astype(np.int64).flat(), nothing + p[None], classes=classes)


def dummy_regressor(writer: Writer, estimator: Any, x: Rows) -> Answer:
    """Return the same numbers for each row."""
    constant = np.asarray(estimator.constant_, np.float64).reshape(1, -1)
    return Answer(value=zeros(_any_column(x), 1) + constant)


def _any_column(x: Rows) -> Value:
    """Return a column of numbers of as many rows."""
    if isinstance(x, Value):
        return x
    if not isinstance(x, Frame) or not x.parts:
        raise Cannot("no column reaches its dummy")
    part = x.parts[0]
    return part.value if part.value is not None else x.codes.values[str(part.source)].unsqueezed(1)


PREDICTS: Dict[str, Predict] = {"DummyClassifier": dummy_classifier, "DummyRegressor": dummy_regressor}
RAW = ("DummyClassifier", "DummyRegressor")
