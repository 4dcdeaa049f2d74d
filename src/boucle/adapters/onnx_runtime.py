"""OnnxGraph: an ONNX file that answers columns, in this process, on the thread that calls it.

One intra-op thread and no spinning: with the default threads, two busy cores made calls of 0.4 ms last 700 ms.
Answers have the shape that a model's worker gives: ``prediction`` and, when the graph tells them,
``probabilities`` in the order of the classes and ``intervals``. A tensor of windows takes as many rows for each
answer as its second axis says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnxruntime as ort

from boucle.adapters.onnx_answers import OnnxAnswers
from boucle.adapters.onnx_codes import CODES, DATES, code_fill, coded, date_fill
from boucle.adapters.onnx_limits import limited, refusal
from boucle.adapters.onnx_terms import TERMS, part, term_fill, termed
from boucle.core.coding import METADATA_KEY, Coding, read_coding
from boucle.core.errors import InvalidRows, ModelFailed, RowProblem, Unavailable
from boucle.core.i18n import _
from boucle.core.signature import Signature, Tensor
from boucle.core.table import Column, missing_mask
from boucle_worker.frames import Columns

Fill = Callable[[Columns], Any]
CellFill = Callable[[Sequence[Sequence[Any]]], Any]
_NUMBERS = ("float", "int", "bool")
_ERRORS_ONLY = 3
REFUSED = "out of data bounds"  # a graph looks up a row that is not there where its model raises an error
CHUNK = 1024  # rows that a converted graph takes at once: it may hold a dense row of many terms for each
_MICROSECONDS = {"s": 1_000_000, "ms": 1_000, "us": 1}


class OnnxGraph:
    """Runs one graph. ``load()`` must come first; ``predict`` may be called from several threads at once."""

    def __init__(self, model: bytes, signature: Signature) -> None:
        self._model: bytes | None = model
        self._signature = signature
        self._session: Any = None
        self._fills: list[tuple[str, Fill]] = []
        self._coding: Coding | None = None
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
            self._session = ort.InferenceSession(self._model, options(), providers=["CPUExecutionProvider"])
        except Exception as error:
            raise ModelFailed(_("The ONNX file cannot be run: {cause}").format(cause=last_line(error))) from error
        self._model = None
        self._coding = _coding(self._session)
        self._fills = [(tensor.name, _fill(tensor, self._coding)) for tensor in self._signature.input_tensors]

    def predict(self, columns: Columns) -> Columns:
        """Return ``prediction``, shape ``(n,)``, ``probabilities``, ``(n, n_classes)``, and ``intervals``, ``(n, 2)``.

        ``n`` is the number of rows, or of windows. Raises ModelFailed when the graph does, and InvalidRows when a cell
        is missing, or a date lies too far away, for the tensor it feeds.
        """
        return self._run({name: fill(columns) for name, fill in self._fills})

    def for_cells(self, names: tuple[str, ...]) -> Callable[[Sequence[Sequence[Any]]], Columns] | None:
        """Return what answers few rows given as cells by column; None when a tensor takes integers, booleans, windows.

        The same answers as by ``predict``, without an array for each column.
        """
        kinds = {item.name: item.kind for item in self._signature.inputs}
        fills = []
        for tensor in self._signature.input_tensors or ():
            fill = _cell_fill(tensor, names, kinds, self._coding)
            if fill is None:
                return None
            fills.append((tensor.name, fill))
        return lambda cells: self._run({name: fill(cells) for name, fill in fills})

    def _run(self, feeds: dict[str, Any]) -> Columns:
        if self._session is None:
            raise Unavailable(_("The ONNX file is not loaded yet."))
        running, n_rows = self._running, 0 if self._coding is None else _n_rows(feeds)
        if n_rows <= CHUNK:
            return self._answers.read(self._outputs(feeds, running))
        parts = []
        for start in range(0, n_rows, CHUNK):
            chunk = {name: _rows(name, array, start) for name, array in feeds.items()}
            parts.append(self._outputs(chunk, running, start))
        return self._answers.read(_joined(parts))

    def _outputs(self, feeds: dict[str, Any], running: Any, start: int = 0) -> list[Any]:
        """Return what the graph puts out for rows of which the first is row ``start`` of the request."""
        try:
            outputs: list[Any] = self._session.run(None, feeds, running)
        except Exception as error:
            if self._coding is not None and REFUSED in str(error):
                raise refusal(lambda some: self._session.run(None, some), feeds, start) from error
            raise ModelFailed(_("The ONNX graph failed: {cause}").format(cause=last_line(error))) from error
        return outputs

    def stop(self) -> None:
        """End the runs under way; they raise ModelFailed, and later ones run as before."""
        running, self._running = self._running, ort.RunOptions()
        running.terminate = True


def last_line(error: BaseException) -> str:
    """Return the last line of an error's text, at most 300 characters."""
    lines = str(error).strip().splitlines()
    return lines[-1][:300] if lines else type(error).__name__


def options() -> Any:
    """Return how sessions run here: on the thread that calls, one node after the other."""
    chosen = ort.SessionOptions()
    chosen.intra_op_num_threads = 1
    chosen.inter_op_num_threads = 1
    chosen.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    chosen.log_severity_level = _ERRORS_ONLY
    chosen.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return chosen


def feeds_of(tensors: Sequence[Tensor], coding: Coding, columns: Columns) -> dict[str, Any]:
    """Return the arrays of the input tensors of a converted graph."""
    return {tensor.name: _fill(tensor, coding)(columns) for tensor in tensors}


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


def _coding(session: Any) -> Coding | None:
    """Return the coding that a file converted by the platform carries, None for any other file."""
    text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    if text is None:
        return None
    try:
        return read_coding(text)
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        cause = last_line(error)
        raise ModelFailed(_("The vocabularies in the ONNX file cannot be read: {cause}").format(cause=cause)) from error


def _n_rows(feeds: dict[str, Any]) -> int:
    """Return how many rows feed a converted graph; 0 when its inputs do not agree."""
    sizes = {len(array) for name, array in feeds.items() if not name.startswith(TERMS)}
    return sizes.pop() if len(sizes) == 1 else 0


def _rows(name: str, array: Any, start: int) -> Any:
    """Return the chunk of an input of a converted graph that starts at a row."""
    return part(array, start, start + CHUNK) if name.startswith(TERMS) else array[start : start + CHUNK]


def _joined(parts: Sequence[Sequence[Any]]) -> list[Any]:
    """Return the outputs of several chunks as those of one run. Raises ModelFailed when they are not one a row."""
    try:
        return [np.concatenate(outputs) for outputs in zip(*parts, strict=True)]
    except ValueError as error:
        raise ModelFailed(_("The ONNX graph failed: {cause}").format(cause=last_line(error))) from error


def _fill(tensor: Tensor, coding: Coding | None) -> Fill:
    """Return what makes the array of an input tensor from its columns, and refuses what the model refuses."""
    return limited(_made(tensor, coding), tensor, coding)


def _made(tensor: Tensor, coding: Coding | None) -> Fill:
    if coding is not None and tensor.name == CODES:
        return code_fill(tensor, coding)
    if coding is not None and tensor.name == DATES:
        return date_fill(tensor)
    made = None if coding is None else term_fill(tensor, coding)
    if made is not None:
        return made
    if tensor.dtype == "str":
        return _text_fill(tensor)
    dtype, names, shape = np.dtype(tensor.dtype), tensor.columns, _shape(tensor)
    wide = np.dtype(np.float64) if dtype.kind == "f" else dtype  # one rounding, whichever way a number comes
    if len(names) == 1:
        return lambda columns: _narrowed(_numbers(columns[names[0]], names[0], wide, tensor), dtype).reshape(shape)

    def fill(columns: Columns) -> Any:
        out = np.empty((len(columns[names[0]].values), len(names)), dtype=wide)
        for i, name in enumerate(names):
            out[:, i] = _numbers(columns[name], name, wide, tensor)
        return _narrowed(out, dtype).reshape(shape)

    return fill


def _numbers(column: Column, name: str, dtype: Any, tensor: Tensor) -> Any:
    """Return the numbers of a column as a tensor holds them, NaN where missing."""
    kind, values, missing = column
    if dtype.kind == "f" and kind != "datetime":
        return (values if missing is None else np.where(missing, np.nan, values)).astype(dtype, copy=False)
    if missing is not None or kind in ("float", "datetime"):
        _refuse(missing_mask(column), "missing-value", name, _("a value (the ONNX graph takes none missing)"), tensor)
    if kind == "datetime":
        return _counted(values, name, tensor)
    return values.astype(dtype, copy=False)


def _counted(dates: Any, name: str, tensor: Tensor) -> Any:
    """Return dates as the units since 1970 that the tensor counts, rounded down."""
    if tensor.unit is None:
        raise ModelFailed(_("The signature does not say in which unit column '{name}' counts.").format(name=name[:80]))
    instants = dates.view(np.int64)
    if tensor.unit != "ns":
        return instants // _MICROSECONDS[tensor.unit]
    farthest = 2**63 // 1000
    _refuse(np.abs(instants) > farthest - 1, "date-too-far", name, _("a date between 1678 and 2262"), tensor)
    return instants * 1000


def _narrowed(values: Any, dtype: Any) -> Any:
    """Return numbers in another precision; what is beyond it becomes infinite, as in any library."""
    if values.dtype == dtype:
        return values
    with np.errstate(over="ignore"):
        return values.astype(dtype)


def _refuse(is_wrong: Any, code: str, name: str, expected: str, tensor: Tensor) -> None:
    """Raise InvalidRows when a cell of a column is wrong, naming its row where rows are answered one by one."""
    rows = np.flatnonzero(is_wrong)
    if not len(rows):
        return
    row = None if is_windowed(tensor) else int(rows[0])
    text = _("Column '{column}': expected {expected}.")
    if row is not None:
        text = _("Row {row}, column '{column}': expected {expected}.")
    told = text.format(row=row, column=name[:80], expected=expected)
    raise InvalidRows([RowProblem(code, name, told, row, expected)], len(rows))


def _text_fill(tensor: Tensor) -> Fill:
    names, shape = tensor.columns, _shape(tensor)
    return lambda columns: _texts([columns[name].values for name in names], shape)


def _texts(columns: Sequence[Any], shape: tuple[int, ...]) -> Any:
    cells = [["" if cell is None else cell for cell in column] for column in columns]
    return np.array(cells, dtype=object).T.reshape(shape)


def is_windowed(tensor: Tensor) -> bool:
    """True when a tensor takes many rows for each answer: one column ``(n, rows)``, or several ``(n, rows, width)``."""
    return len(tensor.shape) == 3 or (
        len(tensor.shape) == 2 and len(tensor.columns) == 1 and tensor.shape[1] not in (None, 1)
    )


def _shape(tensor: Tensor) -> tuple[int, ...]:
    if not is_windowed(tensor):
        return (-1,) if len(tensor.shape) == 1 else (-1, len(tensor.columns))
    rows = tensor.shape[1]
    if rows is None:
        raise ModelFailed(_("The signature does not say how many rows feed {name}.").format(name=tensor.name[:80]))
    return (-1, rows) if len(tensor.shape) == 2 else (-1, rows, len(tensor.columns))


def _cell_fill(tensor: Tensor, names: tuple[str, ...], kinds: dict[str, str], coding: Coding | None) -> CellFill | None:
    """Return what makes the array of an input tensor from cells by column; None when only columns will do."""
    places = [names.index(name) for name in tensor.columns]
    made = None if coding is None else termed(tensor, coding)
    if made is not None:
        return lambda cells: made([cells[i] for i in places])
    if is_windowed(tensor):
        return None
    shape = _shape(tensor)
    if coding is not None and tensor.name == CODES:
        code = coded(tensor, coding)
        return lambda cells: code([cells[i] for i in places])
    if tensor.dtype == "str":
        return lambda cells: _texts([cells[i] for i in places], shape)
    dtype = np.dtype(tensor.dtype)
    if dtype.kind != "f" or any(kinds[name] not in _NUMBERS for name in tensor.columns):
        return None
    return limited(
        lambda cells: _narrowed(np.array([cells[i] for i in places], dtype=np.float64).T.reshape(shape), dtype),
        tensor,
        coding,
    )
