"""Which columns feed which tensor."""

from __future__ import annotations

import numpy as np
import pytest

from boucle.core.signature import Input, Signature, Task, Tensor
from boucle.core.table import Column, Table
from boucle.packaging.graph import CannotFeed, GraphFacts, answered, fed
from boucle.packaging.graph_checks import cannot_feed_check, nameless_check, onnx_check, signature_check
from tables import answers, floats, matrix, texts

AGE, WEIGHT = Input("age", "int", "int64"), Input("body weight", "float", "float64")
CITY, BORN = Input("city", "text", "str"), Input("born", "datetime", "datetime64[ns]")
LABEL = Tensor("label", "int64", (None,))


def facts(*inputs: Tensor, labels: tuple[str, ...] | None = None) -> GraphFacts:
    return GraphFacts(inputs, (LABEL,), {"": 18}, 10, labels)


def signature(*inputs: Input, task: Task = "classification", told: tuple[Tensor, ...] | None = None) -> Signature:
    return Signature("pandas", inputs, task, "int", input_tensors=told)


def columns_of(made: Signature) -> dict[str, tuple[str, ...]]:
    return {tensor.name: tensor.columns for tensor in made.input_tensors or ()}


@pytest.mark.parametrize("width", [2, None], ids=["fixed", "free"])
def test_one_matrix_takes_all_columns_in_order(width: int | None) -> None:
    made = fed(signature(WEIGHT, AGE), facts(Tensor("X", "float32", (None, width))))
    assert columns_of(made) == {"X": ("body weight", "age")}
    assert (made.feed, made.output_tensors) == ("onnx", (LABEL,))


def test_tensors_named_like_columns_take_those_in_any_order() -> None:
    tensors = (
        Tensor("body_weight", "float32", (None, 1)),
        Tensor("city", "str", (None, 1)),
        Tensor("age", "int64", (None,)),
    )
    made = fed(signature(AGE, CITY, WEIGHT), facts(*tensors))
    assert columns_of(made) == {"body_weight": ("body weight",), "city": ("city",), "age": ("age",)}


def test_one_column_of_another_name_is_one_matrix() -> None:
    assert columns_of(fed(signature(AGE), facts(Tensor("float_input", "float32", (None, 1))))) == {
        "float_input": ("age",)
    }


def test_numbers_and_texts_go_to_their_tensors() -> None:
    tensors = (Tensor("strings", "str", (None, 1)), Tensor("numbers", "float64", (None, 2)))
    made = fed(signature(AGE, CITY, WEIGHT), facts(*tensors))
    assert columns_of(made) == {"strings": ("city",), "numbers": ("age", "body weight")}


def test_what_the_notebook_told_comes_first() -> None:
    told = (Tensor("b", "float32", (None, 1), ("age",)), Tensor("a", "float32", (None, 1), ("body weight",)))
    tensors = (Tensor("a", "float32", (None, 1)), Tensor("b", "float32", (None, 1)))
    made = fed(signature(AGE, WEIGHT, told=told), facts(*tensors))
    assert columns_of(made) == {"a": ("body weight",), "b": ("age",)}


@pytest.mark.parametrize(
    ("inputs", "tensors", "reason"),
    [
        ((AGE, WEIGHT), (Tensor("X", "float32", (None, 3)),), "the 2 columns of the example"),
        ((AGE,), (Tensor("X", "float32", (None, 24, 1)),), "input 'X' has the shape (?, 24, 1)"),
        ((AGE,), (Tensor("X", "float32", (1, 1)),), "input 'X' takes exactly 1 row(s)"),
        ((CITY,), (Tensor("X", "float32", (None, 1)),), "column 'city' is text, but input 'X' takes float32"),
        ((BORN,), (Tensor("X", "int64", (None, 1)),), "column 'born' is datetime, but input 'X' takes int64"),
        ((AGE,), (Tensor("X", "str", (None, 1)),), "column 'age' is int, but input 'X' takes str"),
        ((AGE,), (Tensor("X", "complex64", (None, 1)),), "input 'X' holds 'complex64'"),
        ((AGE, WEIGHT), (Tensor("age", "int64", (None, 1)),), "the 2 columns of the example"),
        ((), (Tensor("X", "float32", (None, 1)),), "the 0 columns of the example"),
    ],
    ids=["width", "window", "one row", "text", "date", "number to text", "dtype", "too few tensors", "no columns"],
)
def test_columns_that_do_not_fit_are_refused_with_a_cure(
    inputs: tuple[Input, ...], tensors: tuple[Tensor, ...], reason: str
) -> None:
    with pytest.raises(CannotFeed) as refused:
        fed(signature(*inputs), facts(*tensors))
    assert reason in refused.value.reason
    check = cannot_feed_check(refused.value)
    assert (check.name, check.status) == ("signature", "fail")
    assert check.advice


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ((Tensor("Y", "float32", (None, 1), ("age",)),), "the notebook told of the inputs {'Y': ('age',)}"),
        ((Tensor("X", "float32", (None, 1), ("gone",)),), "the notebook told of the columns ['gone']"),
        ((Tensor("X", "float32", (None, 1), ("age", "age")),), "input 'X' takes 1 columns, 2 were named for it"),
    ],
    ids=["tensor", "column", "width"],
)
def test_what_the_notebook_told_must_fit_the_file(told: tuple[Tensor, ...], reason: str) -> None:
    with pytest.raises(CannotFeed) as refused:
        fed(signature(AGE, told=told), facts(Tensor("X", "float32", (None, 1))))
    assert reason in refused.value.reason


def test_a_graph_that_gives_probabilities_is_a_classifier_whose_labels_it_names() -> None:
    said = answers(prediction=texts(["no", "yes"]), probabilities=matrix([[0.9, 0.1], [0.2, 0.8]]))
    made = answered(signature(AGE, task="regression"), facts(labels=("no", "yes")), said)
    assert (made.task, made.prediction_kind, made.classes) == ("classification", "text", ("no", "yes"))
    assert made.probabilities


def test_classes_told_by_the_notebook_come_before_those_of_the_file() -> None:
    said = answers(prediction=texts(["a"]), probabilities=matrix([[0.9, 0.1]]))
    told = Signature("onnx", (AGE,), "classification", "text", classes=("a", "b"))
    assert answered(told, facts(labels=("x", "y")), said).classes == ("a", "b")


def test_unnamed_classes_are_numbers_when_the_answers_prove_it() -> None:
    probabilities = matrix([[0.9, 0.1, 0.0], [0.1, 0.2, 0.7]])
    proven = Table({"prediction": Column("int", np.array([0, 2])), "probabilities": probabilities})
    assert answered(signature(AGE), facts(), proven).classes == (0, 1, 2)
    other = answers(prediction=floats([5.0, 7.0]), probabilities=probabilities)
    assert answered(signature(AGE), facts(), other).classes is None
    assert nameless_check(3).is_failed


def test_a_graph_of_one_float_is_a_regression() -> None:
    made = answered(signature(AGE, task="regression"), facts(), answers(prediction=floats([0.5])))
    assert (made.task, made.prediction_kind, made.classes, made.probabilities) == ("regression", "float", None, False)


def test_the_checks_tell_what_was_read() -> None:
    made = fed(signature(AGE, WEIGHT), facts(Tensor("X", "float32", (None, 2))))
    assert signature_check(made).observed == "2 columns feed X ← ['age', 'body weight']; out come label"
    check = onnx_check(facts(), 2048)
    assert (check.status, check.evidence["opsets"]) == ("pass", ["ai.onnx 18"])
