"""The loop: it repeats itself, keeps the best, stops in time, falls back to the CPU aloud, and is tracked."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

import pytest
import torch

from crypto.model.data import CryptoDataset, LSTMDataLoader, Parts, fit_inputs
from crypto.model.network import LSTMRegressor, laplace_nll
from crypto.model.parameters import ModelParameters, read_parameters
from crypto.model.training import Progress, Trained, accelerator, training_loop
from windows import TINY, TINY_LEVEL, parts


@pytest.fixture(scope="module")
def walked() -> Parts:
    return parts(700)


def trained(told: Parts, parameters: ModelParameters, folder: Path) -> Trained:
    inputs = fit_inputs(told, parameters)
    datasets = CryptoDataset(told.train, inputs), CryptoDataset(told.validation, inputs)
    return training_loop(LSTMDataLoader(*datasets, parameters), parameters, folder)


def test_a_return_network_starts_as_no_change_with_a_scale_of_one() -> None:
    network = LSTMRegressor(TINY)

    assert torch.equal(network(torch.randn(3, 12, 7)), torch.zeros(3, 2))


def test_a_change_is_bounded_and_can_be_taken_back() -> None:
    network = LSTMRegressor(TINY)
    with torch.no_grad():
        network.head.bias.fill_(5.0)

    assert network(torch.zeros(1, 12, 7))[0].tolist() == pytest.approx([0.05, 5.0])
    network.forecast_no_change()
    assert network(torch.zeros(1, 12, 7))[0].tolist() == [0.0, 5.0]


def test_the_laplace_loss_by_torchs_own_distribution() -> None:
    outputs, target = torch.randn(50, 2), torch.randn(50)

    expected = -torch.distributions.Laplace(outputs[:, 0], outputs[:, 1].exp()).log_prob(target).mean()  # type: ignore[no-untyped-call] # of torch

    assert laplace_nll(outputs, target).item() == pytest.approx(expected.item(), rel=1e-5)


def test_the_same_seed_gives_the_same_weights(walked: Parts, tmp_path: Path) -> None:
    first, second = (trained(walked, TINY, tmp_path / name).predictor.state_dict() for name in "ab")

    assert all(torch.equal(first[name], second[name]) for name in first)


def test_only_the_best_checkpoint_is_kept_and_its_weights_are_returned(walked: Parts, tmp_path: Path) -> None:
    told = dataclasses.replace(TINY, max_epochs=3)

    found = trained(walked, told, tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["best.ckpt"]
    kept = torch.load(found.checkpoint, weights_only=True)["state_dict"]
    assert all(torch.equal(kept[name], value) for name, value in found.predictor.state_dict().items())


def test_training_again_replaces_the_checkpoint(walked: Parts, tmp_path: Path) -> None:
    for _ in range(2):
        trained(walked, TINY, tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["best.ckpt"]


def test_training_stops_when_the_validation_loss_no_longer_falls(walked: Parts, tmp_path: Path) -> None:
    # The first epoch is the best when no step is taken: two more, then it stops.
    told = dataclasses.replace(TINY, learning_rate=0.0, patience=2, max_epochs=9)

    assert trained(walked, told, tmp_path).epochs == 3


def test_a_missing_gpu_is_said_aloud(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    assert accelerator(run_on_gpu=True) == "cpu"
    assert "run_on_gpu is true and torch sees no GPU: training on the CPU." in caplog.text
    caplog.clear()
    assert accelerator(run_on_gpu=False) == "cpu"
    assert caplog.text == ""


def test_a_gpu_is_used_when_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)

    assert accelerator(run_on_gpu=True) == "gpu"


def test_a_run_is_never_silent(
    walked: Parts, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr("crypto.model.training.Progress", lambda: Progress(each_s=0.0))

    trained(walked, TINY, tmp_path)

    assert "Training: epoch 1, batch 1 of 4" in caplog.text
    assert "Training: epoch 1, validation batch 1 of 1" in caplog.text
    assert "Training: epoch 1, validation loss" in caplog.text
    assert "Trained in" in caplog.text


def test_the_level_trains_with_workers(walked: Parts, tmp_path: Path) -> None:
    told = dataclasses.replace(TINY_LEVEL, train_workers=1)

    assert trained(walked, told, tmp_path).val_loss > 0


@pytest.mark.parametrize("store", ["file", "database"])
def test_mlflow_is_told_of_the_run(walked: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: str) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.chdir(tmp_path)
    where = (tmp_path / "mlflow").as_uri()
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", where)
    if store == "database":  # the default, with the project's extra `mlflow`
        pytest.importorskip("sqlalchemy")
        pytest.importorskip("alembic")
        monkeypatch.delenv("MLFLOW_TRACKING_URI")
        where = f"sqlite:///{tmp_path / 'mlflow.db'}"

    trained(walked, dataclasses.replace(TINY, tracker="mlflow", log_n_steps=1), tmp_path / "data" / "training")

    client = mlflow.MlflowClient(where)
    run = client.search_runs([client.get_experiment_by_name("boucle-crypto").experiment_id])[0]
    assert run.info.status == "FINISHED"
    assert run.data.params["hidden_size"] == "4"
    assert {"train_loss", "val_loss"} <= set(run.data.metrics)


def test_wandb_works_offline(walked: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setenv("WANDB_SILENT", "true")

    trained(walked, dataclasses.replace(TINY, tracker="wandb", log_n_steps=1), tmp_path / "data" / "training")

    assert [path.name for path in (tmp_path / "data" / "training").iterdir()] == ["best.ckpt"]
    assert list((tmp_path / "wandb").glob("offline-run-*/run-*.wandb"))


def test_a_mistyped_setting_is_named_with_the_one_meant() -> None:
    with pytest.raises(
        ValueError, match=r"'return' of parameters.yaml has no setting 'hiden_size'. Did you mean hidden"
    ):
        read_parameters("return", {"hiden_size": 32})


def test_an_unknown_target_or_tracker_is_refused() -> None:
    with pytest.raises(ValueError, match="target is 'price', expected 'level' or 'return'"):
        read_parameters("price", {})
    with pytest.raises(ValueError, match="tracker is 'tensorboard', expected one of: none, mlflow, wandb"):
        read_parameters("return", {}, tracker="tensorboard")
