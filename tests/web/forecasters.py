"""Forecasters that could be real, in memory: candles of a random walk, and forecasts of their next close."""

from __future__ import annotations

from typing import Any

import numpy as np

from boucle.core.check import Check
from boucle.core.cutting import sliding
from boucle.core.gate import read_gate
from boucle.core.schema import Schema, infer
from boucle.core.signature import Input, Signature
from boucle.core.table import Column, Table
from boucle.core.version import Manifest
from boucle.core.window import Window
from boucle.registry.model import BuildFound
from web.made_up import NOW_US, PASSED, World

HOUR_US = 3_600_000_000
WINDOW = Window(
    24,
    "timestamp",
    step=3600,
    gaps="fill",
    fill={"open": "close", "high": "close", "low": "close"},
    most_filled=6,
)
METRICS = {
    "mae": 212.4,
    "naive_mae": 212.9,
    "naive_ratio": 0.9977,
    "winkler": 1184.0,
    "winkler_constant": 1369.0,
    "winkler_ratio": 0.8649,
    "coverage": 0.9041,
    "loss": 0.3121,
    "val_loss": 0.3102,
    "test_loss": 0.314,
    "parity": 3.1e-9,
    "naive_ratio_week_1": 0.9981,
    "naive_ratio_week_2": 1.0004,
    "naive_ratio_week_3": 0.9969,
    "naive_ratio_week_4": 0.9988,
    "naive_ratio_week_5": 0.9991,
}
TRAINED_UNTIL = "2026-07-01T05:00:00Z"
PARAMS = {
    "target": "return",
    "width": "ewma_hour",
    "pair": "BTCUSDT",
    "interval": "1h",
    "trained_until": TRAINED_UNTIL,
}
GATE = {"loss": "<= 0.5", "naive_ratio": "<= 1.005"}


def series(n: int = 120, until_us: int = NOW_US - HOUR_US, seed: int = 7) -> Table:
    """Return ``n`` hourly candles of a random walk, the last one at ``until_us``; the same seed goes on from itself.

    Candles are counted from 2026-01-01, so that two series of one seed agree on the hours that both hold.
    """
    start = 1_767_225_600_000_000
    n_all = (until_us - start) // HOUR_US + 1
    random = np.random.default_rng(seed)
    steps, noise = random.normal(0, 0.004, 6000)[:n_all], np.abs(random.normal(0, 0.002, (6000, 2)))[:n_all]
    close = 60_000 * np.exp(np.cumsum(steps))
    opened = np.concatenate([[60_000.0], close[:-1]])
    high = np.maximum(opened, close) * (1 + noise[:, 0])
    low = np.minimum(opened, close) * (1 - noise[:, 1])
    times = (start + HOUR_US * np.arange(n_all)).astype("datetime64[us]")
    columns = {"timestamp": Column("datetime", times)}
    for name, values in (("open", opened), ("high", high), ("low", low), ("close", close)):
        columns[name] = Column("float", values)
    return Table(columns).take(slice(n_all - n, None))


def answers_on(table: Table, window: Window = WINDOW, half_width: float = 0.0066) -> Table:
    """Return what a model says that repeats the last close, a little drawn to the close before, with an interval."""
    windows = sliding(table, window)
    close = windows.table.columns["close"].values.reshape(windows.n, window.rows)
    predicted = close[:, -1] * (1 + 0.05 * (close[:, -2] / close[:, -1] - 1))
    bounds = np.stack([close[:, -1] * (1 - half_width), close[:, -1] * (1 + half_width)], axis=1)
    return Table({"prediction": Column("float", predicted), "intervals": Column("matrix", bounds)})


def manifest(world: World, table: Table, **changes: Any) -> Manifest:
    """Return the manifest of a forecaster whose sample is ``table``; ``window`` and ``answers`` may be told."""
    window = changes.pop("window", WINDOW)
    answers = changes.pop("answers", None)
    schema = Schema(infer(table).columns, window)
    inputs = tuple(Input(name, column.kind, "object") for name, column in table.columns.items())
    told: dict[str, Any] = {
        "format": "onnx",
        "signature": Signature("onnx", inputs, "regression", "float", interval_level=0.9),
        "sample": world.artifacts.write(table.to_bytes()),
        "answers": world.artifacts.write((answers or answers_on(table, window)).to_bytes()),
        "model_class": "",
        "requirements": (),
        "metrics": METRICS,
        "params": PARAMS,
        "tags": {"project": "crypto"},
        "description": "Next hourly close of BTC in USDT, with its interval.",
        "gate": read_gate(GATE),
    }
    return world.manifest(schema, **{**told, **changes})


def deploy(world: World, name: str, made: Manifest) -> int:
    """Register a version and let its build end well, through its gate when it has one; return its number."""
    version, _is_new = world.registry.register(name, made, "ada")
    for check in PASSED[:3]:
        world.registry.add_check(name, version.number, check)
    if made.gate is not None:
        broken = made.gate.broken(made.metrics)
        words = ", ".join(map(str, broken)) + " not kept" if broken else "every bound is kept"
        world.registry.add_check(name, version.number, Check("gate", "warn" if broken else "pass", words))
    world.registry.found(name, version.number, BuildFound("onnx", "runs in ONNX: an ONNX file as it was given"))
    world.registry.mark_ready(name, version.number)
    return version.number


def worse(metrics: dict[str, float] | None = None) -> dict[str, float]:
    """Return the metrics of a model that is twelve times worse than naive."""
    return {**METRICS, "mae": 2576.0, "naive_ratio": 12.1, "loss": 0.61, "test_loss": 0.68, **(metrics or {})}


def held_back(world: World, name: str = "eth-hourly") -> int:
    """Deploy a version that its gate holds back; return its number."""
    return deploy(world, name, manifest(world, series(seed=11), metrics=worse(), seed=71))


def with_forecasters(world: World) -> World:
    """Return the world with a forecaster that has a champion, and one whose only version was held back."""
    deploy(world, "btc-hourly", manifest(world, series(), seed=70))
    held_back(world)
    return world


def without(table: Table, *hours: int) -> Table:
    """Return a table without the rows at some positions."""
    return table.take(np.array([i not in hours for i in range(table.n_rows)]))
