"""A fitted model in this process, the graph made of it, and what a build needs to prove one by the other."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from boucle.adapters.converter import converted
from boucle.adapters.onnx_runtime import OnnxGraph
from boucle.adapters.onnx_writer import recoded
from boucle.client.capture.rows import read_rows
from boucle.core.coding import Coding
from boucle.core.errors import ModelFailed
from boucle.core.signature import Input, Signature
from boucle.core.table import Table
from boucle.packaging.ports import Converted
from boucle_worker.answers import answer, classes_of
from boucle_worker.describe import describe
from boucle_worker.feeds import builder


@dataclass
class Bench:
    """``predict`` asks the model as its worker would; ``told`` and ``arrays`` describe its graph."""

    model: Any
    rows: Table
    signature: Signature
    told: dict[str, Any]
    arrays: dict[str, Any]
    calls: int = 0

    def predict(self, rows: Table) -> Table:
        """Answer rows. Raises ModelFailed with what the model raised."""
        self.calls += 1
        told = _told(self.signature)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return Table(answer(self.model, builder(told)(rows.columns), rows.n_rows, told))
            except Exception as error:  # the model's code may raise anything
                raise ModelFailed(str(error), "predict", type(error).__name__) from error

    def made(self, arrays: Mapping[str, Any] | None = None) -> Converted:
        """Return the graph, or another of other arrays."""
        found = converted(self.told, arrays or self.arrays, self.signature)
        assert isinstance(found, Converted), found
        return found


def bench(model: Any, example: Any) -> Bench:
    """Describe a fitted model; ``example`` are raw rows as it takes them."""
    read = read_rows(example, strict=False)
    is_classifier = hasattr(model, "classes_")
    kinds = {"U": "text", "O": "text", "f": "float", "i": "int", "b": "bool"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kind = kinds[model.predict(example[:3]).dtype.kind]
    signature = Signature(
        read.feed,
        tuple(Input(**asdict(item)) for item in read.inputs),
        "classification" if is_classifier else "regression",
        kind,
        classes=tuple(classes_of(model) or ()) if is_classifier else None,
        probabilities=is_classifier and hasattr(model, "predict_proba"),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        description = describe(model, _told(signature), builder(_told(signature)), read.table.columns)
    return Bench(model, read.table, signature, description.header(), dict(description.arrays))


def opened(made: Converted, coding: Coding | None = None) -> Any:
    """Return what answers rows by the graph, which carries ``coding`` where one is given."""
    file = made.file if coding is None else recoded(made.file, coding)
    graph = OnnxGraph(file, made.signature)
    graph.load()
    return lambda rows: Table(graph.predict(rows.columns))


def limited(made: Converted, coding: Coding) -> Converted:
    """Return the graph with the limits that were found."""
    return replace(made, file=recoded(made.file, coding), coding=coding)


def _told(signature: Signature) -> dict[str, Any]:
    return asdict(signature)
