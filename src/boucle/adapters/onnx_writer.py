"""assembled: the ONNX file of a description that a model's worker made. Nothing of the model is loaded here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from boucle.adapters.onnx_terms import tensor_of
from boucle.core.coding import METADATA_KEY, Coding

OPSETS = {"": 17, "ai.onnx.ml": 5}
IR_VERSION = 10
SERVED = ("label_index", "probabilities", "value")


def assembled(told: Mapping[str, Any], arrays: Mapping[str, Any], outputs: Sequence[str] = SERVED) -> bytes:
    """Return the file of a description, with those of its outputs that are wanted.

    ``told`` is the header of a ``Description`` of the worker. Raises KeyError or ValueError when it contradicts itself.
    """
    return _file(told, arrays, {name: value for name, value in told["outputs"].items() if name in outputs})


def marked(told: Mapping[str, Any], arrays: Mapping[str, Any]) -> bytes:
    """Return the file that answers with the values that the build looks at, each under its own name.

    They are those at which the model changes its mind, and those whose columns should be of like scales.
    """
    wanted = {
        f"at-{mark['value']}": {"value": mark["value"], "dtype": mark["dtype"], "shape": [None, None]}
        for mark in (*told["marks"], *told["joined"])
    }
    return _file(_up_to(told, {value["value"] for value in wanted.values()}), arrays, wanted)


def _up_to(told: Mapping[str, Any], values: set[str]) -> dict[str, Any]:
    """Return a description less the nodes that those values do not need: onnxruntime would run them."""
    needed = set(values)
    nodes = []
    for node in reversed(told["nodes"]):
        if needed & set(node["outputs"]):
            nodes.append(node)
            needed.update(node["inputs"])
    inputs = {name: columns for name, columns in told["inputs"].items() if name in needed}
    outputs = {name: {"value": name} for name in values}
    return {**told, "nodes": nodes[::-1], "inputs": inputs, "outputs": outputs}


def _file(told: Mapping[str, Any], arrays: Mapping[str, Any], wanted: Mapping[str, Any]) -> bytes:
    nodes = [node_of(node, arrays) for node in told["nodes"]]
    nodes += [helper.make_node("Identity", [output["value"]], [name]) for name, output in wanted.items()]
    graph = helper.make_graph(
        nodes,
        "boucle",
        [input_of(name, columns) for name, columns in told["inputs"].items()],
        [output_of(name, output["dtype"], output["shape"]) for name, output in wanted.items()],
        constants_of(told, arrays),
    )
    return file_of(graph, {METADATA_KEY: coding_of(told).to_text()})


def file_of(graph: GraphProto, metadata: Mapping[str, str]) -> bytes:
    """Return the bytes of a graph as a file of the operators that descriptions use."""
    model: ModelProto = helper.make_model(
        graph,
        producer_name="boucle",
        opset_imports=[helper.make_opsetid(domain, version) for domain, version in OPSETS.items()],
        ir_version=IR_VERSION,
    )
    helper.set_model_props(model, dict(metadata))
    return bytes(model.SerializeToString())


def recoded(file: bytes, coding: Coding) -> bytes:
    """Return an assembled file that carries another coding: one with the limits that were found since."""
    model = onnx.load_model_from_string(file)
    metadata = {item.key: item.value for item in model.metadata_props}
    helper.set_model_props(model, {**metadata, METADATA_KEY: coding.to_text()})
    return bytes(model.SerializeToString())


def coding_of(told: Mapping[str, Any]) -> Coding:
    """Return how the cells of columns become the codes of a description."""
    return Coding(
        {name: tuple(values) for name, values in told["vocabularies"].items()},
        {name: tuple(codes) for name, codes in told["refused"].items()},
        texts=dict(told.get("texts", {})),
    )


def constants_of(told: Mapping[str, Any], arrays: Mapping[str, Any], prefix: str = "") -> list[TensorProto]:
    """Return the arrays that nodes take as inputs (those in attributes are written with their node)."""
    taken = {name for node in told["nodes"] for name in node["inputs"]}
    taken |= {output["value"] for output in told["outputs"].values()}
    return [numpy_helper.from_array(array, prefix + name) for name, array in arrays.items() if name in taken]


def input_of(name: str, columns: Sequence[str]) -> Any:
    """Return the declaration of an input."""
    tensor = tensor_of(name, columns)
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(tensor.dtype)), tensor.shape)


def output_of(name: str, dtype: str, shape: Sequence[int | None]) -> Any:
    """Return the declaration of an output."""
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape)


def node_of(told: Mapping[str, Any], arrays: Mapping[str, Any], prefix: str = "") -> NodeProto:
    """Return a node of a description; ``prefix`` is put before the name of each value."""
    inputs, outputs = ([prefix + name for name in told[side]] for side in ("inputs", "outputs"))
    node = helper.make_node(told["op"], inputs, outputs, domain=told["domain"])
    for name, value in told["attributes"].items():
        is_dtype = told["op"] == "Cast" and name == "to"
        written = helper.np_dtype_to_tensor_dtype(np.dtype(value)) if is_dtype else value
        node.attribute.append(helper.make_attribute(name, written))
    for name, place in told["tensors"].items():
        kind, _colon, array = place.rpartition(":")
        found = arrays[array]
        node.attribute.append(
            helper.make_attribute(name, found.tolist() if kind == "ints" else numpy_helper.from_array(found, name))
        )
    return node
