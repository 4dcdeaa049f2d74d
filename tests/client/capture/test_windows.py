"""What leaves the notebook of a window model: window, tensors, intervals, the sample as a series, the gate."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from onnx import TensorProto, helper
from sklearn.dummy import DummyRegressor

from boucle.client.capture.offer import Offer, capture
from boucle.client.capture.request import Request
from boucle.core.cutting import sliding
from boucle.core.errors import InvalidDocument, InvalidRequest, NotFound, Refused
from boucle.core.gate import Bound, Gate
from boucle.core.table import Table
from boucle.core.window import Window

N, ROWS = 40, 24
WINDOW = {"rows": ROWS, "order_by": "timestamp", "step": 3600.0}
TENSORS = {"timestamp": ("timestamp", "ms"), "ohlc": ["open", "high", "low", "close"]}
CLOSE = 100.0 + np.arange(N)
CANDLES = pd.DataFrame(
    {
        "timestamp": pd.date_range("2024-01-01", periods=N, freq="h", tz="UTC"),
        "open": CLOSE - 1,
        "high": CLOSE + 2,
        "low": CLOSE - 2,
        "close": CLOSE,
        "volume": 5.0,
        "pair": ["BTC", "ETH"] * (N // 2),
    }
)


def graph(*outputs: str, element: int = TensorProto.DOUBLE) -> Any:
    """Return an ONNX file whose outputs have these names: capturing one reads no more of it."""
    nodes = [helper.make_node("Identity", ["ohlc"], [name]) for name in outputs]
    inputs = [helper.make_tensor_value_info("ohlc", TensorProto.DOUBLE, [None, ROWS, 4])]
    made = [helper.make_tensor_value_info(name, element, [None]) for name in outputs]
    return helper.make_model(helper.make_graph(nodes, "forecast", inputs, made))


def captured(model: Any = None, example: Any = CANDLES, **more: Any) -> Offer:
    return capture(Request(model or graph("prediction", "intervals"), "btc", example, **more), lambda _stage: None)


def stored(offer: Offer, name: str) -> Table:
    return Table.from_bytes(offer.blobs[getattr(offer.manifest, name).digest])


def test_the_manifest_tells_the_window_the_tensors_and_the_level() -> None:
    manifest = captured(window=WINDOW, tensors=TENSORS, interval_level=0.9).manifest
    assert manifest.schema.window == Window(ROWS, "timestamp", step=3600.0)
    assert (manifest.signature.task, manifest.signature.prediction_kind) == ("regression", "float")
    assert manifest.signature.interval_level == 0.9
    tensors = manifest.signature.input_tensors
    assert tensors is not None
    assert [(tensor.name, tensor.columns, tensor.unit) for tensor in tensors] == [
        ("timestamp", ("timestamp",), "ms"),
        ("ohlc", ("open", "high", "low", "close"), None),
    ]


def test_what_feeds_no_tensor_is_asked_of_nobody() -> None:
    offer = captured(window=WINDOW, tensors=TENSORS)
    names = ("timestamp", "open", "high", "low", "close")
    assert offer.manifest.schema.names == names
    assert [item.name for item in offer.manifest.signature.inputs] == list(names)
    assert stored(offer, "sample").names == stored(offer, "reference").names == names


def test_the_columns_that_order_and_group_are_kept_though_they_feed_nothing() -> None:
    window = {"rows": 12, "order_by": "timestamp", "group_by": "pair"}
    offer = captured(window=window, tensors={"ohlc": ["open", "high", "low", "close"]})
    assert offer.manifest.schema.names == ("timestamp", "open", "high", "low", "close", "pair")


def test_the_sample_is_a_series_and_each_of_its_windows_has_an_answer() -> None:
    predictions = np.arange(10.0)
    offer = captured(window=WINDOW, tensors=TENSORS, answers=predictions)
    windows = sliding(stored(offer, "sample"), Window(ROWS, "timestamp", step=3600.0))
    closes = windows.table.columns["close"].values.reshape(windows.n, ROWS)
    assert closes[:, -1].tolist() == CLOSE[-10:].tolist()
    assert stored(offer, "answers").columns["prediction"].values.tolist() == predictions.tolist()


def test_of_many_answers_those_to_the_newest_windows_are_kept() -> None:
    n = 3000
    example = pd.DataFrame({"timestamp": pd.date_range("2024-01-01", periods=n, freq="h"), "close": np.arange(n) * 1.0})
    offer = captured(example=example, window=WINDOW, answers=np.arange(n - ROWS + 1) * 10.0)
    assert stored(offer, "answers").columns["prediction"].values[[0, -1]].tolist() == [19_770.0, 29_760.0]
    assert stored(offer, "sample").n_rows == 999 + ROWS


def test_answers_may_come_with_intervals() -> None:
    intervals = np.column_stack([np.arange(17.0) - 1, np.arange(17.0) + 1])
    offer = captured(window=WINDOW, tensors=TENSORS, answers=(np.arange(17.0), intervals))
    answers = stored(offer, "answers")
    assert answers.names == ("prediction", "intervals")
    assert answers.columns["intervals"].values.tolist() == intervals.tolist()
    assert (offer.manifest.signature.probabilities, offer.manifest.signature.classes) == (False, None)


def test_a_level_makes_the_pair_of_a_row_model_intervals() -> None:
    bounds = [[0.0, 2.0]] * N
    offer = captured(example=CANDLES[["open", "close"]], interval_level=0.8, answers=([1.0] * N, bounds))
    assert stored(offer, "answers").columns["intervals"].values.tolist() == bounds
    assert (offer.manifest.signature.task, offer.manifest.signature.interval_level) == ("regression", 0.8)
    assert offer.manifest.schema.window is None


@pytest.mark.parametrize("name", ["interval", "intervals"])
def test_an_output_that_is_named_so_makes_no_classification(name: str) -> None:
    offer = captured(graph("prediction", name), CANDLES[["open", "close"]])
    assert offer.manifest.signature.task == "regression"


def test_the_reference_of_a_long_series_is_its_newest_rows() -> None:
    n = 100_500
    example = pd.DataFrame({"timestamp": np.arange(n), "close": np.arange(n) * 1.0})
    reference = stored(captured(example=example, window={"rows": 3, "order_by": "timestamp"}), "reference")
    assert reference.columns["timestamp"].values[[0, -1]].tolist() == [500, 100_499]


def test_a_window_may_be_a_window_and_tensors_may_be_lists_as_json_has_them() -> None:
    window = Window(ROWS, "timestamp", step=3600.0)
    offer = captured(window=window, tensors={"timestamp": ["timestamp", "s"], "ohlc": "close"})
    assert offer.manifest.schema.window == window
    tensors = offer.manifest.signature.input_tensors
    assert tensors is not None
    assert [(tensor.columns, tensor.unit) for tensor in tensors] == [(("timestamp",), "s"), (("close",), None)]


def test_a_column_that_is_named_like_a_unit_is_a_column() -> None:
    example = pd.DataFrame({"x": [1.0, 2.0], "s": [1.0, 2.0]})
    offer = captured(graph("y"), example, tensors={"X": ["x", "s"]})
    tensors = offer.manifest.signature.input_tensors
    assert tensors is not None
    assert (tensors[0].columns, tensors[0].unit) == (("x", "s"), None)


@pytest.mark.parametrize(
    ("gate", "promotion", "expected"),
    [
        (None, "by-hand", None),
        ({}, "by-hand", None),
        ({"loss": "<= 0.5"}, "by-hand", Gate((Bound("loss", at_most=0.5),))),
        ({"auc": ">= 0.8"}, "by-gate", Gate((Bound("auc", at_least=0.8),), promotes=True)),
    ],
)
def test_the_gate_travels_with_any_model(gate: Any, promotion: Any, expected: Gate | None) -> None:
    model = DummyRegressor().fit(CANDLES[["close"]], CLOSE)
    assert captured(model, CANDLES[["close"]], gate=gate, promotion=promotion).manifest.gate == expected


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"answers": np.arange(18.0)}, "There are 18 answers, but the example has 17 windows of 24 rows"),
        ({"answers": (np.arange(5.0), np.zeros((5, 3)))}, r"have shape \(5, 3\), expected \(5, 2\)"),
        ({"answers": (np.arange(5.0), np.zeros((4, 2)))}, r"have shape \(4, 2\), expected \(5, 2\)"),
        ({"answers": (np.arange(2.0), [[0.0, 1.0], [0.0]])}, "intervals of answers=.* are no numbers"),
        ({"answers": np.zeros((5, 3))}, r"shape \(5, 3\), expected one value for each row"),
        ({"window": {"rows": 41, "order_by": "timestamp"}}, "has 40 rows and no whole window: give at least 41"),
        ({"window": {"rows": 3, "order_by": "when"}}, "order_by names the column 'when', which is not there"),
        ({"window": {"rows": 3, "order_by": "pair"}}, "order_by needs a column of dates or numbers"),
        ({"interval_level": 1}, "interval_level is 1, expected a share between 0 and 1, such as 0.9"),
        ({"interval_level": 0.0}, "interval_level is 0.0"),
        ({"interval_level": "90 %"}, "interval_level is '90 %'"),
        ({"interval_level": 0.9, "task": "classification"}, "belongs to a regression"),
        ({"interval_level": 0.9, "answers": ["up"] * 5}, "The answers are labels"),
        ({"gate": {"loss": "< 0.5"}}, "The gate of 'loss' is '< 0.5'"),
        ({"gate": "loss <= 0.5"}, "expected a dict: {'loss': '<= 0.5'}"),
        ({"promotion": "by-gate"}, "needs a gate with at least one bound"),
        ({"promotion": "at once"}, "promotion is 'at once', expected one of: by-hand, by-gate"),
        ({"tensors": {}}, "tensors is {}, expected a dict"),
        ({"tensors": {"ohlc": 3}}, "Tensor 'ohlc' takes 3, expected a column"),
    ],
)
def test_what_cannot_be_meant_is_refused(more: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        captured(**{"window": WINDOW, **more})


@pytest.mark.parametrize(
    ("window", "told"),
    [
        ({"rows": "120", "order_by": "timestamp"}, "Window.rows: expected int, found '120'"),
        ({"rows": 120}, "Window.order_by: expected a value"),
        ({"rows": 120, "order_by": "timestamp", "groups": "pair"}, "Window.groups: expected one of: rows, order_by"),
        ("120 rows", "Window: expected an object"),
    ],
)
def test_a_window_that_is_none_names_the_field(window: Any, told: str) -> None:
    with pytest.raises(InvalidDocument, match=told):
        captured(window=window)


def test_a_tensor_of_a_column_that_is_not_there_lists_the_columns_and_the_units() -> None:
    with pytest.raises(NotFound, match=r"There is no column 'ns2'.*s, ms, us, ns"):
        captured(window=WINDOW, tensors={"timestamp": ("timestamp", "ns2")})


@pytest.mark.parametrize(
    "more", [{"window": WINDOW}, {"tensors": TENSORS}, {"interval_level": 0.9}], ids=["window", "tensors", "level"]
)
def test_a_model_in_python_has_no_windows_and_is_told_what_has(more: dict[str, Any]) -> None:
    model = DummyRegressor().fit(CANDLES[["close"]], CLOSE)
    with pytest.raises(Refused, match="DummyRegressor is no ONNX file") as caught:
        captured(model, CANDLES[["timestamp", "close"]], **more)
    assert "torch.onnx.export" in caught.value.checks[0].advice
    assert f"leave out {next(iter(more))}" in caught.value.checks[0].advice


def test_answers_to_rows_still_are_one_for_each() -> None:
    with pytest.raises(InvalidRequest, match=r"There are 3 answers, the example has 40 rows"):
        captured(graph("y"), CANDLES[["close"]], answers=[1.0, 2.0, 3.0])
