"""Does the graph of a fitted transformer give the columns that its transform gives?"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import onnxruntime as ort

from boucle.adapters.onnx_codes import NUMBERS
from boucle.adapters.onnx_writer import assembled
from boucle_worker.describe.description import pruned, rules
from boucle_worker.describe.frame import Codes, as_value
from boucle_worker.describe.graph import Graph
from boucle_worker.describe.writer import Writer


def gap(transformer: Any, *matrices: Any) -> float:
    """Return the largest difference, relative above 1, over matrices of the dtype that it was fitted on.

    Infinite where only one of both is NaN, raises an error, or is said to be sparse.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return max(_gap(transformer, matrix) for matrix in matrices)


def _gap(transformer: Any, matrix: Any) -> float:
    session, taken, is_sparse = _session(transformer, matrix)
    rows = (matrix.toarray() if hasattr(matrix, "toarray") else matrix)[:, taken]
    try:
        wanted = transformer.transform(matrix)
    except ValueError:
        return 0.0 if _fails(session, rows) else float("inf")
    if hasattr(wanted, "toarray") != is_sparse:
        return float("inf")
    wanted = np.asarray(wanted.toarray() if is_sparse else wanted, np.float64)
    found = session.run(None, {NUMBERS: rows.astype(np.float64)})[0].astype(np.float64)
    if found.shape != wanted.shape or (np.isnan(found) != np.isnan(wanted)).any():
        return float("inf")
    is_same = (found == wanted) | np.isnan(wanted)
    gaps = np.zeros(wanted.shape)
    gaps[~is_same] = np.abs(found[~is_same] - wanted[~is_same]) / np.maximum(1.0, np.abs(wanted[~is_same]))
    return float(gaps.max()) if gaps.size else 0.0


def nearby(values: Any) -> Any:
    """Return numbers, and the three doubles before and after each."""
    around = [np.asarray(values, np.float64).ravel()]
    for direction in (-np.inf, np.inf):
        moved = around[0]
        for _step in range(3):
            moved = np.nextafter(moved, direction)
            around.append(moved)
    return np.concatenate(around)


def _session(transformer: Any, matrix: Any) -> Any:
    graph = Graph()
    width = matrix.shape[1]
    x = graph.input(NUMBERS, np.float64, (None, width)).astype(matrix.dtype).sparse(hasattr(matrix, "tocsr"))
    y = as_value(Writer(graph, rules()).transform(transformer, x), "test")
    told = pruned(graph, {NUMBERS: [f"x{j}" for j in range(width)]}, {"value": y}, Codes(graph, {}, {}))
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    file = assembled(told.header(), told.arrays, ("value",))
    taken = [int(name[1:]) for name in told.inputs[NUMBERS]]  # columns that nothing needs are no input
    return ort.InferenceSession(file, options, providers=["CPUExecutionProvider"]), taken, y.is_sparse


def _fails(session: Any, rows: Any) -> bool:
    try:
        session.run(None, {NUMBERS: rows.astype(np.float64)})
    except Exception:  # noqa: BLE001  # onnxruntime's own kinds of error have no common name
        return True
    return False
