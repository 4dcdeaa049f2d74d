"""A converted graph as the gateway runs it, its distance from the answers of the model, and how long it takes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort

from boucle.adapters.converter import _inside
from boucle.adapters.onnx_runtime import _cell_fill, _fill, feeds_of, options
from boucle.adapters.onnx_terms import tensor_of
from boucle.adapters.onnx_writer import SERVED, assembled, coding_of
from boucle.core.coding import Coding
from boucle.core.errors import InvalidRows
from boucle.core.table import Table, cells
from boucle.packaging.boundary import boundary_rows
from boucle.packaging.ports import Converted, Mark
from boucle_worker.frames import Column, Columns

ALL = ("label_index", "probabilities", "scores", "value")
EXACT, SINGLE = 1e-9, 1e-6
PROBABILITY = 1e-6
_BLOCKS, _CALLS = 7, 150

Answers = dict[str, Any]


class Served:
    """The graph of a description, in this process, on one thread."""

    def __init__(self, header: dict[str, Any], arrays: dict[str, Any]) -> None:
        self.header, self._arrays = header, arrays
        self.file = assembled(header, arrays, SERVED)
        whole = assembled(header, arrays, ALL)
        onnx.checker.check_model(whole)
        self._whole = session(whole)
        self._session = session(self.file)
        self.coding: Coding = coding_of(header)
        self._tensors = tuple(tensor_of(name, columns) for name, columns in header["inputs"].items())
        self.outputs = [output.name for output in self._whole.get_outputs()]

    def boundary(self, columns: Columns, n: int) -> Columns:
        """Return about ``n`` rows where the model changes its mind, as the platform's builds make them."""
        marks = tuple(Mark(m["value"], m["column"], self._arrays[m["thresholds"]]) for m in self.header["marks"])
        inside = _inside(self.header, self._arrays, self._tensors) if marks else None
        signature: Any = None  # nothing asks for it
        made = Converted(self.file, signature, self.coding, marks, inside)
        return dict(boundary_rows(made, Table(columns), n).columns)

    def accepted(self, columns: Columns) -> Any:
        """Return which rows the gateway does not refuse."""
        try:
            self.feeds(columns)
        except InvalidRows:
            n = len(next(iter(columns.values())).values)
            return np.array([self._takes(picked(columns, slice(i, i + 1))) for i in range(n)])
        return np.ones(len(next(iter(columns.values())).values), dtype=bool)

    def _takes(self, columns: Columns) -> bool:
        try:
            self.feeds(columns)
        except InvalidRows:
            return False
        return True

    def feeds(self, columns: Columns) -> Answers:
        """Return the arrays of the inputs. Raises InvalidRows for what the model refuses."""
        return feeds_of(self._tensors, self.coding, columns)

    def answers(self, columns: Columns, *, one_by_one: bool = False) -> Answers:
        """Return all outputs for columns."""
        if not one_by_one:
            return dict(zip(self.outputs, self._whole.run(None, self.feeds(columns)), strict=True))
        n = len(next(iter(columns.values())).values)
        each = [self.feeds(picked(columns, slice(i, i + 1))) for i in range(n)]
        found = [self._whole.run(None, row) for row in each]
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
            cell_fill = _cell_fill(tensor, names, kinds, self.coding)
            fills.append((tensor.name, cell_fill or _fill(tensor, self.coding), row if cell_fill else columns))
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
