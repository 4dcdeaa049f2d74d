"""ONNX files: a model that is a file already. The build runs it; here it is only recognised and read."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

import numpy as np

from boucle.client.capture.answers import sample_positions
from boucle.client.capture.rows import Rows, read_values
from boucle.client.paths import missing_file
from boucle.core.errors import InvalidRequest
from boucle.core.i18n import _
from boucle.core.signature import Signature, Task
from boucle.core.table import Table
from boucle_worker.frames import Column

_LABELS = ("text", "bool")
_INTEGER, _TEXT = 7, 8  # onnx.TensorProto.INT64 and STRING


def onnx_bytes(model: Any) -> Optional[bytes]:
    """Return the bytes of an ONNX model given as a path, as bytes or as a ModelProto; None for any other object.

    Raises NotFound for a path that is not there, InvalidRequest for a path to something else.
    """
    if isinstance(model, (bytes, bytearray)):
        return bytes(model)
    if isinstance(model, (str, Path)):
        return _read(Path(model).expanduser())
    if type(model).__name__ == "ModelProto":
        data: bytes = model.SerializeToString(deterministic=True)
        return data
    return None


def _read(path: Path) -> bytes:
    if path.suffix != ".onnx":
        raise InvalidRequest(
            "unusual-model",
            _("A path is taken for an .onnx file only, found {path}. Load the model first: joblib.load(path)").format(
                path=path
            ),
        )
    if not path.is_file():
        raise missing_file(path)
    return path.read_bytes()


def describe(data: bytes, rows: Rows, answers: Any, task: Optional[Task]) -> tuple[Signature, Optional[Table]]:
    """Return the signature, to be completed by the build, and the answers on the sample (None when not given).

    ``answers``: predictions, shape ``(n_rows,)``, or a pair of them and probabilities, shape ``(n_rows, k)``.
    """
    table = None if answers is None else _answers(answers, rows)
    prediction = None if table is None else table.columns["prediction"]
    found = task or _task(data, prediction)
    kind = prediction.kind if prediction is not None else ("int" if found == "classification" else "float")
    has_probabilities = table is not None and "probabilities" in table.columns
    return Signature("onnx", rows.inputs, found, kind, probabilities=has_probabilities), table


def _answers(answers: Any, rows: Rows) -> Table:
    predictions, probabilities = answers if isinstance(answers, tuple) and len(answers) == 2 else (answers, None)
    columns = {"prediction": read_values("answers", predictions, rows.table.n_rows)}
    if probabilities is not None:
        matrix = np.asarray(probabilities, dtype=np.float64)
        if matrix.ndim != 2 or len(matrix) != rows.table.n_rows:
            raise InvalidRequest(
                "unusual-rows",
                _(
                    "The probabilities of answers=(predictions, probabilities) have shape {shape}, expected {n} rows."
                ).format(shape=matrix.shape, n=rows.table.n_rows),
            )
        columns["probabilities"] = Column("matrix", matrix)
    return Table(columns).take(sample_positions(rows.table.n_rows))


def _task(data: bytes, prediction: Optional[Column]) -> Task:
    if prediction is not None and prediction.kind in _LABELS:
        return "classification"
    try:
        import onnx
    except ImportError:
        if prediction is None:
            raise InvalidRequest(
                "unusual-model", _("Say what the file does: task='classification' or task='regression'.")
            ) from None
        return "classification" if prediction.kind == "int" else "regression"
    try:
        outputs = onnx.load_from_string(data).graph.output
    except Exception as error:
        raise InvalidRequest("unusual-model", _("This is no ONNX model: {cause}").format(cause=error)) from error
    is_label = bool(outputs) and outputs[0].type.tensor_type.elem_type in (_INTEGER, _TEXT)
    return "classification" if is_label or len(outputs) > 1 else "regression"
