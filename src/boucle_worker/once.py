"""Predictions and probabilities for the price of one: work that both share is done once.

Only where scikit-learn's own code does the very same, step by step, so that not a bit can differ: a Pipeline runs
its transformers for each of ``predict`` and ``predict_proba``, and a forest's ``predict`` is the most probable class
of its ``predict_proba`` (``sklearn/pipeline.py`` and ``sklearn/ensemble/_forest.py``, 0.24 to 1.9). Subclasses may
do otherwise and are left alone.
"""

from __future__ import annotations

from typing import Any, Tuple

import numpy as np

_PIPELINE = ("sklearn.pipeline", "Pipeline")
_FORESTS = (
    ("sklearn.ensemble._forest", "RandomForestClassifier"),
    ("sklearn.ensemble._forest", "ExtraTreesClassifier"),
)


def both(model: Any, rows: Any) -> Tuple[Any, Any]:
    """Return what ``predict`` and ``predict_proba`` answer to the same rows."""
    model, rows = unfolded(model, rows)
    probabilities = model.predict_proba(rows)
    if _kind(model) in _FORESTS and getattr(model, "n_outputs_", 0) == 1:
        return model.classes_.take(np.argmax(probabilities, axis=1), axis=0), probabilities
    return model.predict(rows), probabilities


def unfolded(model: Any, rows: Any) -> Tuple[Any, Any]:
    """Return the last step of a Pipeline, and the rows as it sees them."""
    while _kind(model) == _PIPELINE:
        for _name, step in model.steps[:-1]:
            if step is not None and step != "passthrough":
                rows = step.transform(rows)
        model = model.steps[-1][1]
    return model, rows


def _kind(model: Any) -> Tuple[str, str]:
    return type(model).__module__, type(model).__name__
