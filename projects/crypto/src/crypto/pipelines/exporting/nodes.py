"""What exporting does: hand the graph to boucle with the network's own answers, say what came of it, tidy up."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boucle
import pandas as pd
import torch

from crypto.candles import iso
from crypto.features import Floats, Windows, create_windows, window_columns
from crypto.model.augmented import AugmentedModel
from crypto.model.evaluation import gate
from crypto.model.training import CHECKPOINT
from crypto.pipelines.training.nodes import FOLDER

logger = logging.getLogger(__name__)
MOST_ANSWERS = 1000  # windows that boucle proves the graph on, and shows on the page
DATA = Path("data")
WORKING = (  # what the pipelines leave for each other, as conf/base/catalog.yml names it, and the checkpoint
    DATA / "series.parquet",
    DATA / "market.json",
    DATA / "forecaster.pickle",
    DATA / "training_report.json",
    DATA / "model.onnx",
    DATA / "report.json",
    FOLDER / CHECKPOINT,
)


def newest_windows(
    series: pd.DataFrame, sequence_length: int, step: float | None, *, with_volume: bool = False
) -> Windows:
    """Return the newest windows of a series, at most 1,000, the last one ending with its last candle.

    They are those that boucle cuts (`boucle.core.window.sliding`): unlike windows to train on, the newest and those
    before a cut are among them. Nobody asks what came next: ``next_close`` is NaN.
    """
    tail = series.iloc[-(sequence_length + MOST_ANSWERS - 1) :]
    return create_windows(tail, sequence_length, step, with_volume=with_volume, is_followed=False)


@dataclass(frozen=True, eq=False)
class Proof:
    """What boucle proves the graph on: ``candles`` (timestamp, open, high, low, close; with volumes also volume and
    tb_base_av), how ``window``s are cut from them, and what the network answers to the newest ones: next closes (n,)
    and ``intervals`` (n, 2)."""

    candles: pd.DataFrame
    window: dict[str, Any]
    prediction: Floats
    intervals: Floats


def make_proof(
    forecaster: AugmentedModel, series: pd.DataFrame, market: Mapping[str, Any], parameters: Mapping[str, Any]
) -> Proof:
    """Return the candles with what the network, not yet the graph, answers to their newest windows."""
    told = parameters["preprocessing"]
    windows = newest_windows(series, told["sequence_length"], market["step"], with_volume=told["with_volume"])
    with torch.no_grad():
        answers = forecaster(torch.from_numpy(windows.timestamps), torch.from_numpy(windows.ohlc))
    prediction, intervals = (answer.numpy() for answer in answers)
    candles = series[["timestamp", *window_columns(with_volume=told["with_volume"])]]
    return Proof(candles, window_of(market, parameters), prediction, intervals)


def upload_files(
    onnx_model: bytes, report: Mapping[str, Any], proof: Proof, parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """Deploy the graph with the candles and the network's answers; return name, version and aliases.

    Its ``params`` are those of the report and ``trained_until``, the newest candle that training or calibration saw
    (ISO 8601, UTC), which its page shows. boucle proves that the graph answers as the network did, and promotes it
    by the gate of the parameters, or waits for a person. Raises boucle's Refused when the proof fails: the version
    that serves goes on serving.
    """
    told = report["params"]
    deployment = boucle.deploy(
        onnx_model,
        model_name(told, parameters),
        example=proof.candles,
        answers=(proof.prediction, proof.intervals),
        task="regression",
        window=proof.window,
        tensors=tensors_of(proof.candles),
        interval_level=parameters["interval_level"],
        metrics=report["metrics"],
        params={**told, "trained_until": report["trained_until"]},
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
    """Remove the files that the pipelines left (`WORKING`): boucle holds the graph and the candles now.

    Not with ``exporting.keep_files``. No other file is touched, nor the candles that ``fetching.store`` names, even
    where that is one of these names.
    """
    if parameters["exporting"]["keep_files"]:
        return
    store = Path(parameters["fetching"]["store"] or "").resolve()
    for path in WORKING:
        if path.is_file() and path.resolve() != store:
            path.unlink()
    if FOLDER.is_dir() and not any(FOLDER.iterdir()):
        FOLDER.rmdir()
    logger.info("The working files of %s version %s are removed.", deployed["name"], deployed["version"])


def model_name(told: Mapping[str, Any], parameters: Mapping[str, Any]) -> str:
    """Return the name of the registered model: that of the parameters, else that of the pair, such as btcusdt."""
    return str(parameters["exporting"]["name"] or told["pair"].lower())


def window_of(market: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return how boucle makes windows of rows, by the rule for holes that the series was cleaned with.

    Training fills holes of at most ``most_filled`` candles each; boucle fills the same, and also refuses a window in
    which several holes add up to more. With ``most_filled`` 0 holes are refused. With volumes they are refused too:
    boucle fills a column with the last value of one, and a candle that nobody traded has volumes of 0.
    """
    told = parameters["preprocessing"]
    window = {"rows": told["sequence_length"], "order_by": "timestamp"}
    if market["step"] is None:
        return window
    if told["with_volume"] or not told["most_filled"]:
        return {**window, "step": market["step"], "gaps": "refuse"}
    flat = dict.fromkeys(("open", "high", "low"), "close")
    return {**window, "step": market["step"], "gaps": "fill", "fill": flat, "most_filled": told["most_filled"]}


def tensors_of(candles: pd.DataFrame) -> dict[str, Any]:
    """Return which columns of the candles fill which tensor of the graph."""
    return {"timestamp": ("timestamp", "ms"), "ohlc": [name for name in candles.columns if name != "timestamp"]}
