"""A converted graph as the gateway runs it, its distance from the answers of the model, and how long it takes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort

from boucle.adapters.onnx_codes import CODES, DATES, NUMBERS
from boucle.adapters.onnx_runtime import _cell_fill, _fill, options
from boucle.adapters.onnx_writer import SERVED, assembled
from boucle.core.coding import METADATA_KEY, read_coding
from boucle.core.signature import Tensor
from boucle.core.table import cells
from boucle_worker.frames import Column, Columns

ALL = ("label_index", "probabilities", "scores", "value")
DTYPES = {NUMBERS: "float64", CODES: "int64", DATES: "int64"}
EXACT, SINGLE = 1e-9, 1e-6
PROBABILITY = 1e-6
_BLOCKS, _CALLS = 7, 150

Answers = dict[str, Any]


class Served:
    """The graph of a description, in this process, on one thread."""

    def __init__(self, header: dict[str, Any], arrays: dict[str, Any]) -> None:
        self.header = header
        self.file = assembled(header, arrays, SERVED)
        whole = assembled(header, arrays, ALL)
        onnx.checker.check_model(whole)
        self._whole = session(whole)
        self._session = session(self.file)
        self._coding = read_coding(self._whole.get_modelmeta().custom_metadata_map[METADATA_KEY])
        self._tensors = [Tensor(n, DTYPES[n], (None, len(cs)), tuple(cs)) for n, cs in header["inputs"].items()]
        self.outputs = [output.name for output in self._whole.get_outputs()]

    def feeds(self, columns: Columns) -> Answers:
        """Return the arrays of the inputs."""
        return {tensor.name: _fill(tensor, self._coding)(columns) for tensor in self._tensors}

    def answers(self, columns: Columns, *, one_by_one: bool = False) -> Answers:
        """Return all outputs for columns."""
        feeds = self.feeds(columns)
        if not one_by_one:
            return dict(zip(self.outputs, self._whole.run(None, feeds), strict=True))
        n = len(next(iter(columns.values())).values)
        found = [self._whole.run(None, {name: a[i : i + 1] for name, a in feeds.items()}) for i in range(n)]
        return {name: np.concatenate([row[k] for row in found]) for k, name in enumerate(self.outputs)}

    def runner(self, columns: Columns) -> Callable[[], Any]:
        """Return what answers these columns, fed before."""
        feeds = self.feeds(columns)
        return lambda: self._session.run(None, feeds)

    def fed_runner(self, columns: Columns) -> Callable[[], Any]:
        """Return what answers one row from its cells, as the gateway gets them."""
        names = tuple(columns)
        kinds = {name: column.kind for name, column in columns.items()}
        row = [cells(column) for column in columns.values()]
        fills: list[tuple[str, Callable[[Any], Any], Any]] = []
        for tensor in self._tensors:
            cell_fill = _cell_fill(tensor, names, kinds, self._coding)
            fills.append((tensor.name, cell_fill or _fill(tensor, self._coding), row if cell_fill else columns))
        return lambda: self._session.run(None, {name: fill(given) for name, fill, given in fills})


def session(file: bytes) -> Any:
    """Return a session with the settings of the gateway."""
    return ort.InferenceSession(file, options(), providers=["CPUExecutionProvider"])


def gaps(graph: Answers, model: Answers) -> Answers:
    """Return for each output how far each row is apart: True or a number; values relative to their size."""
    found = {}
    for name, wanted in model.items():
        given = np.asarray(graph[name]).reshape(np.shape(wanted))
        if name == "label_index" or wanted.dtype.kind in "iub":
            found["labels"] = (given != wanted).reshape(len(wanted), -1).any(axis=1)
        else:
            size = 1.0 if name == "probabilities" else np.maximum(1.0, np.abs(wanted, dtype=np.float64))
            found[name] = _apart(given / size, wanted / size).reshape(len(wanted), -1).max(axis=1)
    return found


def _apart(given: Any, wanted: Any) -> Any:
    """Return the distance; infinite where one of both is no number."""
    with np.errstate(invalid="ignore"):
        found = np.abs(given - wanted)
    found[(given == wanted) | (np.isnan(given) & np.isnan(wanted))] = 0.0
    found[np.isnan(found)] = np.inf
    return found


def broken(found: Answers, promise: float) -> Any:
    """Return which rows are further apart than promised; ``promise`` is that of values."""
    limits = {"labels": 0, "probabilities": PROBABILITY, "scores": PROBABILITY, "value": promise}
    return np.logical_or.reduce([distance > limits[name] for name, distance in found.items()])


def picked(columns: Columns, rows: Any) -> Columns:
    """Return some rows of columns."""
    return {
        name: Column(c.kind, c.values[rows], None if c.missing is None else c.missing[rows])
        for name, c in columns.items()
    }


def alternated(calls: dict[str, Callable[[], Any]], times: int = _CALLS) -> dict[str, float]:
    """Return the microseconds of each call: the least of the medians of blocks run in turn.

    Blocks in turn because other work on the machine slows all of them for a while; the median is that of a block.
    """
    medians: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    for _block in range(_BLOCKS):
        for name, call in calls.items():
            medians[name].append(_median(call, times))
    return {name: min(found) * 1e6 for name, found in medians.items()}


def _median(call: Callable[[], Any], times: int) -> float:
    taken = []
    for _time in range(times):
        started = time.perf_counter()
        call()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)
