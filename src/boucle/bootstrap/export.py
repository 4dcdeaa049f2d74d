"""export: the ONNX file of a fitted model, alone: for Java, C#, Scala, a phone, or any other onnxruntime."""

from __future__ import annotations

import dataclasses
import os
import time
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from boucle.adapters.converter import converted
from boucle.adapters.onnx_alone import CannotStandAlone, alone, answers_alone
from boucle.adapters.onnx_checks import OnnxFiles
from boucle.core.check import Check
from boucle.core.coding import Coding
from boucle.core.errors import BoucleError, ModelFailed
from boucle.core.i18n import _
from boucle.core.signature import Signature, Tensor
from boucle.core.table import Table, missing_mask
from boucle.packaging.boundary import boundary_rows
from boucle.packaging.graph import listed
from boucle.packaging.limits import with_limits
from boucle.packaging.ports import Cannot as NoGraph
from boucle.packaging.ports import Predict
from boucle.packaging.proof import Terms, prove
from boucle_worker.answers import answer
from boucle_worker.describe import Cannot, Description, describe
from boucle_worker.feeds import builder


@dataclass(frozen=True)
class Exported:
    """A file that stands alone, and what was proven of it."""

    path: Path
    size_bytes: int
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    proof: Check

    def __str__(self) -> str:
        """Return what a terminal shows."""
        first = _("{path}: {size:.0f} kB, {proof}")
        told = [first.format(path=self.path, size=self.size_bytes / 1000, proof=self.proof.observed)]
        told += [_("takes {tensor}").format(tensor=listed([tensor])) for tensor in self.inputs]
        told += [_("gives {tensor}").format(tensor=listed([tensor])) for tensor in self.outputs]
        return "\n".join(told)


def written(model: Any, path: Path, signature: Signature, rows: Table) -> Exported:
    """Write a fitted model as a file that stands alone, once it is proven on these rows and on others made for it.

    ``signature`` is what the notebook found out of the model. Raises CannotConvert; nothing is written then.
    """
    told = _described(model, signature, rows)
    try:
        file = alone(told.header(), told.arrays, signature)
    except CannotStandAlone as cannot:
        raise CannotConvert(type(model).__name__, cannot.reason) from cannot
    facts = OnnxFiles().inspect(file)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the proof asks about infinities and the like, on purpose
        proof = _proof(model, told, file, (signature, rows))
    _put(path, file)
    return Exported(path, len(file), facts.inputs, facts.outputs, proof)


def _put(path: Path, file: bytes) -> None:
    """Write a file at once: whoever reads the one of before never sees half of this one."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(file)
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise CannotWrite(path, error) from error


class CannotWrite(BoucleError):
    """A file that cannot be put where it was asked for."""

    code = "cannot-write"

    def __init__(self, path: Path, cause: OSError) -> None:
        self.path = path
        super().__init__(
            _("{path} cannot be written: {cause}. Give a file in a folder that is there.").format(
                path=path, cause=cause.strerror or cause
            )
        )


class CannotConvert(BoucleError):
    """A model that has no exact graph."""

    code = "cannot-convert"

    def __init__(self, model: str, reason: str) -> None:
        self.model, self.reason = model, reason
        text = _("{model} cannot be written as ONNX: {reason}. `boucle deploy` serves it in its own Python.")
        super().__init__(text.format(model=model, reason=reason))


def _described(model: Any, signature: Signature, rows: Table) -> Description:
    told = asdict(signature)
    try:
        return describe(model, told, builder(told), rows.take(slice(0, 1)).columns)
    except Cannot as cannot:
        raise CannotConvert(type(model).__name__, cannot.reason) from cannot
    except Exception as error:  # a release of a library that keeps its model in another way
        reason = _("its description failed: {cause}").format(cause=f"{type(error).__name__}: {error}"[:300])
        raise CannotConvert(type(model).__name__, reason) from error


def _proof(model: Any, told: Description, file: bytes, asked: tuple[Signature, Table]) -> Check:
    """Return the Check of the file beside the model. Raises CannotConvert when it is not proven."""
    signature, rows = asked
    made = converted(told.header(), told.arrays, signature)
    if isinstance(made, NoGraph):
        raise CannotConvert(type(model).__name__, made.reason)
    by_model = _predict(model, asdict(signature))
    coding = with_limits(by_model, rows, made.coding, time.perf_counter)
    made = dataclasses.replace(made, coding=coding)
    groups = {
        "sample": _taken(by_model, rows, coding),
        "generated": _taken(by_model, boundary_rows(made, rows), coding),
    }
    terms = Terms(signature.task, is_single=made.is_single)
    proof = prove(by_model, answers_alone(file, signature), groups, terms)
    if not proof.is_proven:
        raise CannotConvert(type(model).__name__, proof.check().observed)
    return proof.check()


def _predict(model: Any, signature: dict[str, Any]) -> Predict:
    """Return what asks the model here as its worker asks it elsewhere."""
    build = builder(signature)

    def predict(rows: Table) -> Table:
        try:
            return Table(answer(model, build(rows.columns), rows.n_rows, signature))
        except Exception as error:
            raise ModelFailed(str(error), "predict", type(error).__name__) from error

    return predict


def _taken(model: Predict, rows: Table, coding: Coding) -> Table:
    """Return the rows that the model takes and a file alone can be told: it refuses no number itself."""
    can_be_told = np.ones(rows.n_rows, bool)
    for name, column in rows.columns.items():
        if column.kind == "text":  # the empty text says missing there, unless it is a value of its own
            untold = None if "" in coding.vocabularies.get(name, ()) else ""
            can_be_told &= np.array([cell != untold for cell in column.values], bool)
        elif column.kind == "bool":
            can_be_told &= ~missing_mask(column)
    rows = rows.take(can_be_told)
    kept = [row for chunk in np.array_split(np.arange(rows.n_rows), 20) for row in _answered(model, rows, chunk)]
    return rows.take(np.array(kept, dtype=np.int64))


def _answered(model: Predict, rows: Table, which: Any) -> list[int]:
    if not len(which):
        return []
    try:
        model(rows.take(which))
    except ModelFailed:
        if len(which) == 1:
            return []
        middle = len(which) // 2
        return _answered(model, rows, which[:middle]) + _answered(model, rows, which[middle:])
    return [int(row) for row in which]
