"""Training and converting: from a series to a graph on disk, for either target, by the figures of parameters.yaml."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from kedro.io import AbstractDataset, DataCatalog
from kedro.runner import SequentialRunner

from crypto.model.conversion import run_onnx
from crypto.model.evaluation import gate
from crypto.model.store import BytesDataset
from crypto.pipelines.converting import create_pipeline as converting
from crypto.pipelines.exporting.nodes import make_proof, newest_windows
from crypto.pipelines.training import create_pipeline as training
from crypto.pipelines.training.nodes import model_parameters
from windows import traded

CONF = Path(__file__).resolve().parents[2] / "conf" / "base"
QUICK = {"max_epochs": 1, "hidden_size": 4, "train_workers": 0, "val_workers": 0, "val_batch_size": 512}


def figures(target: str, *, with_volume: bool = False) -> dict[str, Any]:
    told: dict[str, Any] = yaml.safe_load((CONF / "parameters.yaml").read_text(encoding="utf-8"))
    preprocessing = {**told["preprocessing"], "with_volume": with_volume}
    return {**told, "preprocessing": preprocessing, "target": target, target: {**told[target], **QUICK}}


def market() -> dict[str, Any]:
    dates = {"candles_from": "2024-01-01T00:00:00+00:00", "candles_to": "2024-01-30T03:00:00+00:00"}
    return {"name": "Binance", "pair": "BTCUSDT", "interval": "1h", "step": 3600.0, **dates}


@pytest.mark.parametrize("with_volume", [False, True], ids=["prices", "volumes"])
@pytest.mark.parametrize("target", ["return", "level"])
def test_a_series_becomes_a_graph_with_its_report(
    target: str, with_volume: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    whole = yaml.safe_load((CONF / "catalog.yml").read_text(encoding="utf-8"))
    entries = {name: entry for name, entry in whole.items() if name not in ("series", "market") and "{" not in name}
    catalog = DataCatalog({name: AbstractDataset.from_config(name, entry) for name, entry in entries.items()})
    told = figures(target, with_volume=with_volume)
    for name, value in (("series", traded(700)), ("market", market()), ("parameters", told)):
        catalog[name] = value

    SequentialRunner().run(training() + converting(), catalog)

    report = json.loads(Path("data/report.json").read_text(encoding="utf-8"))
    assert report["params"]["target"] == target
    assert report["params"]["source"] == "Binance"
    assert report["params"]["width"] in ("lstm", "ewma_hour", "constant")
    assert report["metrics"]["parity"] <= told["converting"]["parity"]
    assert {"loss", "naive_ratio"} == set(gate(told["gate"])) <= set(report["metrics"])
    assert report["trained_until"].endswith("+00:00")
    content = Path("data/model.onnx").read_bytes()
    rows = np.full((1, 120, 6 if with_volume else 4), 40_000.0)
    prediction, intervals = run_onnx(content, np.zeros((1, 120), np.int64), rows)
    assert intervals[0, 0] <= prediction[0] <= intervals[0, 1]
    proof = make_proof(catalog.load("forecaster"), traded(700), market(), told)
    windows = newest_windows(traded(700), 120, 3600.0, with_volume=with_volume)
    assert windows.ohlc.shape == (581, 120, 6 if with_volume else 4)
    answers = run_onnx(content, windows.timestamps, windows.ohlc)
    assert np.allclose(answers[0], proof.prediction, rtol=1e-5)
    assert np.allclose(answers[1], proof.intervals, rtol=1e-5)


def test_the_level_is_the_original_chain_as_told() -> None:
    whole = yaml.safe_load((CONF / "parameters.yaml").read_text(encoding="utf-8"))

    told = model_parameters({**whole, "target": "level"})

    found = {
        name: getattr(told, name) for name in ("train_batch_size", "val_batch_size", "train_workers", "val_workers")
    }
    assert found == {"train_batch_size": 64, "val_batch_size": 1, "train_workers": 2, "val_workers": 1}
    assert (told.max_epochs, told.hidden_size, told.number_of_features, told.number_of_layers) == (100, 128, 9, 2)
    assert (told.dropout_rate, told.learning_rate, told.patience) == (0.2, 1e-4, 2)
    assert (told.log_n_steps, told.run_on_gpu, told.rows) == (2, True, 120)


@pytest.mark.parametrize(("target", "plain", "more"), [("level", 9, 11), ("return", 7, 9)])
def test_volumes_are_two_features_more(target: str, plain: int, more: int) -> None:
    assert model_parameters(figures(target)).number_of_features == plain
    assert model_parameters(figures(target, with_volume=True)).number_of_features == more


def test_a_file_is_never_half_there(tmp_path: Path) -> None:
    dataset = BytesDataset(str(tmp_path / "new" / "model.onnx"))
    assert not dataset.exists()

    dataset.save(b"graph")

    assert (dataset.exists(), dataset.load()) == (True, b"graph")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["model.onnx"]
