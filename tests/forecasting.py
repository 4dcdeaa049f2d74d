"""A forecaster that anyone can check: windows of four candles in, the next close and its interval out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from boucle.core.schema import ColumnSchema, Schema
from boucle.core.signature import Input, Signature, Tensor
from boucle.core.table import Column, Table
from boucle.core.window import Window
from routed import model_bytes

ROWS = 4
PRICES = ("open", "high", "low", "close")
HOURLY = Window(ROWS, "timestamp", step=3600)
FILLED = Window(ROWS, "timestamp", None, 3600, "fill", {"open": "close", "high": "close", "low": "close"}, 1)
Candle = dict[str, Any]


def forecaster(rows: int | None = ROWS, low: float = -1.0, high: float = 2.0, dtype: int = TensorProto.DOUBLE) -> bytes:
    """Return the file: the last close, plus the mean of high - low, plus a thousandth of the hour of the day.

    The interval reaches from ``low`` to ``high`` around it. ``timestamp`` counts milliseconds since 1970.
    """
    node, info = helper.make_node, helper.make_tensor_value_info
    nodes = [
        node("Gather", ["timestamp", "minus one"], ["last time"], axis=1),
        node("Div", ["last time", "hour"], ["hours"]),
        node("Mod", ["hours", "day"], ["hour of day"]),
        node("Cast", ["hour of day"], ["hour as number"], to=dtype),
        node("Mul", ["hour as number", "thousandth"], ["season"]),
        node("Gather", ["ohlc", "minus one"], ["last candle"], axis=1),
        node("Gather", ["last candle", "minus one"], ["last close"], axis=1),
        node("Gather", ["ohlc", "one"], ["highs"], axis=2),
        node("Gather", ["ohlc", "two"], ["lows"], axis=2),
        node("Sub", ["highs", "lows"], ["spreads"]),
        node("ReduceMean", ["spreads"], ["spread"], axes=[1], keepdims=0),
        node("Add", ["last close", "spread"], ["unseasoned"]),
        node("Add", ["unseasoned", "season"], ["prediction"]),
        node("Unsqueeze", ["prediction", "axis"], ["middle"]),
        node("Add", ["middle", "bounds"], ["intervals"]),
    ]
    number = helper.tensor_dtype_to_np_dtype(dtype)
    constants = {
        "minus one": np.array(-1),
        "one": np.array(1),
        "two": np.array(2),
        "hour": np.array(3_600_000),
        "day": np.array(24),
        "axis": np.array([1]),
        "thousandth": np.array(0.001, number),
        "bounds": np.array([[low, high]], number),
    }
    graph = helper.make_graph(
        nodes,
        "forecaster",
        [info("timestamp", TensorProto.INT64, [None, rows]), info("ohlc", dtype, [None, rows, 4])],
        [info("prediction", dtype, [None]), info("intervals", dtype, [None, 2])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return model_bytes(graph)


def candles(n: int, start: str = "2024-05-01T00", group: str | None = None) -> list[Candle]:
    """Return hourly candles that are all different, oldest first."""
    first, told = np.datetime64(start, "us"), []
    for i in range(n):
        close = 100.0 + i * i
        time = str(first + np.timedelta64(i, "h")) + "Z"
        row = {"timestamp": time, "open": close - 1, "high": close + 0.5 * (i + 1), "low": close - 2, "close": close}
        told.append(row if group is None else {**row, "pair": group})
    return told


def forecast(window: Sequence[Candle]) -> float:
    """Return what the file answers to four candles in order, by hand."""
    hour = int(window[-1]["timestamp"][11:13])
    spread = sum(row["high"] - row["low"] for row in window) / len(window)
    return float(window[-1]["close"] + spread + hour / 1000)


def table_of(rows: Sequence[Candle]) -> Table:
    """Return candles as a table."""
    times = np.array([row["timestamp"].removesuffix("Z") for row in rows], dtype="datetime64[us]")
    columns = {"timestamp": Column("datetime", times)}
    for name in PRICES:
        columns[name] = Column("float", np.array([row[name] for row in rows], dtype=np.float64))
    if rows and "pair" in rows[0]:
        columns["pair"] = Column("text", np.array([row["pair"] for row in rows], dtype=object))
    return Table(columns)


def schema(window: Window = HOURLY) -> Schema:
    """Return the schema of candles; with the column ``pair`` when the window groups by it."""
    example = candles(1)[0]
    columns = [ColumnSchema("timestamp", "datetime", example=example["timestamp"])]
    columns += [ColumnSchema(name, "float", example=example[name]) for name in PRICES]
    if window.group_by is not None:
        columns.append(ColumnSchema("pair", "category", nullable=True, categories=("BTC", "ETH"), example="BTC"))
    return Schema(tuple(columns), window)


def signature(window: Window = HOURLY, **changes: Any) -> Signature:
    """Return the signature as a build leaves it."""
    inputs = tuple(Input(column.name, column.kind, column.kind) for column in schema(window).columns)
    told: dict[str, Any] = {
        "input_tensors": (
            Tensor("timestamp", "int64", (None, ROWS), ("timestamp",), "ms"),
            Tensor("ohlc", "float64", (None, ROWS, 4), PRICES),
        ),
        "output_tensors": (Tensor("prediction", "float64", (None,)), Tensor("intervals", "float64", (None, 2))),
        "interval_level": 0.9,
    }
    return Signature("onnx", inputs, "regression", "float", **{**told, **changes})
