"""The graph that leaves: as the network answers, on its own, and refused when it is not."""

from __future__ import annotations

import copy
import dataclasses
import logging
from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import pytest
import torch
from torch import Tensor

from crypto.model import calendar
from crypto.model.augmented import AugmentedModel
from crypto.model.conversion import ConversionError, _quiet, convert_model, run_onnx, validate_model, with_edges
from crypto.model.data import Parts, split_windows
from crypto.model.fitting import Fitted, fit
from crypto.model.inputs import LevelInputs
from crypto.model.parameters import ModelParameters
from windows import TINY, TINY_LEVEL, hours, parts, traded


@pytest.fixture(scope="module")
def walked() -> Parts:
    return parts(700)


@pytest.fixture(scope="module")
def forecaster(walked: Parts, tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    return fit(walked, TINY, tmp_path_factory.mktemp("return"))


@pytest.fixture(scope="module")
def content(forecaster: Fitted) -> bytes:
    return convert_model(forecaster.model)


@pytest.fixture(scope="module")
def level(walked: Parts, tmp_path_factory: pytest.TempPathFactory) -> AugmentedModel:
    return fit(walked, TINY_LEVEL, tmp_path_factory.mktemp("level")).model


@pytest.fixture(scope="module")
def level_content(level: AugmentedModel) -> bytes:
    return convert_model(level)


def test_the_graph_answers_as_the_network(forecaster: Fitted, content: bytes, walked: Parts) -> None:
    parity = validate_model(content, forecaster.model, walked.test)

    assert parity.n == 70 + 12
    assert parity.largest <= 1e-5
    assert parity.intervals <= 1e-5
    assert parity.of_naive < 1e-3


def test_the_graph_is_one_file_with_the_promised_form(content: bytes) -> None:
    model = onnx.load_model_from_string(content)

    onnx.checker.check_model(model)
    forms = {
        value.name: (value.type.tensor_type.elem_type, [dim.dim_value for dim in value.type.tensor_type.shape.dim])
        for value in (*model.graph.input, *model.graph.output)
    }
    whole, real = onnx.TensorProto.INT64, onnx.TensorProto.DOUBLE
    assert forms == {
        "timestamp": (whole, [0, 120]),
        "ohlc": (real, [0, 120, 4]),
        "prediction": (real, [0]),
        "intervals": (real, [0, 2]),
    }
    assert [opset.version for opset in model.opset_import if opset.domain == ""] == [20]
    assert [node.op_type for node in model.graph.node].count("LSTM") == 1


@pytest.mark.parametrize("parameters", [TINY, TINY_LEVEL], ids=["return", "level"])
def test_with_volumes_the_graph_takes_six_columns(parameters: ModelParameters, tmp_path: Path) -> None:
    told = split_windows(traded(700), with_volume=True)
    more = dataclasses.replace(parameters, number_of_features=parameters.number_of_features + 2)
    model = fit(told, more, tmp_path).model

    content = convert_model(model)
    parity = validate_model(content, model, told.test)

    forms = {value.name: value.type.tensor_type.shape for value in onnx.load_model_from_string(content).graph.input}
    assert [dim.dim_value for dim in forms["ohlc"].dim] == [0, 120, 6]
    assert model.columns == ("open", "high", "low", "close", "volume", "tb_base_av")
    assert max(parity.largest, parity.intervals) <= 1e-5


@pytest.mark.parametrize("n", [1, 2, 7])
def test_any_number_of_windows_gives_the_same_answers(content: bytes, walked: Parts, n: int) -> None:
    together = run_onnx(content, walked.test.timestamps, walked.test.ohlc)

    apart = run_onnx(content, walked.test.timestamps[:n], walked.test.ohlc[:n])

    assert np.allclose(apart[0], together[0][:n], rtol=1e-9)
    assert np.allclose(apart[1], together[1][:n], rtol=1e-9)


def test_the_interval_holds_its_forecast_and_no_price_below_zero(content: bytes, walked: Parts) -> None:
    told = with_edges(walked.test)

    prediction, intervals = run_onnx(content, told.timestamps, told.ohlc)

    assert (intervals[:, 0] <= prediction).all()
    assert (prediction <= intervals[:, 1]).all()
    assert (intervals >= 0).all()
    assert np.isfinite(intervals).all()


def test_the_level_answers_in_the_units_of_the_price(
    level: AugmentedModel, level_content: bytes, walked: Parts
) -> None:
    validate_model(level_content, level, walked.test)

    prediction, _intervals = run_onnx(level_content, walked.test.timestamps, walked.test.ohlc)

    assert 0.2 < np.median(prediction / walked.test.next_close) < 5


def test_a_scaling_undone_by_the_wrong_column_is_caught(
    level: AugmentedModel, level_content: bytes, walked: Parts
) -> None:
    wrong = copy.deepcopy(level)
    assert isinstance(wrong.inputs, LevelInputs)
    wrong.inputs.close = 8  # close_change instead of close: 45,000 comes back as some 262

    with pytest.raises(ConversionError, match=r"differs from the model by .* Do not deploy it"):
        validate_model(level_content, wrong, walked.test)


def test_an_interval_of_another_calibration_is_caught(forecaster: Fitted, content: bytes, walked: Parts) -> None:
    wider = copy.deepcopy(forecaster.model)
    wider.quantile *= 1.01

    with pytest.raises(ConversionError, match="on 82 windows; at most 1e-05 is accepted"):
        validate_model(content, wider, walked.test)


def test_an_answer_that_is_no_number_is_caught(forecaster: Fitted, content: bytes, walked: Parts) -> None:
    broken = copy.deepcopy(forecaster.model)
    broken.quantile.fill_(float("nan"))

    with pytest.raises(ConversionError):
        validate_model(content, broken, walked.test)


def test_another_graph_is_refused_by_its_form(content: bytes, forecaster: Fitted, walked: Parts) -> None:
    model = onnx.load_model_from_string(content)
    model.graph.input[0].type.tensor_type.shape.dim[0].ClearField("dim_param")
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 2

    with pytest.raises(ConversionError, match="any batch: False"):
        validate_model(model.SerializeToString(), forecaster.model, walked.test)


def test_the_exporter_is_quiet(
    forecaster: Fitted, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    convert_model(forecaster.model)

    assert capfd.readouterr() == ("", "")
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []


class _Calendar(torch.nn.Module):
    def forward(self, timestamp: Tensor) -> Tensor:
        year, month, day = calendar.civil(calendar.days_since_1970(timestamp))
        rest = calendar.day_of_week(timestamp), calendar.week_of_year(timestamp), calendar.hour_of_day(timestamp)
        return torch.stack([year, month, day, *rest], dim=-1)


def test_the_calendar_stays_exact_inside_the_graph(tmp_path: Path) -> None:
    path, times = tmp_path / "calendar.onnx", hours("1970-01-01", 130 * 8766)[::7]
    with _quiet():
        torch.onnx.export(
            _Calendar(),
            (torch.zeros((2, 3), dtype=torch.int64),),
            str(path),
            dynamo=True,
            opset_version=20,
            dynamic_shapes=[{0: torch.export.Dim("batch")}],
        )
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    n = len(times) // 3 * 3
    found = session.run(None, {session.get_inputs()[0].name: times[:n].reshape(-1, 3)})[0].reshape(-1, 6)

    told = pd.DatetimeIndex(times[:n].astype("datetime64[ms]"))
    weeks = told.isocalendar()["week"].to_numpy(np.int64)
    expected = np.column_stack([told.year, told.month, told.day, told.day_of_week, weeks, told.hour])
    assert np.array_equal(found, expected)
