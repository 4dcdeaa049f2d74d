"""Does the graph of a fitted model answer as the model? The whole way of a build, in this process."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort

from boucle.adapters.onnx_runtime import _fill
from boucle.adapters.onnx_terms import tensor_of
from boucle.adapters.onnx_writer import assembled
from boucle.client.capture.rows import read_rows
from boucle.core.coding import METADATA_KEY, read_coding
from boucle.core.table import Table
from boucle_worker.describe import Description, describe
from boucle_worker.feeds import builder
from boucle_worker.frames import Columns

ALL = ("label_index", "probabilities", "scores", "value")


@dataclass
class Found:
    """How far graph and model are apart on ``rows`` rows; ``model`` is the ONNX file."""

    rows: int
    labels: int
    probabilities: float
    scores: float
    value: float
    model: bytes
    description: Description
    has_labels: bool = False

    @property
    def is_exact(self) -> bool:
        """True when no label differs, and numbers by less than the promise."""
        is_compared = self.has_labels or max(self.probabilities, self.scores, self.value) >= 0
        return (
            self.rows > 0
            and is_compared
            and self.labels == 0
            and max(self.probabilities, 0.0) <= 1e-6
            and max(self.value, 0.0) <= 1e-9
            and max(self.scores, 0.0) <= 1e-6
        )


def compared(model: Any, example: Any, *more: Any) -> Found:
    """Return how the graph of a fitted model answers to the example and more rows. Raises Cannot.

    ``example`` gives the signature; all are containers of raw rows as the model takes them. ``value`` is relative to
    the size of the answers.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read = read_rows(example, strict=False)
        signature = {"feed": read.feed, "inputs": [asdict(item) for item in read.inputs]}
        build = builder(signature)
        description = describe(model, signature, build, read.table.columns)
        file = assembled(description.header(), description.arrays, ALL)
        found = Found(0, 0, -1.0, -1.0, -1.0, file, description)
        for rows in (example, *more):
            table = read.table if rows is example else read_rows(rows, strict=False).table
            _compare(found, model, build(table.columns), answers(file, description, table.columns))
            found.rows += table.n_rows
    return found


def answers(file: bytes, description: Description, columns: Columns) -> dict[str, Any]:
    """Return the outputs of the file for raw columns, fed as the gateway feeds them."""
    onnx.checker.check_model(file)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    coding = read_coding(session.get_modelmeta().custom_metadata_map[METADATA_KEY])
    feeds = {}
    for name, told in description.inputs.items():
        feeds[name] = _fill(tensor_of(name, told), coding)(columns)
    outputs = [output.name for output in session.get_outputs()]
    return dict(zip(outputs, session.run(None, feeds), strict=True))


def _compare(found: Found, model: Any, rows: Any, graph: dict[str, Any]) -> None:
    if "label_index" in graph:
        found.has_labels = True
        classes = np.asarray(model.classes_)
        found.labels += int((classes[graph["label_index"]] != model.predict(rows)).sum())
    if "probabilities" in graph:
        found.probabilities = max(found.probabilities, _gap(graph["probabilities"], model.predict_proba(rows)))
    if "scores" in graph and hasattr(model, "decision_function"):
        wanted = np.asarray(model.decision_function(rows), dtype=np.float64)
        found.scores = max(found.scores, _gap(graph["scores"].reshape(wanted.shape), wanted))
    if "value" in graph:
        wanted = np.asarray(model.predict(rows))
        if wanted.dtype.kind in "iu":
            found.has_labels = True
            found.labels += int((graph["value"].reshape(wanted.shape) != wanted).sum())
        else:
            size = np.maximum(1.0, np.abs(wanted))
            found.value = max(found.value, _gap(graph["value"].reshape(wanted.shape) / size, wanted / size))


def _gap(one: Any, other: Any) -> float:
    """Return the largest difference; infinite when only one of both is a number."""
    one, other = np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)
    if one.shape != other.shape or (np.isnan(one) != np.isnan(other)).any():
        return float("inf")
    gap = np.abs(one - other)
    gap[(one == other) | np.isnan(one)] = 0.0
    return float(gap.max()) if gap.size else 0.0


def table_of(rows: Any) -> Table:
    """Return rows of any library as a table."""
    return read_rows(rows, strict=False).table


__all__: Sequence[str] = ("ALL", "Found", "answers", "compared", "table_of")
