"""Which columns feed which tensor of a graph that answers windows."""

from __future__ import annotations

import pytest

from boucle.core.signature import Input, Signature, Tensor
from boucle.core.window import Window
from boucle.packaging.graph import CannotFeed, GraphFacts
from boucle.packaging.graph_windows import fed_windows

TIME, PAIR = Input("time", "datetime", "datetime64[us]"), Input("pair", "text", "str")
HOUR, LOW, CLOSE = (
    Input("hour", "int", "int64"),
    Input("low", "float", "float64"),
    Input("last close", "float", "float64"),
)
DAY = Window(24, "time", group_by="pair")


def facts(*inputs: Tensor) -> GraphFacts:
    return GraphFacts(inputs, (Tensor("prediction", "float64", (None,)),), {"": 18}, 10)


def mapped(inputs: tuple[Input, ...], *tensors: Tensor, told: tuple[Tensor, ...] | None = None) -> list[Tensor]:
    signature = Signature("pandas", inputs, "regression", "float", input_tensors=told)
    return list(fed_windows(signature, facts(*tensors), DAY).input_tensors or ())


@pytest.mark.parametrize("width", [2, None], ids=["fixed", "free"])
def test_one_tensor_takes_the_numbers_and_neither_order_nor_group(width: int | None) -> None:
    found = mapped((TIME, LOW, CLOSE, PAIR), Tensor("x", "float32", (None, 24, width)))
    assert found == [Tensor("x", "float32", (None, 24, 2), ("low", "last close"))]


def test_a_tensor_named_like_a_column_takes_it_and_the_other_takes_the_rest() -> None:
    tensors = (Tensor("ohlc", "float64", (None, None, 2)), Tensor("hour", "int64", (None, None)))
    assert mapped((TIME, HOUR, LOW, CLOSE), *tensors) == [
        Tensor("ohlc", "float64", (None, 24, 2), ("low", "last close")),
        Tensor("hour", "int64", (None, 24), ("hour",)),
    ]


def test_every_tensor_may_bear_the_name_of_a_column() -> None:
    tensors = (Tensor("last_close", "float64", (None, 24)), Tensor("low", "float64", (None, 24, 1)))
    assert [tensor.columns for tensor in mapped((TIME, LOW, CLOSE), *tensors)] == [("last close",), ("low",)]


def test_what_the_notebook_told_comes_first_with_its_units() -> None:
    told = (Tensor("x", "", (), ("last close", "low")), Tensor("t", "", (), ("time",), "s"))
    found = mapped(
        (TIME, LOW, CLOSE), Tensor("t", "int64", (None, 24)), Tensor("x", "float32", (None, 24, 2)), told=told
    )
    assert [(tensor.columns, tensor.unit) for tensor in found] == [(("time",), "s"), (("last close", "low"), None)]


def test_text_feeds_a_tensor_of_text() -> None:
    found = mapped((TIME, LOW, PAIR), Tensor("pair", "str", (None, 24)), Tensor("x", "float64", (None, 24)))
    assert [tensor.columns for tensor in found] == [("pair",), ("low",)]


@pytest.mark.parametrize(
    ("inputs", "tensors", "reason"),
    [
        ((TIME, LOW), (Tensor("x", "float32", (None, 25)),), "input 'x' takes 25 rows a window, the schema says 24"),
        ((TIME, LOW), (Tensor("x", "float32", (None,)),), "input 'x' has the shape (?); windows fill tensors of shape"),
        ((TIME, LOW), (Tensor("x", "float32", (None, 24, 1, 1)),), "windows fill tensors of shape (windows, 24)"),
        ((TIME, LOW), (Tensor("x", "float32", (1, 24)),), "input 'x' takes exactly 1 window(s)"),
        ((TIME, LOW), (Tensor("x", "complex64", (None, 24)),), "input 'x' holds 'complex64'"),
        (
            (TIME, LOW, CLOSE),
            (Tensor("x", "float32", (None, 24, 3)),),
            "column 'time' is datetime, but input 'x' takes",
        ),
        ((TIME, LOW, CLOSE), (Tensor("x", "float32", (None, 24)),), "the 3 columns of the example"),
        ((LOW, CLOSE), (Tensor("a", "int64", (None, 24)), Tensor("b", "int64", (None, 24))), "do not fit the inputs"),
        (
            (LOW, CLOSE),
            (Tensor("low", "float64", (None, 24)),),
            "do not fit the inputs of the file: low float64(?, 24)",
        ),
        ((LOW,), (Tensor("low", "float64", (None, 24)), Tensor("x", "float64", (None, 24))), "do not fit the inputs"),
        ((TIME,), (Tensor("time", "int64", (None, 24)),), "in which unit since 1970?"),
        (
            (TIME, PAIR),
            (Tensor("pair", "float32", (None, 24)),),
            "column 'pair' is text, but input 'pair' takes float32",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_reason_and_cure(
    inputs: tuple[Input, ...], tensors: tuple[Tensor, ...], reason: str
) -> None:
    with pytest.raises(CannotFeed) as refused:
        mapped(inputs, *tensors)
    assert reason in refused.value.reason
    assert refused.value.cure
