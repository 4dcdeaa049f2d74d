"""OnnxConverter: the faithful ONNX of a fitted model, from what its worker tells of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import onnxruntime as ort

from boucle.adapters.onnx_checks import OnnxFiles
from boucle.adapters.onnx_runtime import feeds_of, options
from boucle.adapters.onnx_terms import tensor_of
from boucle.adapters.onnx_writer import assembled, coding_of, marked, recoded
from boucle.core.coding import Coding
from boucle.core.errors import ModelFailed
from boucle.core.i18n import _
from boucle.core.signature import Signature, Tensor
from boucle.core.table import Table
from boucle.packaging.ports import Ask, Cannot, Converted, Inside, Mark
from boucle_worker.frames import Columns
from boucle_worker.stored import unpacked


class OnnxConverter:
    """Assembles and checks the file of a description. It never loads the model."""

    def convert(self, ask: Ask, signature: Signature, rows: Table) -> Converted | Cannot:
        """Return a graph that should answer as the model does, or why there is none. ``rows`` are a few real ones."""
        try:
            reply, columns = ask({"op": "describe"}, rows.columns)
        except ModelFailed as error:
            return Cannot(_("its description failed: {cause}").format(cause=error))
        if "cannot" in reply:
            return Cannot(str(reply["cannot"]))
        try:
            told, arrays = unpacked(columns["description"].values.tobytes()[: reply["bytes"]])
            return converted(told, arrays, signature)
        except Exception as error:  # noqa: BLE001  # a description is data of others: whatever is wrong with it
            return Cannot(_("its description is no graph: {cause}").format(cause=str(error)[:300]))

    def recoded(self, made: Converted, coding: Coding) -> Converted:
        """Return the same graph with another coding: one that knows what the model refuses."""
        return replace(made, file=recoded(made.file, coding), coding=coding)


def converted(told: Mapping[str, Any], arrays: Mapping[str, Any], signature: Signature) -> Converted | Cannot:
    """Return the file of a description that answers as the signature says, or why there is none.

    Raises InvalidGraph, LookupError, TypeError or ValueError for a description that contradicts itself.
    """
    wanted = _wanted(told["outputs"], signature)
    if isinstance(wanted, Cannot):
        return wanted
    file = assembled(told, arrays, wanted)
    facts = OnnxFiles().inspect(file)
    tensors = tuple(tensor_of(name, columns) for name, columns in told["inputs"].items())
    fed = replace(signature, input_tensors=tensors, output_tensors=facts.outputs)
    marks = tuple(Mark(mark["value"], mark["column"], arrays[mark["thresholds"]]) for mark in told["marks"])
    joined = tuple((str(item["value"]), str(item["estimator"])) for item in told["joined"])
    inside = _inside(told, arrays, tensors) if marks or joined else None
    is_single = bool(told["is_single"]) or any(item.dtype.lower() == "float32" for item in signature.inputs)
    return Converted(file, fed, coding_of(told), marks, inside, is_single, joined, tuple(told["supervised"]))


def _wanted(outputs: Mapping[str, Any], signature: Signature) -> tuple[str, ...] | Cannot:
    """Return which outputs of a description make the answer that a signature promises."""
    if signature.probabilities:
        missing = {"label_index", "probabilities"} - set(outputs)
        return Cannot(_("its probabilities have no exact graph")) if missing else ("label_index", "probabilities")
    if "label_index" in outputs:
        return ("label_index",)
    if "value" in outputs and len(outputs["value"]["shape"]) == 1:
        return ("value",)
    return Cannot(_("it answers several values a row"))


def _inside(told: Mapping[str, Any], arrays: Mapping[str, Any], tensors: tuple[Tensor, ...]) -> Inside:
    session: Any = None
    names = list(dict.fromkeys(item["value"] for item in (*told["marks"], *told["joined"])))
    coding = coding_of(told)

    def inside(columns: Columns) -> dict[str, Any]:
        nonlocal session
        if session is None:
            session = ort.InferenceSession(marked(told, arrays), options(), providers=["CPUExecutionProvider"])
        used = {item.name for item in session.get_inputs()}
        feeds = {name: array for name, array in feeds_of(tensors, coding, columns).items() if name in used}
        found = session.run([f"at-{name}" for name in names], feeds)
        return {name: np.asarray(values) for name, values in zip(names, found, strict=True)}

    return inside
