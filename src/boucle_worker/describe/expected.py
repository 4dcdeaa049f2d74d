"""What rows a fitted model expects, read off the model itself: for writing its graph without an example."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Sequence, Tuple

import numpy as np

from boucle_worker.describe.errors import Cannot
from boucle_worker.frames import Column, Columns

_VECTORISERS = ("CountVectorizer", "TfidfVectorizer", "HashingVectorizer")


def expected(model: Any) -> Tuple[Dict[str, Any], Columns]:
    """Return the signature of a model's rows and one row: texts where an encoder knows texts, else numbers.

    A model fitted on a DataFrame takes its columns by name (pandas), any other a matrix. Raises Cannot when the model
    does not say how many columns it takes.
    """
    names, is_frame = _names(model)
    texts: Dict[str, Any] = {}
    for columns, leaf in leaves(model, names):
        texts.update(_texts(columns, leaf))
    row: Columns = {}
    inputs: List[Dict[str, Any]] = []
    for name in names:
        is_text = name in texts
        values = np.array([texts[name]], dtype=object) if is_text else np.zeros(1)
        row[name] = Column("text" if is_text else "float", values)
        dtype = "object" if is_text else "float64"
        inputs.append({"name": name, "kind": row[name].kind, "dtype": dtype, "missing": "nan"})
    return {"feed": "pandas" if is_frame else "numpy", "inputs": inputs}, row


def leaves(estimator: Any, columns: Sequence[str]) -> Iterator[Tuple[List[str], Any]]:
    """Yield the innermost estimators that see raw columns, with these columns."""
    if hasattr(estimator, "transformers_"):
        names = list(getattr(estimator, "feature_names_in_", columns))
        told = getattr(estimator, "_transformer_to_input_indices", {})
        for name, transformer, _columns in estimator.transformers_:
            yield from leaves(transformer, [str(names[i]) for i in told.get(name, ())])
    elif hasattr(estimator, "steps"):
        for _name, step in estimator.steps:
            yield from leaves(step, columns)
            if hasattr(step, "transformers_") or hasattr(step, "transformer_list"):
                return  # what follows sees other columns
    elif hasattr(estimator, "transformer_list"):
        for _name, transformer in estimator.transformer_list:
            yield from leaves(transformer, columns)
    elif hasattr(estimator, "best_estimator_"):
        yield from leaves(estimator.best_estimator_, columns)
    else:
        yield list(columns), estimator


def _names(model: Any) -> Tuple[List[str], bool]:
    first = model
    while not hasattr(first, "feature_names_in_") and hasattr(first, "steps"):
        first = first.steps[0][1]
    names = getattr(first, "feature_names_in_", None)
    if names is not None:
        return [str(name) for name in names], True
    width = getattr(first, "n_features_in_", None)
    if width is None:
        raise Cannot("it does not say which columns it takes: give an example of rows")
    return [f"x{i}" for i in range(int(width))], False


def _texts(columns: Sequence[str], leaf: Any) -> Dict[str, Any]:
    """Return the columns that an estimator takes as texts, each with one of them."""
    if type(leaf).__name__ in _VECTORISERS:
        return dict.fromkeys(columns, "a few words")
    found = {}
    for told in (getattr(leaf, "categories_", None), getattr(leaf, "statistics_", None)):
        if told is None or len(told) != len(columns):
            continue
        for name, values in zip(columns, told):
            texts = [value for value in np.atleast_1d(np.asarray(values, dtype=object)) if isinstance(value, str)]
            if texts:
                found[name] = str(texts[0])
    return found
