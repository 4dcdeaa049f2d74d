"""What exporting does: hand the graph to boucle with the network's own answers, say what came of it, tidy up."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boucle
import numpy as np
import pandas as pd
import torch

from crypto.candles import iso
from crypto.features import HOUR_S, OHLC, Floats, Windows, create_windows
from crypto.model.augmented import AugmentedModel
from crypto.model.evaluation import gate

logger = logging.getLogger(__name__)
COLUMNS = ("timestamp", *OHLC)
TENSORS = {"timestamp": ("timestamp", "ms"), "ohlc": list(OHLC)}
MOST_ANSWERS = 1000  # windows that boucle proves the graph on, and shows on the page
WORKING = Path("data")


def newest_windows(series: pd.DataFrame, sequence_length: int, step: float | None) -> Windows:
    """Return the newest windows of a series, at most 1,000, the last one ending with its last candle.

    Unlike windows to train on, the newest has no next close yet: its ``next_close`` is NaN.
    """
    tail = series.iloc[-(sequence_length + MOST_ANSWERS - 1) :]
    unknown = tail.iloc[[-1]].assign(close=np.nan)
    unknown["timestamp"] += pd.Timedelta(seconds=step or HOUR_S)
    return create_windows(pd.concat([tail, unknown], ignore_index=True), sequence_length, step)


@dataclass(frozen=True, eq=False)
class Proof:
    """What boucle proves the graph on: ``candles`` (timestamp, open, high, low, close), how ``window``s are cut from
    them, and what the network answers to the newest ones: next closes (n,) and ``intervals`` (n, 2)."""

    candles: pd.DataFrame
    window: dict[str, Any]
    prediction: Floats
    intervals: Floats


def make_proof(
    forecaster: AugmentedModel, series: pd.DataFrame, market: Mapping[str, Any], parameters: Mapping[str, Any]
) -> Proof:
    """Return the candles with what the network, not yet the graph, answers to their newest windows."""
    windows = newest_windows(series, parameters["preprocessing"]["sequence_length"], market["step"])
    with torch.no_grad():
        answers = forecaster(torch.from_numpy(windows.timestamps), torch.from_numpy(windows.ohlc))
    prediction, intervals = (answer.numpy() for answer in answers)
    return Proof(series[list(COLUMNS)], window_of(market, parameters), prediction, intervals)


def upload_files(
    onnx_model: bytes, report: Mapping[str, Any], proof: Proof, parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """Deploy the graph with the candles and the network's answers; return name, version and aliases.

    boucle proves that the graph answers as the network did, and promotes it by the gate of the parameters, or waits
    for a person. Raises boucle's Refused when the proof fails: the version that serves goes on serving.
    """
    told = report["params"]
    deployment = boucle.deploy(
        onnx_model,
        model_name(told, parameters),
        example=proof.candles,
        answers=(proof.prediction, proof.intervals),
        task="regression",
        window=proof.window,
        tensors=TENSORS,
        interval_level=parameters["interval_level"],
        metrics=report["metrics"],
        params=told,
        gate=gate(parameters["gate"]),
        promotion=parameters["promotion"],
        description=f"The next {told['interval']} close of {told['pair']}, with its interval. No advice.",
    )
    aliases = deployment.aliases
    newest = iso(proof.candles["timestamp"].iloc[-1])
    words = " and ".join(aliases) or "without an alias"
    logger.info("%s version %d is %s; its newest candle begins %s.", deployment.name, deployment.version, words, newest)
    return {"name": deployment.name, "version": deployment.version, "aliases": list(aliases)}


def clean_files(deployed: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
    """Remove what the pipelines left under ``data/``: boucle holds the graph and the candles now.

    Not with ``exporting.keep_files``. Candles that ``fetching.store`` names stay, with the note on their source.
    """
    if parameters["exporting"]["keep_files"] or not WORKING.is_dir():
        return
    store = Path(parameters["fetching"]["store"] or "")
    stored = {store.resolve(), store.with_name(f"{store.stem}.source.json").resolve()} if store.name else set()
    for path in WORKING.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.resolve() not in stored:
            path.unlink()
    logger.info("The working files of %s version %s are removed.", deployed["name"], deployed["version"])


def model_name(told: Mapping[str, Any], parameters: Mapping[str, Any]) -> str:
    """Return the name of the registered model: that of the parameters, else that of the pair, such as btcusdt."""
    return str(parameters["exporting"]["name"] or told["pair"].lower())


def window_of(market: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return how boucle makes windows of rows: by the same rule for holes that the series was cleaned with."""
    window = {"rows": parameters["preprocessing"]["sequence_length"], "order_by": "timestamp"}
    if market["step"] is None:
        return window
    flat = dict.fromkeys(("open", "high", "low"), "close")
    most_filled = parameters["preprocessing"]["most_filled"]
    return {**window, "step": market["step"], "gaps": "fill", "fill": flat, "most_filled": most_filled}
