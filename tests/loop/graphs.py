"""ONNX files as exporters write them, made from fitted scikit-learn models by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto, helper

DOMAINS = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]


def classifier(model: Any, dtype: int = TensorProto.FLOAT) -> bytes:
    """Return a binary logistic regression with text labels: a label and two probabilities a row."""
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
    inputs = [helper.make_tensor_value_info("X", dtype, [None, width])]
    outputs = [
        helper.make_tensor_value_info("label", TensorProto.STRING, [None]),
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, 2]),
    ]
    return model_bytes([node], inputs, outputs)


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
