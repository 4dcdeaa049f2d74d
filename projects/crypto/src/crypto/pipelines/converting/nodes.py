"""What converting does: write the graph, compare it with the network on many windows, note how near they are."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Mapping
from typing import Any

import pandas as pd

from crypto.features import Windows
from crypto.model.augmented import AugmentedModel
from crypto.model.conversion import convert_model, validate_model
from crypto.pipelines.training.nodes import parts_of

logger = logging.getLogger(__name__)


def windows_to_compare(series: pd.DataFrame, market: Mapping[str, Any], parameters: Mapping[str, Any]) -> Windows:
    """Return the windows of the test part, on which the graph is compared with the network."""
    return parts_of(series, market, parameters).test


def convert_forecaster(
    forecaster: AugmentedModel, training_report: Mapping[str, Any], windows: Windows, parameters: Mapping[str, Any]
) -> tuple[bytes, dict[str, Any]]:
    """Return the ONNX file and the report with ``parity`` among its metrics.

    Raises ConversionError, and writes nothing, when an answer differs by more than ``converting.parity``.
    """
    started = time.perf_counter()
    told = parameters["converting"]
    content = convert_model(forecaster, windows.timestamps.shape[1], told["opset"])
    parity = validate_model(content, forecaster, windows, told["parity"])
    seconds = round(time.perf_counter() - started, 2)
    logger.info(
        "ONNX graph of %.1f kB in %.1f s; differs from the network by at most %.1g of the price on %d windows",
        len(content) / 1000,
        seconds,
        parity.largest,
        parity.n,
    )
    metrics = {**training_report["metrics"], "parity": parity.largest}
    conversion = {**dataclasses.asdict(parity), "seconds": seconds, "size_bytes": len(content), "opset": told["opset"]}
    return content, {**training_report, "metrics": metrics, "conversion": conversion}
