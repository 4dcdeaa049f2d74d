"""Which columns feed which tensor of an ONNX graph, and what its outputs mean.

A pure function of the tensor descriptions; no ONNX library is needed. Rules, the first that applies:

1. the notebook told which columns fill each tensor: that, once it is seen to fit;
2. each tensor is one column wide and bears the name of a column (spaces and the like may be ``_``);
3. one tensor takes all columns, in their order;
4. one tensor takes all numbers and another all texts, each in their order.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from boucle.core.errors import shown
from boucle.core.i18n import _
from boucle.core.signature import Input, Signature, Tensor
from boucle.core.table import Table, cells

TEXT_DTYPE = "str"
INTEGER_DTYPES = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32")
NUMBER_DTYPES = ("float16", "float32", "float64", *INTEGER_DTYPES, "bool")
NUMBER_KINDS = ("float", "int", "bool")


@dataclass(frozen=True)
class GraphFacts:
    """What can be read off a graph without running it.

    ``inputs`` and ``outputs`` are its tensors (without columns); ``labels`` are the classes that a classifier node
    of the graph names, None when none does; ``opsets`` maps each domain (``ai.onnx`` is ``""``) to its version.
    """

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    opsets: dict[str, int]
    ir_version: int
    labels: tuple[Any, ...] | None = None


class CannotFeed(Exception):
    """The columns do not fit the tensors. ``cure`` says what to do."""

    def __init__(self, reason: str, cure: str) -> None:
        self.reason, self.cure = reason, cure
        super().__init__(reason)


def fed(signature: Signature, facts: GraphFacts) -> Signature:
    """Return the signature with its tensors, each input tensor with its columns.

    Raises CannotFeed saying which tensor or column does not fit.
    """
    for tensor in facts.inputs:
        _require_row_by_row(tensor)
    tensors = _told(signature, facts) or _mapped(signature.inputs, facts.inputs)
    by_name = {item.name: item for item in signature.inputs}
    for tensor in tensors:
        _require_width(tensor)
        for name in tensor.columns:
            _require_kind(tensor, by_name[name])
    return replace(signature, feed="onnx", input_tensors=tensors, output_tensors=facts.outputs)


def answered(signature: Signature, facts: GraphFacts, answers: Table) -> Signature:
    """Return the signature with what a first run of the graph showed: kind of answer, task, classes."""
    kind = answers.columns["prediction"].kind
    probabilities = answers.columns.get("probabilities")
    is_classification = probabilities is not None or kind in ("text", "bool") or signature.task == "classification"
    classes = _classes(signature, facts, answers) if is_classification else None
    return replace(
        signature,
        task="classification" if is_classification else "regression",
        prediction_kind=kind,
        classes=classes,
        probabilities=probabilities is not None,
    )


def _classes(signature: Signature, facts: GraphFacts, answers: Table) -> tuple[Any, ...] | None:
    """Return the labels in the order of the probabilities: told, named by the graph, or proven to be 0 … k-1."""
    if "probabilities" not in answers.columns:
        return signature.classes or facts.labels
    values = answers.columns["probabilities"].values
    for labels in (signature.classes, facts.labels):
        if labels is not None and len(labels) == values.shape[1]:
            return labels
    predictions = np.array(cells(answers.columns["prediction"]), dtype=object)
    is_position = bool((predictions == values.argmax(axis=1)).all())
    return tuple(range(values.shape[1])) if is_position else None


def _require_row_by_row(tensor: Tensor) -> None:
    if not 1 <= len(tensor.shape) <= 2:
        raise CannotFeed(
            _("input {name} has the shape {shape}; rows fill tensors of shape (rows, columns)").format(
                name=shown(tensor.name), shape=_shape(tensor)
            ),
            _("Export the graph so that it takes one row of columns per answer."),
        )
    if tensor.shape[0] is not None:
        raise CannotFeed(
            _("input {name} takes exactly {n} row(s)").format(name=shown(tensor.name), n=tensor.shape[0]),
            _("Export the graph with a free first axis, so that requests of any number of rows can be answered."),
        )
    if tensor.dtype != TEXT_DTYPE and tensor.dtype not in NUMBER_DTYPES:
        raise CannotFeed(
            _("input {name} holds {dtype}, which no column can be").format(
                name=shown(tensor.name), dtype=shown(tensor.dtype)
            ),
            _("Export the graph with inputs of numbers or text."),
        )


def _told(signature: Signature, facts: GraphFacts) -> tuple[Tensor, ...]:
    """Return the graph's tensors with the columns that the notebook told, or () when it told none."""
    if not signature.input_tensors or not any(tensor.columns for tensor in signature.input_tensors):
        return ()
    told = {tensor.name: tensor.columns for tensor in signature.input_tensors}
    names = {item.name for item in signature.inputs}
    if set(told) != {tensor.name for tensor in facts.inputs} or any(not names.issuperset(c) for c in told.values()):
        raise CannotFeed(
            _("the notebook told of the inputs {told}, the file has {found}").format(
                told=shown(told), found=_listed(facts.inputs)
            ),
            _("Deploy again without naming tensors, or name those of the file."),
        )
    return tuple(replace(tensor, columns=told[tensor.name]) for tensor in facts.inputs)


def _mapped(inputs: Sequence[Input], tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    mapped = _by_name(inputs, tensors) or _all_in_one(inputs, tensors) or _numbers_and_texts(inputs, tensors)
    if mapped:
        return mapped
    raise CannotFeed(
        _("the {n} columns of the example ({columns}) do not fit the inputs of the file: {tensors}").format(
            n=len(inputs), columns=shown([item.name for item in inputs]), tensors=_listed(tensors)
        ),
        _("Give as example the rows the file takes: one column per input, of the same name, or one matrix."),
    )


def _by_name(inputs: Sequence[Input], tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    names = {_plain(item.name): item.name for item in inputs}
    if len(names) < len(inputs) or {_plain(tensor.name) for tensor in tensors} != set(names):
        return ()
    if len(tensors) != len(inputs) or any(_width(tensor) not in (1, None) for tensor in tensors):
        return ()
    return tuple(replace(tensor, columns=(names[_plain(tensor.name)],)) for tensor in tensors)


def _all_in_one(inputs: Sequence[Input], tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    if len(tensors) != 1 or _width(tensors[0]) not in (len(inputs), None):
        return ()
    return (replace(tensors[0], columns=tuple(item.name for item in inputs)),)


def _numbers_and_texts(inputs: Sequence[Input], tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    if sorted(tensor.dtype == TEXT_DTYPE for tensor in tensors) != [False, True]:
        return ()
    mapped = []
    for tensor in tensors:
        is_text = tensor.dtype == TEXT_DTYPE
        names = tuple(item.name for item in inputs if (item.kind == "text") == is_text)
        if _width(tensor) not in (len(names), None):
            return ()
        mapped.append(replace(tensor, columns=names))
    return tuple(mapped)


def _require_width(tensor: Tensor) -> None:
    if _width(tensor) not in (len(tensor.columns), None):
        raise CannotFeed(
            _("input {name} takes {width} columns, {n} were named for it").format(
                name=shown(tensor.name), width=_width(tensor), n=len(tensor.columns)
            ),
            _("Name as many columns as the input takes."),
        )


def _require_kind(tensor: Tensor, item: Input) -> None:
    fits = item.kind == "text" if tensor.dtype == TEXT_DTYPE else item.kind in NUMBER_KINDS
    if not fits:
        raise CannotFeed(
            _("column {column} is {kind}, but input {name} takes {dtype}").format(
                column=shown(item.name), kind=item.kind, name=shown(tensor.name), dtype=tensor.dtype
            ),
            _("Export the graph together with its preparation, or deploy the pipeline itself: it takes raw rows."),
        )


def _width(tensor: Tensor) -> int | None:
    """Return how many columns fill a tensor: 1 for shape ``(rows,)``, None when the axis is free."""
    return 1 if len(tensor.shape) == 1 else tensor.shape[1]


def _plain(name: str) -> str:
    return re.sub(r"[^0-9A-Za-z]", "_", name)


def _shape(tensor: Tensor) -> str:
    return "(" + ", ".join("?" if size is None else str(size) for size in tensor.shape) + ")"


def _listed(tensors: Sequence[Tensor]) -> str:
    more = ", …" if len(tensors) > 5 else ""
    return ", ".join(f"{tensor.name[:80]} {tensor.dtype}{_shape(tensor)}" for tensor in tensors[:5]) + more
