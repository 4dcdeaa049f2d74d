"""ONNX files: a model that is a file already. The build runs it; here it is only recognised and read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import numpy as np

from boucle.client.capture.answers import sample_positions
from boucle.client.capture.request import Request, tensors_of, window_of
from boucle.client.capture.rows import Rows, detached, read_column
from boucle.client.capture.series import series_sample
from boucle.client.paths import missing_file
from boucle.core.errors import InvalidRequest
from boucle.core.i18n import _
from boucle.core.signature import Signature, Task
from boucle.core.table import Table
from boucle.core.window import Window
from boucle_worker.frames import Column

_LABELS = ("text", "bool")
_INTERVALS = ("interval", "intervals")  # the names of an output that holds intervals
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


@dataclass(frozen=True, eq=False)
class Described:
    """What is sent of an ONNX file beside its bytes. The build completes the signature; ``answers`` are those on the
    sample, None when none were given."""

    signature: Signature
    sample: Table
    answers: Optional[Table]


def describe(data: bytes, rows: Rows, request: Request) -> Described:
    """Return the signature of a file, the sample of its rows and the answers given for it.

    Answers: predictions, shape ``(n,)``, or a pair of them and probabilities, shape ``(n, k)``, or intervals, shape
    ``(n, 2)``. There is one for each row; of a window model one for each of the last windows.
    """
    window = window_of(request)
    has_intervals = request.interval_level is not None or (window is not None and request.task != "classification")
    given = None if request.answers is None else _answers(request.answers, has_intervals)
    sample, answers = _sampled(rows.table, window, given)
    prediction = None if answers is None else answers.columns["prediction"]
    task = request.task or _task(data, prediction, has_intervals)
    if task == "classification" and request.interval_level is not None:
        raise _unusual(_("The answers are labels: interval_level belongs to predictions that are numbers."))
    kind = prediction.kind if prediction is not None else ("int" if task == "classification" else "float")
    signature = Signature(
        "onnx",
        rows.inputs,
        task,
        kind,
        probabilities=answers is not None and "probabilities" in answers.columns,
        input_tensors=tensors_of(request, rows.inputs),
        interval_level=request.interval_level,
    )
    return Described(signature, sample, answers)


def unused_columns(request: Request, rows: Rows) -> list[str]:
    """Return the columns that feed no tensor and neither order nor group rows; none when no tensors are told."""
    tensors, window = tensors_of(request, rows.inputs), window_of(request)
    if tensors is None:
        return []
    used = {name for tensor in tensors for name in tensor.columns}
    if window is not None:
        used |= {window.order_by, window.group_by or window.order_by}
    return [name for name in rows.table.names if name not in used]


def _sampled(table: Table, window: Optional[Window], given: Optional[Table]) -> tuple[Table, Optional[Table]]:
    if window is not None:
        made = series_sample(table, window, None if given is None else given.n_rows)
        return made.table, None if given is None else given.take(made.answers)
    if given is not None and given.n_rows != table.n_rows:
        raise _unusual(
            _("There are {found} answers, the example has {n} rows. Expected predictions of shape ({n},).").format(
                found=given.n_rows, n=table.n_rows
            )
        )
    positions = sample_positions(table.n_rows)
    return table.take(positions), None if given is None else given.take(positions)


def _answers(answers: Any, has_intervals: bool) -> Table:
    is_pair = isinstance(answers, tuple) and len(answers) == 2 and not np.isscalar(answers[0])
    predictions, more = answers if is_pair else (answers, None)
    columns = {"prediction": read_column("answers", predictions)}
    if more is None:
        return Table(columns)
    name, n_rows = "intervals" if has_intervals else "probabilities", len(columns["prediction"].values)
    try:
        matrix = np.asarray(detached(more), dtype=np.float64)
    except (TypeError, ValueError) as error:
        cause = _("The {name} of answers=(predictions, {name}) are no numbers: {cause}").format(name=name, cause=error)
        raise _unusual(cause) from error
    if matrix.ndim != 2 or len(matrix) != n_rows or (has_intervals and matrix.shape[1] != 2):
        expected = f"({n_rows}, 2)" if has_intervals else f"({n_rows}, k)"
        raise _unusual(
            _("The {name} of answers=(predictions, {name}) have shape {shape}, expected {expected}.").format(
                name=name, shape=matrix.shape, expected=expected
            )
        )
    return Table({**columns, name: Column("matrix", matrix)})


def _task(data: bytes, prediction: Optional[Column], has_intervals: bool) -> Task:
    if prediction is not None and prediction.kind in _LABELS:
        return "classification"
    if has_intervals:
        return "regression"
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
    has_probabilities = len(outputs) > 1 and not any(output.name in _INTERVALS for output in outputs)
    return "classification" if is_label or has_probabilities else "regression"


def _unusual(text: str) -> InvalidRequest:
    return InvalidRequest("unusual-rows", text)
