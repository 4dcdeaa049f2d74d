"""assembled: the ONNX file of a description that a model's worker made. Nothing of the model is loaded here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from boucle.core.coding import METADATA_KEY, Coding

OPSETS = {"": 17, "ai.onnx.ml": 5}
IR_VERSION = 10
SERVED = ("label_index", "probabilities", "value")
_INPUTS = {"numbers": TensorProto.DOUBLE, "codes": TensorProto.INT64, "dates": TensorProto.INT64}


def assembled(told: Mapping[str, Any], arrays: Mapping[str, Any], outputs: Sequence[str] = SERVED) -> bytes:
    """Return the file of a description, with those of its outputs that are wanted.

    ``told`` is the header of a ``Description`` of the worker. Raises KeyError or ValueError when it contradicts itself.
    """
    wanted = {name: value for name, value in told["outputs"].items() if name in outputs}
    graph = helper.make_graph(
        [_node(node, arrays) for node in told["nodes"]]
        + [_named(output["value"], name) for name, output in wanted.items()],
        "boucle",
        [_input(name, columns) for name, columns in told["inputs"].items()],
        [_output(name, output) for name, output in wanted.items()],
        [numpy_helper.from_array(array, name) for name, array in arrays.items() if not name.startswith("mark")],
    )
    model: ModelProto = helper.make_model(
        graph,
        producer_name="boucle",
        opset_imports=[helper.make_opsetid(domain, version) for domain, version in OPSETS.items()],
        ir_version=IR_VERSION,
    )
    coding = Coding(
        {name: tuple(values) for name, values in told["vocabularies"].items()},
        {name: tuple(codes) for name, codes in told["refused"].items()},
    )
    helper.set_model_props(model, {METADATA_KEY: coding.to_text()})
    return bytes(model.SerializeToString())


def _input(name: str, columns: Sequence[str]) -> Any:
    return helper.make_tensor_value_info(name, _INPUTS[name], [None, len(columns)])


def _output(name: str, told: Mapping[str, Any]) -> Any:
    dtype = helper.np_dtype_to_tensor_dtype(np.dtype(told["dtype"]))
    return helper.make_tensor_value_info(name, dtype, told["shape"])


def _named(value: str, name: str) -> NodeProto:
    return helper.make_node("Identity", [value], [name])


def _node(told: Mapping[str, Any], arrays: Mapping[str, Any]) -> NodeProto:
    node = helper.make_node(told["op"], told["inputs"], told["outputs"], domain=told["domain"])
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
