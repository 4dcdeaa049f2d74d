"""The build of a forecaster: its sample becomes windows, each compared with the answer of its notebook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

import forecasting as fc
from boucle.core.gate import read_gate
from boucle.core.schema import Schema, infer
from boucle.core.signature import Input, Signature, Tensor
from boucle.core.table import Column, Table
from boucle.core.version import Manifest
from boucle.core.window import Window
from loop.scene import Scene, statuses
from tables import floats

STEPS = ["artifacts", "onnx", "signature", "parity", "schema", "timing", "smoke"]
TOLD = (
    Tensor("ohlc", "", (), fc.PRICES),
    Tensor("timestamp", "", (), ("timestamp",), "ms"),
)
DAY = fc.candles(24)


def windows_of(rows: Sequence[fc.Candle], n: int = fc.ROWS) -> list[Sequence[fc.Candle]]:
    return [rows[i : i + n] for i in range(len(rows) - n + 1)]


def notebook(rows: Sequence[fc.Candle] = DAY, shift: float = 0.0, bounds: tuple[float, float] = (-1.0, 2.0)) -> Table:
    """The answers of the notebook, computed by hand; ``shift`` is a share of the answer to the third window."""
    found = np.array([fc.forecast(window) for window in windows_of(rows)])
    found[2] *= 1 + shift
    return Table(
        {"prediction": floats(found.tolist()), "intervals": Column("matrix", found[:, None] + np.array([bounds]))}
    )


def sent(scene: Scene, file: bytes, answers: Table | None, rows: Sequence[fc.Candle] = DAY, **changes: Any) -> Manifest:
    """What a notebook sends about a forecaster: a series of candles, and an answer for each of its windows."""
    write, table = scene.world.artifacts.write, fc.table_of(rows)
    window = changes.pop("window", fc.HOURLY)
    inputs = tuple(Input(name, column.kind, column.kind) for name, column in table.columns.items())
    told = Signature("onnx", inputs, "regression", "float", input_tensors=TOLD, interval_level=0.9)
    manifest = Manifest(
        model=write(file),
        format="onnx",
        trusted=True,
        schema=Schema(infer(table).columns, window),
        signature=replace(told, **changes.pop("signature", {})),
        python="3.9.18",
        sample=write(table.to_bytes()),
        answers=None if answers is None else write(answers.to_bytes()),
    )
    return replace(manifest, **changes)


def test_a_forecaster_that_answers_as_its_notebook_is_served_by_the_gateway(scene: Scene) -> None:
    version = scene.built(sent(scene, fc.forecaster(), notebook()))
    assert version.state == "ready", version.reason
    assert statuses(version) == dict.fromkeys(STEPS, "pass")
    checks = {check.name: check for check in version.checks}
    assert checks["artifacts"].evidence["sample_rows"] == 21
    assert "a sample of 21 window(s)" in checks["artifacts"].observed
    assert checks["parity"].observed.startswith("21 windows answer as in the notebook")
    assert checks["parity"].evidence["rows"] == 21
    assert "within 0.000" in checks["parity"].expected
    assert "so near the last value that more would hide an error" in checks["parity"].expected
    assert checks["schema"].observed == "5 columns in, float out with intervals of 90 %"
    assert checks["timing"].observed.startswith("1 window in")
    assert checks["smoke"].observed.startswith("4 rows in ")
    assert checks["signature"].evidence["inputs"][0] == "timestamp ← ['timestamp'] (ms)"


def test_its_signature_says_the_rows_of_each_tensor_and_keeps_the_level(scene: Scene) -> None:
    version = scene.built(sent(scene, fc.forecaster(rows=None), notebook()))
    made = version.signature
    assert made is not None
    assert made.input_tensors == (
        Tensor("timestamp", "int64", (None, 4), ("timestamp",), "ms"),
        Tensor("ohlc", "float64", (None, 4, 4), fc.PRICES),
    )
    assert (made.task, made.prediction_kind, made.probabilities, made.interval_level) == (
        "regression",
        "float",
        False,
        0.9,
    )


def test_a_thousandth_of_a_percent_passes_and_a_hundredth_does_not(scene: Scene) -> None:
    near = scene.built(sent(scene, fc.forecaster(), notebook(shift=4e-6)), "near")
    assert statuses(near)["parity"] == "pass"
    far = scene.built(sent(scene, fc.forecaster(), notebook(shift=1e-4)), "far")
    assert (far.checks[-1].name, far.checks[-1].status) == ("parity", "fail")
    assert "1 of 21 windows (5 %) differ; window 2:" in far.checks[-1].observed


def test_intervals_are_compared_too(scene: Scene) -> None:
    version = scene.built(sent(scene, fc.forecaster(), notebook(bounds=(-1.0, 2.1))))
    assert (version.checks[-1].name, version.checks[-1].evidence["rows_differing"]) == ("parity", 21)


def test_predictions_alone_prove_predictions(scene: Scene) -> None:
    version = scene.built(sent(scene, fc.forecaster(), notebook().select(["prediction"])))
    assert statuses(version)["parity"] == "pass"


def test_single_precision_is_near_enough(scene: Scene) -> None:
    version = scene.built(sent(scene, fc.forecaster(dtype=TensorProto.FLOAT), notebook()))
    assert version.state == "ready", version.reason


def test_holes_are_filled_in_the_sample_as_in_a_request(scene: Scene) -> None:
    rows = [row for i, row in enumerate(DAY) if i != 12]
    flat = {**DAY[12], **dict.fromkeys(fc.PRICES, DAY[11]["close"])}
    answers = notebook([*DAY[:12], flat, *DAY[13:]])
    version = scene.built(sent(scene, fc.forecaster(), answers, rows, window=fc.FILLED))
    assert version.state == "ready", version.reason
    assert version.checks[3].evidence["rows"] == 21


def test_windows_do_not_straddle_a_hole_that_is_refused(scene: Scene) -> None:
    answers = Table(
        {"prediction": floats([fc.forecast(window) for part in (DAY[:10], DAY[11:]) for window in windows_of(part)])}
    )
    version = scene.built(sent(scene, fc.forecaster(), answers, [*DAY[:10], *DAY[11:]]))
    assert version.state == "ready", version.reason
    assert version.checks[3].evidence["rows"] == 7 + 10


def test_pairs_have_windows_of_their_own(scene: Scene) -> None:
    rows = [*fc.candles(10, group="BTC"), *fc.candles(6, "2023-01-01T05", group="ETH")]
    expected = [fc.forecast(w) for part in (rows[:10], rows[10:]) for w in windows_of(part)]
    answers = Table({"prediction": floats(expected)})
    window = replace(fc.HOURLY, group_by="pair")
    version = scene.built(sent(scene, fc.forecaster(), answers, rows, window=window))
    assert version.state == "ready", version.reason
    assert version.checks[3].evidence["rows"] == 7 + 3


def test_without_a_sample_the_example_of_the_schema_is_repeated(scene: Scene) -> None:
    version = scene.built(sent(scene, fc.forecaster(), None, sample=None))
    assert version.state == "ready", version.reason
    assert statuses(version)["parity"] == "warn"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rows": DAY[:3]}, "The sample has 3 rows, and not one window of 4"),
        ({"rows": [*DAY, DAY[3]]}, "The sample cannot be cut into windows."),
        ({"answers": notebook(DAY[1:])}, "There are 20 answers (prediction, intervals) to 21 sample windows."),
        ({"window": Window(4, "when")}, "order_by names the column 'when', which is not there"),
    ],
    ids=["too few rows", "duplicate", "answers", "window"],
)
def test_material_that_makes_no_windows_is_refused(scene: Scene, changes: dict[str, Any], said: str) -> None:
    version = scene.built(sent(scene, fc.forecaster(), changes.pop("answers", notebook()), **changes))
    refused = version.checks[-1]
    assert (version.state, refused.name, refused.status) == ("failed", "artifacts", "fail")
    assert said in refused.observed


@pytest.mark.parametrize(
    ("changes", "said", "cure"),
    [
        ({"input_tensors": None}, "in which unit since 1970?", '("timestamp", "ms")'),
        ({"input_tensors": (*TOLD, Tensor("x", "", (), ("open",)))}, "told of the inputs", "name those of the file"),
        ({"input_tensors": TOLD[:1]}, "in which unit since 1970?", "unit"),
        ({"input_tensors": (TOLD[0], replace(TOLD[1], columns=("when",)))}, "['when']", "Name columns of the example"),
        ({"input_tensors": (TOLD[0], replace(TOLD[1], unit=None))}, "in which unit since 1970?", "unit"),
    ],
    ids=["nothing told", "one too many", "unit not told", "stranger", "no unit"],
)
def test_what_does_not_fit_the_tensors_is_refused(scene: Scene, changes: dict[str, Any], said: str, cure: str) -> None:
    version = scene.built(sent(scene, fc.forecaster(), None, signature=changes))
    refused = version.checks[-1]
    assert (refused.name, refused.status) == ("signature", "fail")
    assert said in refused.observed
    assert cure in refused.advice


def test_the_unit_of_dates_is_all_that_needs_telling(scene: Scene) -> None:
    version = scene.built(sent(scene, fc.forecaster(), notebook(), signature={"input_tensors": TOLD[1:]}))
    assert version.state == "ready", version.reason


def test_a_file_of_other_windows_than_the_schema_says_is_refused(scene: Scene) -> None:
    version = scene.built(sent(scene, fc.forecaster(rows=5), None))
    assert "input 'timestamp' takes 5 rows a window, the schema says 4" in version.checks[-1].observed


def test_a_level_without_intervals_is_refused_and_intervals_without_a_level_are_told(scene: Scene) -> None:
    version = scene.built(sent(scene, fc.forecaster(), notebook(), signature={"interval_level": None}), "no-level")
    assert statuses(version)["schema"] == "warn"
    assert "interval_level=0.9" in version.checks[4].observed
    crossed = scene.built(sent(scene, fc.forecaster(low=1, high=-1), None), "crossed")
    assert "the intervals of 21 of 21 answers are none" in crossed.checks[4].observed


def test_a_model_of_python_that_answers_windows_is_refused(scene: Scene) -> None:
    version = scene.built(sent(scene, b"pickled", notebook(), format="cloudpickle"))
    refused = version.checks[-1]
    assert (version.state, refused.name) == ("failed", "signature")
    assert refused.observed == "the model answers once for a window of rows, and came as cloudpickle"
    assert "ONNX" in refused.advice


@pytest.mark.parametrize(("loss", "status"), [(0.4, "pass"), (0.6, "warn")])
def test_the_gate_is_told_after_parity_and_never_fails_a_version(scene: Scene, loss: float, status: str) -> None:
    gate = read_gate({"loss": "<= 0.5"})
    version = scene.built(sent(scene, fc.forecaster(), notebook(), gate=gate, metrics={"loss": loss}))
    assert version.state == "ready"
    assert list(statuses(version)) == [*STEPS[:4], "gate", *STEPS[4:]]
    assert statuses(version)["gate"] == status
