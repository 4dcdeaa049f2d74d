"""ONNX files as exporters write them, made from fitted scikit-learn models by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto, helper

DOMAINS = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]


def classifier(model: Any, zipmap: bool = False) -> bytes:
    """Return a binary logistic regression with text labels: a label and two probabilities a row.

    ``zipmap`` gives the probabilities as a map by label, as skl2onnx does unless told otherwise.
    """
    coefficients = np.concatenate([-model.coef_, model.coef_]).ravel().astype(float).tolist()
    node = helper.make_node(
        "LinearClassifier",
        ["X"],
        ["label", "probabilities"],
        domain="ai.onnx.ml",
        coefficients=coefficients,
        intercepts=[-float(model.intercept_[0]), float(model.intercept_[0])],
        classlabels_strings=[str(label) for label in model.classes_],
        post_transform="LOGISTIC",
    )
    width = model.coef_.shape[1]
    inputs = [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, width])]
    outputs = [
        helper.make_tensor_value_info("label", TensorProto.STRING, [None]),
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, 2]),
    ]
    if not zipmap:
        return model_bytes([node], inputs, outputs)
    labels = [str(label) for label in model.classes_]
    maps = helper.make_node("ZipMap", ["probabilities"], ["maps"], domain="ai.onnx.ml", classlabels_strings=labels)
    entry = helper.make_map_type_proto(TensorProto.STRING, helper.make_tensor_type_proto(TensorProto.FLOAT, []))
    out = helper.make_value_info("maps", helper.make_sequence_type_proto(entry))
    return model_bytes([node, maps], inputs, [outputs[0], out])


def scaled_sum(names: list[str], factor: float = 2.0) -> bytes:
    """Return a regression whose inputs are one column each: ``factor`` times the sum of the columns."""
    nodes = [
        helper.make_node("Concat", names, ["all"], axis=1),
        helper.make_node("ReduceSum", ["all", "axis"], ["sum"], keepdims=1),
        helper.make_node("Mul", ["sum", "factor"], ["variable"]),
    ]
    inputs = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, [None, 1]) for name in names]
    outputs = [helper.make_tensor_value_info("variable", TensorProto.DOUBLE, [None, 1])]
    constants = [
        helper.make_tensor("axis", TensorProto.INT64, [1], [1]),
        helper.make_tensor("factor", TensorProto.DOUBLE, [1], [factor]),
    ]
    return model_bytes(nodes, inputs, outputs, constants)


def model_bytes(nodes: list[Any], inputs: list[Any], outputs: list[Any], constants: list[Any] | None = None) -> bytes:
    """Return a model of one graph."""
    graph = helper.make_graph(nodes, "graph", inputs, outputs, constants or [])
    made: bytes = helper.make_model(graph, opset_imports=DOMAINS, ir_version=8).SerializeToString()
    return made
