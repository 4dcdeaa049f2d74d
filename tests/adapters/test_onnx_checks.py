"""What is read off an ONNX file before anything of it runs."""

from __future__ import annotations

from typing import Any

import pytest
from onnx import GraphProto, ModelProto, TensorProto, helper

from boucle.adapters.onnx_checks import InvalidGraph, OnnxFiles
from boucle.core.signature import Tensor

ROWS = helper.make_tensor_value_info("X", TensorProto.FLOAT, ["n", 2])
SUM = helper.make_tensor_value_info("Y", TensorProto.FLOAT, ["n", 2])


def model(*nodes: Any, outputs: Any = (SUM,), constants: Any = ()) -> ModelProto:
    graph = helper.make_graph(list(nodes), "graph", [ROWS], list(outputs), list(constants))
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def outside(name: str = "weights") -> TensorProto:
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[2], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="../secrets")
    return tensor


def branch(*nodes: Any, constants: Any = ()) -> GraphProto:
    out = helper.make_tensor_value_info("Z", TensorProto.FLOAT, None)
    return helper.make_graph(list(nodes), "branch", [], [out], list(constants))


def inspect(made: ModelProto) -> Any:
    return OnnxFiles().inspect(made.SerializeToString())


def test_tensors_opsets_and_ir_are_told() -> None:
    facts = inspect(model(helper.make_node("Relu", ["X"], ["Y"])))
    assert facts.inputs == (Tensor("X", "float32", (None, 2)),)
    assert facts.outputs == (Tensor("Y", "float32", (None, 2)),)
    assert (facts.opsets, facts.ir_version, facts.labels) == ({"": 17, "ai.onnx.ml": 3}, 8, None)


def test_the_labels_of_a_classifier_and_its_zipmap_are_told() -> None:
    classifier = helper.make_node(
        "LinearClassifier",
        ["X"],
        ["label", "scores"],
        domain="ai.onnx.ml",
        coefficients=[1.0] * 6,
        classlabels_ints=[3, 5, 9],
    )
    zipmap = helper.make_node("ZipMap", ["scores"], ["maps"], domain="ai.onnx.ml", classlabels_int64s=[3, 5, 9])
    maps = helper.make_value_info(
        "maps",
        helper.make_sequence_type_proto(
            helper.make_map_type_proto(TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, []))
        ),
    )
    label = helper.make_tensor_value_info("label", TensorProto.INT64, ["n"])
    facts = inspect(model(classifier, zipmap, outputs=(label, maps)))
    assert facts.labels == (3, 5, 9)
    assert facts.outputs == (Tensor("label", "int64", (None,)), Tensor("maps", "map", (None,)))


@pytest.mark.parametrize(
    "made",
    [
        model(helper.make_node("Add", ["X", "weights"], ["Y"]), constants=[outside()]),
        model(helper.make_node("Constant", [], ["Y"], value=outside())),
        model(
            helper.make_node(
                "If",
                ["X"],
                ["Y"],
                then_branch=branch(helper.make_node("Identity", ["weights"], ["Z"]), constants=[outside()]),
                else_branch=branch(helper.make_node("Identity", ["X"], ["Z"])),
            )
        ),
        model(
            helper.make_node(
                "If",
                ["X"],
                ["Y"],
                then_branch=branch(helper.make_node("Constant", [], ["Z"], value=outside())),
                else_branch=branch(helper.make_node("Identity", ["X"], ["Z"])),
            )
        ),
    ],
    ids=["initializer", "constant", "initializer of a branch", "constant of a branch"],
)
def test_data_in_other_files_is_refused_wherever_it_hides(made: ModelProto) -> None:
    with pytest.raises(InvalidGraph, match="'weights' lies in another file"):
        inspect(made)


def test_a_function_of_the_model_hides_no_data_either() -> None:
    made = model(helper.make_node("Local", ["X"], ["Y"], domain="mine"))
    made.opset_import.append(helper.make_opsetid("mine", 1))
    body = [helper.make_node("Constant", [], ["b"], value=outside())]
    made.functions.append(helper.make_function("mine", "Local", ["a"], ["b"], body, [helper.make_opsetid("", 17)]))
    with pytest.raises(InvalidGraph, match="'weights' lies in another file"):
        inspect(made)


def test_a_graph_that_breaks_the_rules_is_refused_with_the_reason() -> None:
    with pytest.raises(InvalidGraph, match="no valid ONNX graph"):
        inspect(model(helper.make_node("Relu", ["gone"], ["Y"])))


@pytest.mark.parametrize("data", [b"\x00\x01junk", b"PK\x03\x04", b"{}"])
def test_what_is_no_onnx_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidGraph, match="cannot be read as ONNX"):
        OnnxFiles().inspect(data)


def test_graphs_within_graphs_are_bounded() -> None:
    node = helper.make_node("Identity", ["X"], ["Y"])
    for _depth in range(25):
        inner = branch(node)
        node = helper.make_node("If", ["X"], ["Y"], then_branch=inner)
    with pytest.raises(InvalidGraph, match="deep"):
        inspect(model(node))
