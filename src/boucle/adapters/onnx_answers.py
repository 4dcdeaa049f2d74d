"""What an ONNX graph puts out, as the columns of an answer: the same as a model's worker gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from boucle.core.errors import ModelFailed, shown
from boucle.core.i18n import _
from boucle.core.signature import Signature, Tensor
from boucle.core.table import Column
from boucle_worker.frames import Columns

_KINDS = {"b": "bool", "i": "int", "u": "int", "f": "float", "U": "text", "O": "text", "T": "text"}
LABEL_INDEX = "label_index"  # graphs that the platform converted answer with the place of a label
_INTERVAL_NAMES = ("intervals", "interval")
_DTYPES: dict[str, Any] = {"int": np.int64, "float": np.float64, "bool": np.bool_, "text": object}


class OnnxAnswers:
    """Reads outputs by the signature.

    The first output of one value a row is the prediction; a float output of two or more columns, or a sequence of
    maps (skl2onnx's zipmap), the probabilities. Without the former, the most probable class is the prediction. A
    single probability a row, where the signature promises two classes, is that of the second. Of a regression, the
    output named ``intervals`` or ``interval`` holds a low and a high bound a row.
    """

    def __init__(self, signature: Signature) -> None:
        self._classes = signature.classes
        self._is_binary = (
            signature.task == "classification" and signature.classes is not None and len(signature.classes) == 2
        )
        is_index = any(output.name == LABEL_INDEX for output in signature.output_tensors or ())
        self._labels = None if signature.classes is None else _labels(signature.classes, is_index=is_index)
        self._interval_at = interval_output(signature)

    def read(self, outputs: Sequence[Any]) -> Columns:
        """Return ``prediction`` and, where told, ``probabilities`` and ``intervals``.

        An interval that is none (its low bound above its high one, or either no number) is NaN on both sides.
        Raises ModelFailed for outputs that are none of these.
        """
        at = self._interval_at
        if at is None:
            return self._read(outputs)
        found = self._read([*outputs[:at], *outputs[at + 1 :]])
        return {**found, "intervals": _intervals(outputs[at], len(found["prediction"].values))}

    def _read(self, outputs: Sequence[Any]) -> Columns:
        single = matrix = None
        for output in outputs:
            array = _matrix_of_maps(output, self._classes) if isinstance(output, list) else output
            shape = array.shape
            if len(shape) == 1 or shape[1:] == (1,):
                single = array.reshape(-1) if single is None else single
            elif len(shape) == 2 and array.dtype.kind == "f" and matrix is None:
                matrix = array
        if matrix is None:
            if single is None:
                raise _unreadable(outputs)
            if not (self._is_binary and single.dtype.kind == "f" and bool(((single >= 0) & (single <= 1)).all())):
                return {"prediction": self._prediction(single)}
            matrix, single = np.column_stack([1.0 - single, single]), None
        if single is None:
            single = matrix.argmax(axis=1)
        probabilities = Column("matrix", np.ascontiguousarray(matrix, dtype=np.float64))
        return {"prediction": self._prediction(single), "probabilities": probabilities}

    def _prediction(self, values: Any) -> Column:
        kind = _KINDS.get(values.dtype.kind)
        if kind is None:
            raise ModelFailed(_("The ONNX graph answers {dtype}, which is no answer.").format(dtype=values.dtype))
        if kind == "int" and self._labels is not None:
            return self._labelled(values, self._labels)
        return Column(kind, values.astype(_DTYPES[kind], copy=False))

    def _labelled(self, positions: Any, labels: Column) -> Column:
        """Return the labels at positions: graphs answer with the number of a class whose label is no integer."""
        n_classes = len(labels.values)
        if len(positions) and not (positions.min() >= 0 and positions.max() < n_classes):
            raise ModelFailed(_("The ONNX graph answers a class number beyond its {n} classes.").format(n=n_classes))
        return Column(labels.kind, labels.values[positions])


def interval_output(signature: Signature) -> int | None:
    """Return which output holds the intervals of a regression; None when none does."""
    if signature.task != "regression":
        return None
    outputs = signature.output_tensors or ()
    places = (i for i, output in enumerate(outputs) if output.name in _INTERVAL_NAMES and _is_pair(output))
    return next(places, None) if len(outputs) > 1 else None


def _is_pair(output: Tensor) -> bool:
    return output.dtype.startswith("float") and len(output.shape) == 2 and output.shape[1] in (2, None)


def _intervals(bounds: Any, n_rows: int) -> Column:
    if bounds.shape != (n_rows, 2):
        raise ModelFailed(
            _("The ONNX graph gives intervals of the shape {shape}; expected ({n}, 2): low and high a row.").format(
                shape=bounds.shape, n=n_rows
            )
        )
    values = np.ascontiguousarray(bounds, dtype=np.float64)
    is_one = values[:, 0] <= values[:, 1]
    return Column("matrix", values if is_one.all() else np.where(is_one[:, None], values, np.nan))


def _labels(classes: Sequence[Any], *, is_index: bool) -> Column | None:
    """Return class labels as a column; None for integers, with which graphs answer as they are.

    With ``is_index`` the graph answers with the place of a label, whatever the label is.
    """
    if not is_index and all(type(label) is int for label in classes):
        return None
    is_text = any(isinstance(label, str) for label in classes)
    labels = np.array(classes, dtype=object if is_text else None)
    return Column(_KINDS[labels.dtype.kind], labels)


def _matrix_of_maps(maps: Sequence[Any], classes: Sequence[Any] | None) -> Any:
    """Return a sequence of maps ``{label: probability}`` as a matrix, in the order of the classes."""
    if not maps or not isinstance(maps[0], dict):
        return np.array(maps)
    keys = list(maps[0])
    order = list(classes) if classes is not None and set(classes) == set(keys) else keys
    return np.array([[row[key] for key in order] for row in maps], dtype=np.float64)


def _unreadable(outputs: Sequence[Any]) -> ModelFailed:
    shapes = [np.shape(output) for output in outputs]
    return ModelFailed(
        _("The ONNX graph gives outputs of the shapes {shapes}; expected one value a row, or one a class.").format(
            shapes=shown(shapes)
        )
    )
