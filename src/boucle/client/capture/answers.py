"""The model's own answers on rows of its example, and what they tell: task, classes, kind of prediction."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np

from boucle.client.capture.rows import Rows, read_values
from boucle.core.check import Check
from boucle.core.diagnosis import Failure, diagnose
from boucle.core.errors import InvalidRequest, Refused
from boucle.core.i18n import _
from boucle.core.signature import Signature, Task
from boucle.core.table import Table
from boucle_worker.answers import classes_of, predictor
from boucle_worker.errors import WorkerError
from boucle_worker.frames import Column

MAX_SAMPLE = 1_000
_LABELLERS = ("classifier", "outlier_detector", "clusterer")


@dataclass(frozen=True, eq=False)
class Answered:
    """Rows, the positions of the sample in them (sorted), and the model's answers on the sample."""

    rows: Rows
    positions: Any
    answers: Table
    signature: Signature


def sample_positions(n_rows: int) -> Any:
    """Return at most 1,000 positions, sorted, the same for the same number of rows.

    >>> sample_positions(3).tolist(), len(sample_positions(5000))
    ([0, 1, 2], 1000)
    """
    if n_rows <= MAX_SAMPLE:
        return np.arange(n_rows)
    return np.sort(np.random.default_rng(0).choice(n_rows, MAX_SAMPLE, replace=False))


def ask(model: Any, name: str, containers: tuple[Rows, ...], task: Optional[Task]) -> Answered:
    """Ask the model about the sample, in the first container that it takes.

    Raises Refused with the cause and the cure when it takes none; InvalidRequest when its answers are not one
    for each row.
    """
    if containers[0].table.n_rows == 0 or not containers[0].inputs:
        raise InvalidRequest("unusual-rows", _("The example is empty. Give at least one row of what the model takes."))
    failure: Optional[Exception] = None
    for rows in containers:
        positions = sample_positions(rows.table.n_rows)
        try:
            predictions = _predictions(model, rows.take(positions), len(positions))
        except Exception as error:  # noqa: BLE001  # whatever a stranger's model raises is the answer to our question
            failure = error
            continue
        probabilities = _probabilities(model, rows.take(positions))
        return Answered(rows, positions, *_told(model, rows, predictions, probabilities, task))
    if isinstance(failure, InvalidRequest):
        raise failure
    raise refusal(model, name, containers[-1], failure) from failure


def refusal(model: Any, name: str, rows: Rows, failure: Optional[Exception]) -> Refused:
    """Return the error for a model that could not answer its own rows: nothing was sent."""
    told = diagnose(
        Failure(
            type(failure).__name__,
            str(failure).strip().replace("\n", " ")[:500],
            type(_last_step(model)).__qualname__,
            tuple(str(column) for column in getattr(model, "feature_names_in_", ())),
        ),
        rows.inputs,
    )
    expected = _("the model answers the rows of its example")
    return Refused(name, 0, [Check("raw-rows", "fail", told.cause, expected, told.cure)])


def _last_step(model: Any) -> Any:
    steps = getattr(model, "steps", None)
    return steps[-1][1] if isinstance(steps, list) and steps else model


def _predictions(model: Any, native: Any, n_rows: int) -> Column:
    try:
        predict = predictor(model)
    except WorkerError:
        raise InvalidRequest(
            "unusual-model",
            _("{type} has no predict method. Deploy an object with predict(rows), a function, or an ONNX file.").format(
                type=type(model).__name__
            ),
        ) from None
    answers = predict(native)
    shape = np.shape(answers)
    if len(shape) == 2 and shape[1] > 1:
        raise InvalidRequest(
            "unusual-model",
            _("The model gives {n} values for each row, expected one. Deploy one model for each of them.").format(
                n=shape[1]
            ),
        )
    return read_values(_("The answer of the model"), answers, n_rows)


def _probabilities(model: Any, native: Any) -> Any:
    """Return ``predict_proba`` of the rows, shape ``(n_rows, n_classes)``; None for a model without a working one."""
    if not callable(getattr(model, "predict_proba", None)):
        return None
    try:
        matrix = np.asarray(model.predict_proba(native), dtype=np.float64)
    except Exception:  # noqa: BLE001  # what it was fitted for tells a model's class only when it is called
        return None
    return matrix if matrix.ndim == 2 else None


def _told(
    model: Any, rows: Rows, predictions: Column, probabilities: Any, task: Optional[Task]
) -> tuple[Table, Signature]:
    classes = _classes(model, probabilities)
    columns = {"prediction": predictions}
    if probabilities is not None:
        columns["probabilities"] = Column("matrix", probabilities)
    found: Task = "classification" if classes is not None or _labels(model, predictions) else "regression"
    signature = Signature(
        feed=rows.feed,
        inputs=rows.inputs,
        task=task or found,
        prediction_kind=predictions.kind,
        classes=classes,
        probabilities=probabilities is not None,
    )
    return Table(columns), signature


def _classes(model: Any, probabilities: Any) -> Optional[tuple[Any, ...]]:
    found = classes_of(model)
    if probabilities is None:
        return None if found is None else tuple(found)
    width = probabilities.shape[1]
    if found is not None and len(found) != width:
        raise InvalidRequest(
            "unusual-model",
            _("predict_proba gives {width} columns, but classes_ names {n} classes. They must agree.").format(
                width=width, n=len(found)
            ),
        )
    return tuple(range(width)) if found is None else tuple(found)


def _labels(model: Any, predictions: Column) -> bool:
    """Return True when the answers are labels rather than amounts."""
    if predictions.kind in ("text", "bool") or getattr(model, "_estimator_type", None) in _LABELLERS:
        return True
    get_tags = getattr(sys.modules.get("sklearn.utils"), "get_tags", None)  # scikit-learn 1.6 and later
    if get_tags is None or not hasattr(model, "__sklearn_tags__"):
        return False
    return get_tags(model).estimator_type in _LABELLERS
