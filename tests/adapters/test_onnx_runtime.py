"""ONNX graphs of every shape of input and output, checked by hand and against scikit-learn's own formula."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from boucle.adapters.onnx_runtime import CHUNK, OnnxGraph
from boucle.core.coding import METADATA_KEY, Coding
from boucle.core.errors import InvalidRows, ModelFailed, Unavailable
from boucle.core.signature import Input, Signature, Tensor
from boucle.core.table import Column
from boucle_worker.frames import Columns
from routed import LINEAR_SIGNATURE, linear_graph, model_bytes
from tables import floats, texts

FLOAT, DOUBLE, INT64, STRING = TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT64, TensorProto.STRING
AB: Columns = {"a": floats([1.0, 2.0, 0.5]), "b": floats([3.0, 0.0, 1.0])}


def graph_of(nodes: Sequence[Any], inputs: Sequence[Any], outputs: Sequence[Any], **weights: Any) -> bytes:
    values = [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()]
    info = helper.make_tensor_value_info
    return model_bytes(
        helper.make_graph(nodes, "g", [info(*told) for told in inputs], [info(*told) for told in outputs], values)
    )


def signature(tensors: Sequence[Tensor], kinds: dict[str, str], **changes: Any) -> Signature:
    inputs = tuple(Input(name, kind, kind) for name, kind in kinds.items())
    told: dict[str, Any] = {"task": "regression", "prediction_kind": "float", "input_tensors": tuple(tensors)}
    return Signature("onnx", inputs, **{**told, **changes})


def loaded(model: bytes, told: Signature) -> OnnxGraph:
    graph = OnnxGraph(model, told)
    graph.load()
    return graph


def softmax_graph(*outputs: tuple[str, int, Sequence[int | None]]) -> bytes:
    """Probabilities proportional to exp(a), exp(b), and the position of the larger."""
    nodes = [
        helper.make_node("Softmax", ["x"], ["p"], axis=1),
        helper.make_node("ArgMax", ["p"], ["label"], axis=1, keepdims=0),
    ]
    return graph_of(nodes, [("x", FLOAT, [None, 2])], outputs)


P, LABEL = ("p", FLOAT, [None, 2]), ("label", INT64, [None])
X = Tensor("x", "float32", (None, 2), ("a", "b"))
CLASSIFIER = signature([X], {"a": "float", "b": "float"}, task="classification", classes=("no", "yes"))
_EXP = np.exp([[1.0, 3.0], [2.0, 0.0], [0.5, 1.0]])
EXPECTED = _EXP / _EXP.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("dtype", [FLOAT, DOUBLE], ids=["float", "double"])
def test_a_regression_of_one_matrix_answers_one_value_a_row(dtype: int) -> None:
    tensor = Tensor("x", "float32" if dtype == FLOAT else "float64", (None, 2), ("a", "b"))
    graph = loaded(linear_graph(dtype=dtype), signature([tensor], {"a": "float", "b": "float"}))

    answer = graph.predict(AB)

    assert list(answer) == ["prediction"]
    assert (answer["prediction"].kind, answer["prediction"].values.dtype) == ("float", np.float64)
    assert answer["prediction"].values.tolist() == [32.0, 4.0, 11.0]


def test_the_columns_of_a_tensor_are_taken_in_its_own_order() -> None:
    swapped = Tensor("x", "float64", (None, 2), ("b", "a"))

    graph = loaded(linear_graph(), signature([swapped], {"a": "float", "b": "float"}))

    assert graph.predict(AB)["prediction"].values.tolist() == [16.0, 20.0, 7.0]


def test_one_tensor_for_each_column_of_each_kind() -> None:
    nodes = [
        helper.make_node("Cast", ["n"], ["nf"], to=FLOAT),
        helper.make_node("Cast", ["flag"], ["ff"], to=FLOAT),
        helper.make_node("Add", ["nf", "ff"], ["s"]),
        helper.make_node("Add", ["s", "f"], ["y"]),
        helper.make_node("Identity", ["t"], ["echo"]),
    ]
    inputs = [
        ("n", INT64, [None, 1]),
        ("flag", TensorProto.BOOL, [None]),
        ("f", FLOAT, [None]),
        ("t", STRING, [None, 1]),
    ]
    graph = graph_of(
        [helper.make_node("Reshape", ["n", "flat"], ["n1"]), *[_renamed(node, "n", "n1") for node in nodes]],
        inputs,
        [("echo", STRING, [None, 1]), ("y", FLOAT, [None])],
        flat=np.array([-1], dtype=np.int64),
    )
    tensors = [
        Tensor("n", "int64", (None, 1), ("n",)),
        Tensor("flag", "bool", (None,), ("flag",)),
        Tensor("f", "float32", (None,), ("f",)),
        Tensor("t", "str", (None, 1), ("t",)),
    ]
    kinds = {"n": "int", "flag": "bool", "f": "float", "t": "text"}
    columns = {
        "n": Column("int", np.array([1, 2])),
        "flag": Column("bool", np.array([True, False])),
        "f": floats([0.5, 1.5]),
        "t": texts(["é", None]),
    }

    answer = loaded(graph, signature(tensors, kinds, prediction_kind="text")).predict(columns)

    assert (answer["prediction"].kind, answer["prediction"].values.tolist()) == ("text", ["é", ""])


def _renamed(node: Any, old: str, new: str) -> Any:
    for i, name in enumerate(node.input):
        if name == old:
            node.input[i] = new
    return node


@pytest.mark.parametrize("outputs", [(LABEL, P), (P, LABEL), (P,)], ids=["label-first", "label-last", "no-label"])
def test_a_classifier_answers_labels_and_probabilities(outputs: Any) -> None:
    answer = loaded(softmax_graph(*outputs), CLASSIFIER).predict(AB)

    assert answer["prediction"].values.tolist() == ["yes", "no", "yes"]
    assert answer["probabilities"].kind == "matrix"
    np.testing.assert_allclose(answer["probabilities"].values, EXPECTED, rtol=1e-6)


@pytest.mark.parametrize(
    ("classes", "kind", "found"),
    [
        ((0, 1), "int", [1, 0, 1]),
        ((False, True), "bool", [True, False, True]),
        ((-1.5, 2.5), "float", [2.5, -1.5, 2.5]),
        (None, "int", [1, 0, 1]),
    ],
)
def test_class_numbers_become_labels_unless_labels_are_numbers(classes: Any, kind: str, found: list[Any]) -> None:
    told = signature([X], {"a": "float", "b": "float"}, task="classification", classes=classes)

    prediction = loaded(softmax_graph(LABEL, P), told).predict(AB)["prediction"]

    assert (prediction.kind, prediction.values.tolist()) == (kind, found)


def test_one_probability_a_row_is_that_of_the_second_class() -> None:
    nodes = [helper.make_node("MatMul", ["x", "w"], ["z"]), helper.make_node("Sigmoid", ["z"], ["p"])]
    graph = graph_of(
        nodes, [("x", FLOAT, [None, 2])], [("p", FLOAT, [None, 1])], w=np.array([[-1.0], [1.0]], dtype=np.float32)
    )

    answer = loaded(graph, CLASSIFIER).predict(AB)

    expected = 1 / (1 + np.exp([-2.0, 2.0, -0.5]))
    np.testing.assert_allclose(answer["probabilities"].values, np.column_stack([1 - expected, expected]), rtol=1e-6)
    assert answer["prediction"].values.tolist() == ["yes", "no", "yes"]


def test_a_sequence_of_maps_becomes_a_matrix_in_the_order_of_the_classes() -> None:
    nodes = [
        helper.make_node("Softmax", ["x"], ["p"], axis=1),
        helper.make_node("ArgMax", ["p"], ["label"], axis=1, keepdims=0),
        helper.make_node("ZipMap", ["p"], ["maps"], domain="ai.onnx.ml", classlabels_strings=["yes", "no"]),
    ]
    maps = helper.make_value_info(
        "maps",
        helper.make_sequence_type_proto(helper.make_map_type_proto(STRING, helper.make_tensor_type_proto(FLOAT, None))),
    )
    info = helper.make_tensor_value_info
    graph = helper.make_graph(nodes, "g", [info("x", FLOAT, [None, 2])], [info(*LABEL), maps])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString()

    answer = loaded(model, CLASSIFIER).predict(AB)

    np.testing.assert_allclose(answer["probabilities"].values, EXPECTED[:, ::-1], rtol=1e-6)


def test_missing_numbers_are_nan_in_float_tensors_and_refused_in_integer_ones() -> None:
    identity = [helper.make_node("Identity", ["x"], ["y"])]
    as_float = graph_of(identity, [("x", FLOAT, [None, 1])], [("y", FLOAT, [None, 1])])
    as_int = graph_of(identity, [("x", INT64, [None, 1])], [("y", INT64, [None, 1])])
    column = {"a": Column("int", np.array([7, 0]), np.array([False, True]))}

    found = loaded(as_float, signature([Tensor("x", "float32", (None, 1), ("a",))], {"a": "int"})).predict(column)
    told = signature([Tensor("x", "int64", (None, 1), ("a",))], {"a": "int"})

    np.testing.assert_array_equal(found["prediction"].values, [7.0, np.nan])
    with pytest.raises(InvalidRows, match="Row 1, column 'a': expected a value") as refused:
        loaded(as_int, told).predict(column)
    assert [(p.code, p.column, p.row) for p in refused.value.problems] == [("missing-value", "a", 1)]


def test_numbers_beyond_single_precision_are_infinite_without_a_warning() -> None:
    identity = [helper.make_node("Identity", ["x"], ["y"])]
    graph = graph_of(identity, [("x", FLOAT, [None, 1])], [("y", FLOAT, [None, 1])])

    found = loaded(graph, signature([Tensor("x", "float32", (None, 1), ("a",))], {"a": "float"})).predict(
        {"a": floats([1e300, -1e300, 1e-300])}
    )

    assert found["prediction"].values.tolist() == [np.inf, -np.inf, 0.0]


def test_cells_get_the_same_answers_as_columns_bit_by_bit() -> None:
    graph = loaded(linear_graph((0.1, 1 / 3)), LINEAR_SIGNATURE)
    by_cells = graph.for_cells(("a", "b"))
    swapped = graph.for_cells(("b", "a"))
    values = np.random.default_rng(5).normal(size=(2, 40)) * 10.0 ** np.arange(-20, 20)
    values[1, ::7] = np.nan
    cells = [[None if np.isnan(cell) else cell for cell in row] for row in values.tolist()]

    expected = graph.predict({"a": Column("float", values[0]), "b": Column("float", values[1])})["prediction"].values

    assert by_cells is not None
    assert swapped is not None
    np.testing.assert_array_equal(by_cells(cells)["prediction"].values, expected)
    np.testing.assert_array_equal(swapped(cells[::-1])["prediction"].values, expected)


def test_integers_are_taken_as_columns_only() -> None:
    identity = [helper.make_node("Identity", ["x"], ["y"])]
    graph = graph_of(identity, [("x", INT64, [None, 1])], [("y", INT64, [None, 1])])

    assert loaded(graph, signature([Tensor("x", "int64", (None, 1), ("a",))], {"a": "int"})).for_cells(("a",)) is None


def test_a_file_with_data_outside_itself_is_refused(tmp_path: Any) -> None:
    model = onnx.load_model_from_string(linear_graph())
    tensor = model.graph.initializer[0]
    onnx.external_data_helper.set_external_data(tensor, "../../etc/passwd")
    tensor.ClearField("raw_data")

    with pytest.raises(ModelFailed, match="keeps data in other files"):
        loaded(model.SerializeToString(), LINEAR_SIGNATURE)


def test_a_name_that_reads_like_outside_data_is_no_reason_to_refuse() -> None:
    model = onnx.load_model_from_string(linear_graph())
    model.doc_string = "location"

    assert loaded(model.SerializeToString(), LINEAR_SIGNATURE).predict(AB)["prediction"].values[0] == 32.0


@pytest.mark.parametrize("model", [b"", b"not onnx", linear_graph()[:-20]], ids=["empty", "text", "cut"])
def test_a_file_that_cannot_be_run_is_refused_in_one_line(model: bytes) -> None:
    with pytest.raises(ModelFailed, match="cannot be run") as refused:
        loaded(model, LINEAR_SIGNATURE)

    assert "\n" not in str(refused.value)


def test_outputs_that_are_no_answer_are_refused_with_their_shapes() -> None:
    graph = graph_of(
        [helper.make_node("Reshape", ["x", "s"], ["y"])],
        [("x", FLOAT, [None, 2])],
        [("y", FLOAT, None)],
        s=np.array([1, -1, 2], dtype=np.int64),
    )

    with pytest.raises(ModelFailed, match=r"\(1, 3, 2\)"):
        loaded(graph, signature([X], {"a": "float", "b": "float"})).predict(AB)


def test_a_class_number_beyond_the_classes_is_refused() -> None:
    identity = [helper.make_node("Identity", ["x"], ["y"])]
    graph = graph_of(identity, [("x", INT64, [None, 1])], [("y", INT64, [None, 1])])
    told = signature([Tensor("x", "int64", (None, 1), ("a",))], {"a": "int"}, classes=("no", "yes"))

    with pytest.raises(ModelFailed, match="beyond its 2 classes"):
        loaded(graph, told).predict({"a": Column("int", np.array([0, 2]))})


def test_a_graph_must_be_loaded_first() -> None:
    with pytest.raises(Unavailable, match="not loaded"):
        OnnxGraph(linear_graph(), LINEAR_SIGNATURE).predict(AB)


def test_a_run_can_be_stopped_and_later_runs_are_not() -> None:
    loop = _counting_graph()
    graph = loaded(loop, signature([Tensor("x", "float32", (None, 1), ("a",))], {"a": "float"}))
    failures: list[Exception] = []

    def run() -> None:
        try:
            graph.predict({"a": floats([1e9])})
        except ModelFailed as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    while thread.is_alive():
        graph.stop()
        time.sleep(0.01)

    assert len(failures) == 1
    assert graph.predict({"a": floats([3.0])})["prediction"].values.tolist() == [3.0]


def coded(model: bytes, text: str) -> bytes:
    """Return a graph with a text where the coding of a converted one lies."""
    told = onnx.load_model_from_string(model)
    helper.set_model_props(told, {METADATA_KEY: text})
    return bytes(told.SerializeToString())


@pytest.mark.parametrize(
    "text", ["", "[]", "7", "{}", "[" * 100_000, '{"a":' * 100_000, '{"vocabularies": [], "refused": {}}'], ids=range(7)
)
def test_odd_metadata_is_refused_at_load(text: str) -> None:
    with pytest.raises(ModelFailed, match="vocabularies in the ONNX file cannot be read"):
        loaded(coded(linear_graph(), text), LINEAR_SIGNATURE)


def test_a_file_that_brings_a_slow_pattern_is_refused_at_load() -> None:
    spec = {"steps": [], "analyzer": "word", "ngrams": [1, 1], "tokenizer": {"find": "(?:a|aa)+b", "flags": 0}}
    coding = Coding(texts={"terms:0": {"column": "t", "spec": spec, "vocabulary": ["a"]}})
    cast = [helper.make_node("Cast", ["terms:0"], ["y"], to=FLOAT)]
    graph = graph_of(cast, [("terms:0", INT64, [3, None, None])], [("y", FLOAT, [3, None, None])])
    told = signature([Tensor("terms:0", "int64", (3, None, None), ("t",))], {"t": "text"})

    with pytest.raises(ModelFailed, match="could take very long on some texts"):
        loaded(coded(graph, coding.to_text()), told)


def test_a_row_that_a_converted_graph_refuses_is_told_by_its_place_in_the_request() -> None:
    look_up = [
        helper.make_node("Cast", ["numbers"], ["i"], to=INT64),
        helper.make_node("Gather", ["values", "i"], ["y"], axis=0),
    ]
    graph = graph_of(
        look_up, [("numbers", DOUBLE, [None, 1])], [("y", FLOAT, [None, 1])], values=np.array([5, 6], dtype=np.float32)
    )
    told = signature([Tensor("numbers", "float64", (None, 1), ("a",))], {"a": "float"})
    converted = loaded(coded(graph, Coding().to_text()), told)
    cells = [i % 2.0 for i in range(2 * CHUNK + 10)]

    np.testing.assert_array_equal(converted.predict({"a": floats(cells)})["prediction"].values, np.add(cells, 5))
    cells[CHUNK + 3] = 9.0
    with pytest.raises(InvalidRows, match=f"row {CHUNK + 3}:") as caught:
        converted.predict({"a": floats(cells)})
    assert caught.value.problems[0].row == CHUNK + 3


def _counting_graph() -> bytes:
    """A loop that counts to the largest x, one by one."""
    info = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("Add", ["n", "one"], ["m"]), helper.make_node("Less", ["m", "limit"], ["go"])],
        "body",
        [info("i", INT64, []), info("c", TensorProto.BOOL, []), info("n", FLOAT, [])],
        [info("go", TensorProto.BOOL, []), info("m", FLOAT, [])],
    )
    nodes = [
        helper.make_node("ReduceMax", ["x"], ["limit"], keepdims=0),
        helper.make_node("Loop", ["", "yes", "zero"], ["total"], body=body),
        helper.make_node("Mul", ["x", "zero"], ["zeros"]),
        helper.make_node("Add", ["zeros", "total"], ["y"]),
    ]
    return graph_of(
        nodes,
        [("x", FLOAT, [None, 1])],
        [("y", FLOAT, [None, 1])],
        one=np.float32(1),
        zero=np.float32(0),
        yes=np.array([1], dtype=bool).reshape(()),
    )
