"""Which columns feed which tensor of an ONNX graph, and what its outputs mean.

A pure function of the tensor descriptions; no ONNX library is needed. Rules, the first that applies:

1. the notebook told which columns fill each tensor: that, once it is seen to fit;
2. each tensor is one column wide and bears the name of a column (spaces and the like may be ``_``);
3. one tensor takes all columns, in their order;
4. one tensor takes all numbers and another all texts, each in their order.

Of a model that answers windows (``graph_windows``), tensors have an axis more, that of the window's rows.
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
    tensors = told(signature, facts) or _mapped(signature.inputs, facts.inputs)
    for tensor in tensors:
        require_width(tensor, width_of(tensor))
    return with_tensors(signature, facts, tensors)


def with_tensors(signature: Signature, facts: GraphFacts, tensors: tuple[Tensor, ...]) -> Signature:
    """Return the signature with these input tensors, once each column is seen to be of their kind."""
    by_name = {item.name: item for item in signature.inputs}
    for tensor in tensors:
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
                name=shown(tensor.name), shape=shape_of(tensor)
            ),
            _("Export the graph so that it takes one row of columns per answer."),
        )
    if tensor.shape[0] is not None:
        raise CannotFeed(
            _("input {name} takes exactly {n} row(s)").format(name=shown(tensor.name), n=tensor.shape[0]),
            _("Export the graph with a free first axis, so that requests of any number of rows can be answered."),
        )
    require_dtype(tensor)


def require_dtype(tensor: Tensor) -> None:
    """Raise CannotFeed for a tensor of neither numbers nor text."""
    if tensor.dtype != TEXT_DTYPE and tensor.dtype not in NUMBER_DTYPES:
        raise CannotFeed(
            _("input {name} holds {dtype}, which no column can be").format(
                name=shown(tensor.name), dtype=shown(tensor.dtype)
            ),
            _("Export the graph with inputs of numbers or text."),
        )


def told(signature: Signature, facts: GraphFacts, *, of_all: bool = True) -> tuple[Tensor, ...]:
    """Return the graph's tensors with the columns and units that the notebook told, or () when it told none.

    With ``of_all`` it must have told of every tensor, if of any; else those it told of are returned. Raises CannotFeed
    when it told of other tensors, or of columns that are not there.
    """
    if not signature.input_tensors or not any(tensor.columns for tensor in signature.input_tensors):
        return ()
    named = {tensor.name: tensor for tensor in signature.input_tensors}
    there = {tensor.name for tensor in facts.inputs}
    if set(named) != there if of_all else set(named) - there:
        raise CannotFeed(
            _("the notebook told of the inputs {told}, the file has {found}").format(
                told=shown({name: tensor.columns for name, tensor in named.items()}), found=listed(facts.inputs)
            ),
            _("Deploy again without naming tensors, or name those of the file."),
        )
    names = {item.name for item in signature.inputs}
    strangers = [name for tensor in named.values() for name in tensor.columns if name not in names]
    if strangers:
        raise CannotFeed(
            _("the notebook told of the columns {strangers}, which the example does not have").format(
                strangers=shown(strangers)
            ),
            _("Name columns of the example: {columns}").format(columns=shown(sorted(names))),
        )
    return tuple(
        replace(tensor, columns=named[tensor.name].columns, unit=named[tensor.name].unit)
        for tensor in facts.inputs
        if tensor.name in named
    )


def _mapped(inputs: Sequence[Input], tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    mapped = _by_name(inputs, tensors) or _all_in_one(inputs, tensors) or _numbers_and_texts(inputs, tensors)
    if mapped:
        return mapped
    raise CannotFeed(
        _("the {n} columns of the example ({columns}) do not fit the inputs of the file: {tensors}").format(
            n=len(inputs), columns=shown([item.name for item in inputs]), tensors=listed(tensors)
        ),
        _("Give as example the rows the file takes: one column per input, of the same name, or one matrix."),
    )


def _by_name(inputs: Sequence[Input], tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    names = {plain(item.name): item.name for item in inputs}
    if len(names) < len(inputs) or {plain(tensor.name) for tensor in tensors} != set(names):
        return ()
    if len(tensors) != len(inputs) or any(width_of(tensor) not in (1, None) for tensor in tensors):
        return ()
    return tuple(replace(tensor, columns=(names[plain(tensor.name)],)) for tensor in tensors)


def _all_in_one(inputs: Sequence[Input], tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    if len(tensors) != 1 or width_of(tensors[0]) not in (len(inputs), None):
        return ()
    return (replace(tensors[0], columns=tuple(item.name for item in inputs)),)


def _numbers_and_texts(inputs: Sequence[Input], tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    if sorted(tensor.dtype == TEXT_DTYPE for tensor in tensors) != [False, True]:
        return ()
    mapped = []
    for tensor in tensors:
        is_text = tensor.dtype == TEXT_DTYPE
        names = tuple(item.name for item in inputs if (item.kind == "text") == is_text)
        if width_of(tensor) not in (len(names), None):
            return ()
        mapped.append(replace(tensor, columns=names))
    return tuple(mapped)


def require_width(tensor: Tensor, width: int | None) -> None:
    """Raise CannotFeed unless a tensor of so many columns (None: any number but 0) has as many named for it."""
    if not tensor.columns or width not in (len(tensor.columns), None):
        raise CannotFeed(
            _("input {name} takes {width} columns, {n} were named for it").format(
                name=shown(tensor.name), width=_("some") if width is None else width, n=len(tensor.columns)
            ),
            _("Name as many columns as the input takes."),
        )


def fits(tensor: Tensor, item: Input) -> bool:
    """Return whether a column can feed a tensor: dates feed integers once their unit is told."""
    if tensor.dtype == TEXT_DTYPE:
        return item.kind == "text"
    return item.kind in NUMBER_KINDS or (item.kind == "datetime" and tensor.dtype == "int64" and bool(tensor.unit))


def _require_kind(tensor: Tensor, item: Input) -> None:
    if fits(tensor, item):
        return
    if item.kind == "datetime" and tensor.dtype == "int64":
        raise CannotFeed(
            _("column {column} is datetime, but input {name} takes int64: in which unit since 1970?").format(
                column=shown(item.name), name=shown(tensor.name)
            ),
            _("Tell the unit (s, ms, us or ns) of that input, and the columns of the others: {code}").format(
                code=f'tensors={{"{tensor.name[:80]}": ("{item.name[:80]}", "ms"), …}}'
            ),
        )
    raise CannotFeed(
        _("column {column} is {kind}, but input {name} takes {dtype}").format(
            column=shown(item.name), kind=item.kind, name=shown(tensor.name), dtype=tensor.dtype
        ),
        _("Export the graph together with its preparation, or deploy the pipeline itself: it takes raw rows."),
    )


def width_of(tensor: Tensor) -> int | None:
    """Return how many columns fill a tensor: 1 for shape ``(rows,)``, None when the axis is free."""
    return 1 if len(tensor.shape) == 1 else tensor.shape[1]


def plain(name: str) -> str:
    """Return a name as the input of a graph may spell it."""
    return re.sub(r"[^0-9A-Za-z]", "_", name)


def shape_of(tensor: Tensor) -> str:
    """Return a shape as people read it: ``(?, 120, 4)``."""
    return "(" + ", ".join("?" if size is None else str(size) for size in tensor.shape) + ")"


def listed(tensors: Sequence[Tensor]) -> str:
    """Return tensors as people read them, five at most."""
    more = ", …" if len(tensors) > 5 else ""
    return ", ".join(f"{tensor.name[:80]} {tensor.dtype}{shape_of(tensor)}" for tensor in tensors[:5]) + more
