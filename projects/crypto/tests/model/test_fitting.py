"""From windows to a forecaster that has been judged."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from crypto.model.data import Parts, split_windows, windows_of
from crypto.model.fitting import fit, forecast
from crypto.model.parameters import ModelParameters
from series import real
from windows import TINY, TINY_LEVEL, parts

CONTRACT = {
    "mae",
    "naive_mae",
    "naive_ratio",
    "winkler",
    "winkler_constant",
    "winkler_ratio",
    "coverage",
    "loss",
    "val_loss",
    "test_loss",
    "naive_ratio_week_1",
}


@pytest.mark.parametrize("parameters", [TINY, TINY_LEVEL], ids=["return", "level"])
def test_a_forecaster_comes_with_the_figures_of_its_card(parameters: ModelParameters, tmp_path: Path) -> None:
    found = fit(parts(700), parameters, tmp_path)

    assert set(found.metrics) == CONTRACT
    assert all(np.isfinite(list(found.metrics.values())))
    assert found.metrics["loss"] == pytest.approx((found.metrics["val_loss"] + found.metrics["test_loss"]) / 2)
    assert json.loads(json.dumps(found.report))["windows"] == {"train": 408, "validation": 102, "test": 70}


def test_the_metrics_are_those_of_the_model_that_is_served(tmp_path: Path) -> None:
    told = parts(700)
    found = fit(told, TINY, tmp_path)

    served = forecast(found.model, told.test, found.report["constant_quantile"])

    error = np.abs(served.prediction - told.test.next_close).mean()
    held = (served.low <= told.test.next_close) & (told.test.next_close <= served.high)
    assert found.metrics["mae"] == pytest.approx(error)
    assert found.metrics["coverage"] == held.mean()


def test_the_interval_holds_nine_in_ten_of_the_validation_part(tmp_path: Path) -> None:
    told = parts(1300)
    found = fit(told, TINY, tmp_path)

    served = forecast(found.model, told.validation, found.report["constant_quantile"])

    held = (served.low <= told.validation.next_close) & (told.validation.next_close <= served.high)
    assert 0.9 <= held.mean() <= 0.91


def test_the_test_part_is_only_counted(tmp_path: Path) -> None:
    told = parts(700)
    other = told._replace(test=windows_of(told.test, slice(20)))

    first, second = (fit(one, TINY, tmp_path / str(at)) for at, one in enumerate((told, other)))

    assert {**first.report, "metrics": 0, "train_seconds": 0}.keys() == second.report.keys()
    assert first.report["quantile"] == second.report["quantile"]
    assert first.metrics["val_loss"] == second.metrics["val_loss"]


def test_a_change_that_made_validation_worse_is_not_forecast(tmp_path: Path) -> None:
    told = parts(700)
    # What follows the validation windows is what hurts most: hardly a price moves.
    still = told.validation._replace(next_close=told.validation.ohlc[:, -1, 3] * 1.0)
    still.next_close[::2] *= 1.0001
    bent = Parts(told.train, still, told.test, told.minima, told.maxima)

    found = fit(bent, dataclasses.replace(TINY, learning_rate=0.05), tmp_path)

    assert not found.report["keeps_change"]
    assert found.metrics["naive_ratio"] == 1.0


def test_a_figure_that_is_not_that_of_the_features_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is told of 8 features, and a row without volumes has 7"):
        fit(parts(700), dataclasses.replace(TINY, number_of_features=8), tmp_path)


def test_the_return_on_real_candles_is_not_worse_than_the_last_close(tmp_path: Path) -> None:
    told = split_windows(real("BTCUSDT").iloc[-3000:])
    quick = dataclasses.replace(TINY, max_epochs=3, hidden_size=8, rows=24)

    found = fit(told, quick, tmp_path)

    assert found.metrics["naive_ratio"] <= 1.005
    assert 0.8 <= found.metrics["coverage"] <= 0.98
    assert found.metrics["winkler_ratio"] < 1


def test_the_level_on_real_candles_is_worse_than_the_last_close_and_its_figures_say_so(tmp_path: Path) -> None:
    told = split_windows(real("BTCUSDT").iloc[-2000:])

    found = fit(told, TINY_LEVEL, tmp_path)

    assert found.metrics["naive_ratio"] > 1.005
