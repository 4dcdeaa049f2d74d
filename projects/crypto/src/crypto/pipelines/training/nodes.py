"""What training does: cut windows, train the target that is asked for, calibrate its interval, judge it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from crypto.model.augmented import AugmentedModel
from crypto.model.data import Parts, split_windows
from crypto.model.fitting import fit
from crypto.model.parameters import ModelParameters, read_parameters

FOLDER = Path("data/training")  # the best checkpoint


def train_forecaster(
    series: pd.DataFrame, market: Mapping[str, Any], parameters: Mapping[str, Any]
) -> tuple[AugmentedModel, dict[str, Any]]:
    """Return the forecaster of the chosen target and its report, a JSON document.

    ``series``: clean candles; ``market``: what they are of, ``step`` above all; ``parameters``: all of
    parameters.yaml. The report carries ``metrics`` by the names that gate and card read, and ``params``.
    """
    told = model_parameters(parameters)
    fitted = fit(parts_of(series, market, parameters), told, FOLDER, parameters["interval_level"])
    of_market = {name: market[name] for name in ("pair", "interval", "candles_from", "candles_to")}
    params = {"target": told.target, "width": fitted.report["width"], **of_market, "source": market["name"]}
    return fitted.model, {**fitted.report, "params": params}


def model_parameters(parameters: Mapping[str, Any]) -> ModelParameters:
    """Return the settings of the target that the parameters name."""
    target = parameters["target"]
    return read_parameters(
        target,
        parameters.get(target, {}),
        with_volume=parameters["preprocessing"]["with_volume"],
        tracker=parameters["tracker"],
        seed=parameters["seed"],
    )


def parts_of(series: pd.DataFrame, market: Mapping[str, Any], parameters: Mapping[str, Any]) -> Parts:
    """Return the windows of the series, to train, to validate and to test."""
    told = parameters["preprocessing"]
    return split_windows(
        series,
        sequence_length=told["sequence_length"],
        step=market["step"],
        shares=(told["train_share"], told["val_share"]),
        with_volume=told["with_volume"],
    )
