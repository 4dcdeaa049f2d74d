"""What a model answers, as the columns of an answer frame: predictions, and probabilities where it has them."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional

import numpy as np

from boucle_worker.errors import WorkerError
from boucle_worker.frames import Column, Columns
from boucle_worker.once import both


def predictor(model: Any) -> Callable[[Any], Any]:
    """Return the function that answers rows: the model's ``predict``, or the model itself when it is callable."""
    predict = getattr(model, "predict", None)
    if callable(predict):
        found: Callable[[Any], Any] = predict
        return found
    if callable(model):
        called: Callable[[Any], Any] = model
        return called
    raise WorkerError("load", f"{type(model).__name__} has no predict method and cannot be called")


def classes_of(model: Any) -> Optional[List[Any]]:
    """Return the labels of a classifier as JSON values, in the order of its probabilities; None without labels."""
    try:  # a Pipeline raises AttributeError too when its last step is no classifier
        array = np.asarray(model.classes_)
    except (AttributeError, TypeError, ValueError):  # ValueError: several outputs, each with labels of its own
        return None
    if array.ndim != 1:
        return None
    return [_json(label) for label in (np.datetime_as_string(array) if array.dtype.kind == "M" else array.tolist())]


def answer(model: Any, rows: Any, n_rows: int, signature: Dict[str, Any]) -> Columns:
    """Return the columns ``prediction`` (``(n_rows,)``) and, when the signature says so, ``probabilities``.

    Raises WorkerError (``predict``) when the shapes or the kind of what came back are not those of the signature.
    """
    kind = signature["prediction_kind"]
    if not signature.get("probabilities"):
        return {"prediction": as_column(_flat(predictor(model)(rows), n_rows), kind)}
    predictions, probabilities = both(model, rows)
    width = len(signature["classes"]) if signature.get("classes") else None
    return {
        "prediction": as_column(_flat(predictions, n_rows), kind),
        "probabilities": Column("matrix", _matrix(probabilities, n_rows, width)),
    }


def as_column(values: Any, kind: str) -> Column:
    """Return an array of predictions, shape ``(n_rows,)``, as a column of that kind.

    Missing predictions are NaN, NaT or None. Nothing is rounded: 1.5 is no int.
    """
    try:
        return _COLUMNS[kind](values)
    except KeyError:
        raise WorkerError("protocol", f"unknown kind of predictions: {kind!r}") from None
    except (TypeError, ValueError, OverflowError) as error:
        raise WorkerError("predict", f"the answers are not of kind {kind}: {error}") from error


def _array(values: Any) -> Any:
    detach = getattr(values, "detach", None)  # a torch tensor that still carries its gradient
    return np.asarray(detach() if callable(detach) else values)


def _flat(values: Any, n_rows: int) -> Any:
    array = _array(values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 1 and len(array) == n_rows:
        return array
    raise WorkerError("predict", f"predict answered shape {array.shape} for {n_rows} rows")


def _matrix(values: Any, n_rows: int, width: Optional[int]) -> Any:
    array = _array(values)
    if array.ndim == 2 and len(array) == n_rows and array.shape[1] == (width or array.shape[1]):
        return array.astype(np.float64)
    expected = "({}, {})".format(n_rows, width or "classes")
    raise WorkerError("predict", f"predict_proba answered shape {array.shape}, expected {expected}")


def _bools(values: Any) -> Column:
    return Column("bool", *_whole(values, bool))


def _ints(values: Any) -> Column:
    return Column("int", *_whole(values, np.int64))


def _whole(values: Any, dtype: Any) -> Any:
    """Return the values as bool or int64, and the mask of missing ones. Raises ValueError when one would change."""
    missing = _missing(values)
    if missing is not None:
        values = np.where(missing, 0, values)
    out = values.astype(dtype)
    if not np.array_equal(out, values):
        raise ValueError(f"{values[out != values][0]!r} would change")
    return out, missing


def _missing(values: Any) -> Any:
    if values.dtype.kind == "f":
        mask = np.isnan(values)
    elif values.dtype.kind == "O":
        mask = np.fromiter((_is_missing(value) for value in values), dtype=bool, count=len(values))
    else:
        return None
    return mask if mask.any() else None


def _is_missing(value: Any) -> bool:
    return value is None or type(value).__name__ in ("NAType", "NaTType") or value != value  # NaN is not itself


def _floats(values: Any) -> Column:
    missing = _missing(values) if values.dtype.kind == "O" else None
    return Column("float", (values if missing is None else np.where(missing, np.nan, values)).astype(np.float64))


def _datetimes(values: Any) -> Column:
    if values.dtype.kind == "O":
        values = np.array([None if _is_missing(value) else _naive(value) for value in values], dtype="datetime64[us]")
    if values.dtype.kind != "M":
        raise ValueError(f"they are of dtype {values.dtype}")
    return Column("datetime", values.astype("datetime64[us]"))


def _naive(value: Any) -> Any:
    import datetime

    zone = getattr(value, "tzinfo", None)
    return value if zone is None else value.astimezone(datetime.timezone.utc).replace(tzinfo=None)


def _texts(values: Any) -> Column:
    out = np.empty(len(values), dtype=object)
    out[:] = [None if _is_missing(value) else str(value) for value in values.tolist()]
    return Column("text", out)


_COLUMNS: Dict[str, Callable[[Any], Column]] = {
    "bool": _bools,
    "int": _ints,
    "float": _floats,
    "datetime": _datetimes,
    "text": _texts,
}


def _json(label: Any) -> Any:
    return label if isinstance(label, (bool, int, float, str)) else str(label)
