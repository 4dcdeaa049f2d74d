"""OnnxGraph: an ONNX file that answers columns, in this process, on the thread that calls it.

One intra-op thread and no spinning: with the default threads, two busy cores made calls of 0.4 ms last 700 ms.
Answers have the shape that a model's worker gives: ``prediction`` and, when the graph tells them,
``probabilities`` in the order of the classes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime as ort

from boucle.adapters.onnx_answers import OnnxAnswers
from boucle.core.errors import ModelFailed, Unavailable
from boucle.core.i18n import _
from boucle.core.signature import Signature, Tensor
from boucle.core.table import Column, missing_mask
from boucle_worker.frames import Columns

Fill = Callable[[Columns], Any]
_ERRORS_ONLY = 3


class OnnxGraph:
    """Runs one graph. ``load()`` must come first; ``predict`` may be called from several threads at once."""

    def __init__(self, model: bytes, signature: Signature) -> None:
        self._model: bytes | None = model
        self._signature = signature
        self._session: Any = None
        self._fills: list[tuple[str, Fill]] = []
        self._running: Any = ort.RunOptions()
        self._answers = OnnxAnswers(signature)

    def load(self) -> None:
        """Make the session. Raises ModelFailed when the file cannot be run or keeps data outside itself."""
        if self._session is not None:
            return
        if self._signature.input_tensors is None or self._model is None:
            raise ModelFailed(_("The signature does not say which columns feed the tensors of the ONNX file."))
        _refuse_external_data(self._model)
        try:
            self._session = ort.InferenceSession(self._model, _options(), providers=["CPUExecutionProvider"])
        except Exception as error:
            raise ModelFailed(_("The ONNX file cannot be run: {cause}").format(cause=last_line(error))) from error
        self._model = None
        self._fills = [(tensor.name, _fill(tensor)) for tensor in self._signature.input_tensors]

    def predict(self, columns: Columns) -> Columns:
        """Return ``prediction``, shape ``(n_rows,)``, and ``probabilities``, shape ``(n_rows, n_classes)``.

        Raises ModelFailed when the graph does, or when a cell is missing that its tensor cannot hold.
        """
        if self._session is None:
            raise Unavailable(_("The ONNX file is not loaded yet."))
        feeds = {name: fill(columns) for name, fill in self._fills}
        try:
            outputs = self._session.run(None, feeds, self._running)
        except Exception as error:
            raise ModelFailed(_("The ONNX graph failed: {cause}").format(cause=last_line(error))) from error
        return self._answers.read(outputs)

    def stop(self) -> None:
        """End the runs under way; they raise ModelFailed, and later ones run as before."""
        running, self._running = self._running, ort.RunOptions()
        running.terminate = True


def last_line(error: BaseException) -> str:
    """Return the last line of an error's text, at most 300 characters."""
    lines = str(error).strip().splitlines()
    return lines[-1][:300] if lines else type(error).__name__


def _options() -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = _ERRORS_ONLY
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _refuse_external_data(model: bytes) -> None:
    """Raise ModelFailed for a file whose tensors lie in other files: their paths would be the author's choice."""
    if b"location" not in model:  # the key that every tensor with outside data carries
        return
    import onnx
    from onnx.external_data_helper import _get_all_tensors, uses_external_data

    try:
        tensors = list(_get_all_tensors(onnx.load_model_from_string(model)))
    except Exception as error:
        raise ModelFailed(_("The ONNX file cannot be read: {cause}").format(cause=last_line(error))) from error
    if any(map(uses_external_data, tensors)):
        raise ModelFailed(_("The ONNX file keeps data in other files. Save it as one, without external data."))


def _fill(tensor: Tensor) -> Fill:
    """Return what makes the array of an input tensor from its columns."""
    if tensor.dtype == "str":
        return _text_fill(tensor)
    dtype, names, is_flat = np.dtype(tensor.dtype), tensor.columns, len(tensor.shape) == 1
    if len(names) == 1:
        shape = (-1,) if is_flat else (-1, 1)
        return lambda columns: _numbers(columns[names[0]], names[0], dtype).reshape(shape)

    wide = np.dtype(np.float64) if dtype.kind == "f" else dtype

    def fill(columns: Columns) -> Any:
        out = np.empty((len(columns[names[0]].values), len(names)), dtype=wide)
        for i, name in enumerate(names):
            out[:, i] = _numbers(columns[name], name, wide)
        return _narrowed(out, dtype)

    return fill


def _numbers(column: Column, name: str, dtype: Any) -> Any:
    """Return the numbers of a column as a tensor holds them, NaN where missing."""
    kind, values, missing = column
    if dtype.kind == "f":
        return _narrowed(values if missing is None else np.where(missing, np.nan, values), dtype)
    if missing is not None or kind == "float":
        _refuse_missing(column, name)
    return values.astype(dtype, copy=False)


def _narrowed(values: Any, dtype: Any) -> Any:
    """Return numbers in another precision; what is beyond it becomes infinite, as in any library."""
    if values.dtype == dtype:
        return values
    if dtype.itemsize == values.dtype.itemsize:
        return values.astype(dtype)
    with np.errstate(over="ignore"):
        return values.astype(dtype)


def _refuse_missing(column: Column, name: str) -> None:
    rows = np.flatnonzero(missing_mask(column))
    if len(rows):
        raise ModelFailed(
            _("Column '{column}' is missing in row {row}, and the ONNX graph takes no missing value there.").format(
                column=name, row=int(rows[0])
            )
        )


def _text_fill(tensor: Tensor) -> Fill:
    shape = (-1,) if len(tensor.shape) == 1 else (-1, len(tensor.columns))
    names = tensor.columns

    def fill(columns: Columns) -> Any:
        texts = [["" if cell is None else cell for cell in columns[name].values] for name in names]
        return np.array(texts, dtype=object).T.reshape(shape)

    return fill
