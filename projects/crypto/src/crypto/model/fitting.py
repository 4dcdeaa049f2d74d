"""From windows to a forecaster that has been judged: train, choose the interval's width, calibrate, test."""

from __future__ import annotations

import dataclasses
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from crypto.features import Floats, Windows
from crypto.model.augmented import AugmentedModel
from crypto.model.data import CryptoDataset, LSTMDataLoader, Parts, fit_inputs
from crypto.model.evaluation import Forecasts, growth, metrics, naive_ratio
from crypto.model.inputs import Inputs
from crypto.model.intervals import LEVEL, Calibration, Width, best_width, fit_widths
from crypto.model.moves import tensors
from crypto.model.network import LSTMRegressor
from crypto.model.parameters import RETURN, ModelParameters
from crypto.model.predictor import PricePredictor
from crypto.model.training import Trained, training_loop

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Fitted:
    """A forecaster and what is known of it.

    ``metrics`` carry the names that the gate and the card read, measured on the test part, which nothing was fitted
    on. ``report`` is a JSON document: the metrics, the width chosen and the scores it was chosen by, sizes, times.
    """

    model: AugmentedModel
    metrics: dict[str, float]
    report: dict[str, Any]


def fit(parts: Parts, parameters: ModelParameters, folder: Path, level: float = LEVEL) -> Fitted:
    """Train on the training part, choose and calibrate the interval on the validation part, judge on the test part.

    The width is chosen by cross-fitting within the validation part and then calibrated on all of it. A return
    network whose changes did not make errors smaller, in both halves of the validation part, is told to forecast
    none: its interval stays.
    """
    inputs = fit_inputs(parts, parameters)
    _require_features(inputs, parameters)
    train, validation = CryptoDataset(parts.train, inputs), CryptoDataset(parts.validation, inputs)
    trained = training_loop(LSTMDataLoader(train, validation, parameters), parameters, folder)
    network = trained.predictor.network
    keeps_change = parameters.target != RETURN or _helps(network, inputs, parts.validation)
    if not keeps_change:
        network.forecast_no_change()
    model, chosen = _calibrated(parts, inputs, network, level)
    losses = [_loss(trained.predictor, part) for part in (validation, CryptoDataset(parts.test, inputs))]
    forecasts = forecast(model, parts.test, chosen["constant_quantile"])
    found = {
        **metrics(forecasts, level),
        **growth(forecasts, int(parts.validation.timestamps[-1, -1])),
        "loss": sum(losses) / 2,
        "val_loss": losses[0],
        "test_loss": losses[1],
    }
    report = {**chosen, "keeps_change": keeps_change, "interval_level": level, "metrics": found}
    report |= _told(parts, parameters, trained)
    logger.info(
        "Test: error %.4f of naive's; interval by %s, Winkler score %.3f of constant width's, coverage %.3f",
        found["naive_ratio"],
        chosen["width"],
        found["winkler_ratio"],
        found["coverage"],
    )
    return Fitted(model, found, report)


def _require_features(inputs: Inputs, parameters: ModelParameters) -> None:
    found, told = inputs.number_of_features, parameters.number_of_features
    if found != told:
        words = "with" if inputs.with_volume else "without"
        raise ValueError(
            f"The network of target {parameters.target!r} is told of {told} features, and a row {words} volumes has "
            f"{found}. The figure number_of_features in parameters.yaml counts those without volumes."
        )


def forecast(model: AugmentedModel, windows: Windows, constant_quantile: float) -> Forecasts:
    """Return what the model says of windows, what came, and the interval of constant width to compare with."""
    timestamp, ohlc, _next = tensors(windows)
    with torch.no_grad():
        prediction, intervals = (answer.numpy() for answer in model(timestamp, ohlc))
    last_close = windows.ohlc[:, -1, 3]
    reach = constant_quantile * last_close
    return Forecasts(
        windows.timestamps[:, -1],
        last_close,
        prediction,
        intervals[:, 0],
        intervals[:, 1],
        prediction - reach,
        prediction + reach,
        windows.next_close,
    )


def _calibrated(
    parts: Parts, inputs: Inputs, network: LSTMRegressor, level: float
) -> tuple[AugmentedModel, dict[str, Any]]:
    widths = {width.name: width for width in fit_widths(parts.train, inputs)}
    prediction, measured = _validated(parts.validation, inputs, network, widths)
    last_close = parts.validation.ohlc[:, -1, 3]
    calibration = Calibration(prediction / last_close - 1, parts.validation.next_close / last_close - 1)
    name, scores = best_width(calibration, measured, level)
    quantile = calibration.quantile(measured[name], level)
    chosen = {
        "width": name,
        "width_scores": {width: score / scores["constant"] for width, score in scores.items()},
        "quantile": quantile,
        "constant_quantile": calibration.quantile(measured["constant"], level),
    }
    return AugmentedModel(inputs, network, widths[name], quantile).eval(), chosen


def _validated(
    windows: Windows, inputs: Inputs, network: LSTMRegressor, widths: dict[str, Width]
) -> tuple[Floats, dict[str, Floats]]:
    timestamp, ohlc, _next = tensors(windows)
    with torch.no_grad():
        outputs = network(inputs(timestamp, ohlc))
        measured = {name: width(timestamp, ohlc, outputs).numpy() for name, width in widths.items()}
        return inputs.price(timestamp, ohlc, outputs).numpy(), measured


def _helps(network: LSTMRegressor, inputs: Inputs, windows: Windows) -> bool:
    """Return whether the changes made errors smaller in the older and in the newer half: one alone may be luck."""
    prediction, _widths = _validated(windows, inputs, network, {})
    half = len(prediction) // 2
    parts = (slice(half), slice(half, None))
    last_close, truth = windows.ohlc[:, -1, 3], windows.next_close
    return all(naive_ratio(prediction[part], last_close[part], truth[part]) < 1 for part in parts)


def _loss(predictor: PricePredictor, part: CryptoDataset) -> float:
    with torch.no_grad():
        return float(predictor.criterion(predictor(part.x), part.y))


def _told(parts: Parts, parameters: ModelParameters, trained: Trained) -> dict[str, Any]:
    newest = int(parts.test.timestamps[-1, -1])
    return {
        "target": parameters.target,
        "epochs": trained.epochs,
        "train_seconds": round(trained.seconds, 2),
        "windows": {name: len(getattr(parts, name).next_close) for name in ("train", "validation", "test")},
        "trained_until": _instant(int(parts.validation.timestamps[-1, -1])),
        "tested_until": _instant(newest),
        "naive_error_share": float(np.abs(parts.test.next_close / parts.test.ohlc[:, -1, 3] - 1).mean()),
        "parameters": dataclasses.asdict(parameters),
    }


def _instant(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds")
