"""Where a training run is written down: nowhere, in MLflow, or in Weights & Biases. One of the three, by settings."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from lightning.pytorch.loggers import Logger

from crypto.model.parameters import ModelParameters

HERE = Path()  # the project's folder, in which runs take place


def tracker(parameters: ModelParameters, folder: Path = HERE) -> Logger | None:
    """Return the tracker that the parameters name, or None; what it keeps is the user's, and no run removes it.

    MLflow writes to MLFLOW_TRACKING_URI when that is set (`mlflow run` sets it), else to ``folder/mlflow.db``. W&B
    works offline unless WANDB_MODE says otherwise: runs are left in ``folder/wandb`` for `wandb sync`.
    """
    if parameters.tracker == "mlflow":
        return _mlflow(parameters, folder)
    if parameters.tracker == "wandb":
        return _wandb(parameters, folder)
    return None


def _mlflow(parameters: ModelParameters, folder: Path) -> Logger:
    from lightning.pytorch.loggers import MLFlowLogger

    folder.mkdir(parents=True, exist_ok=True)
    store = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{(folder / 'mlflow.db').resolve()}"
    logger = MLFlowLogger(experiment_name=parameters.wandb_project, tracking_uri=store)
    logger.log_hyperparams(dataclasses.asdict(parameters))
    return logger


def _wandb(parameters: ModelParameters, folder: Path) -> Logger:
    from lightning.pytorch.loggers import WandbLogger

    folder.mkdir(parents=True, exist_ok=True)
    is_offline = os.environ.get("WANDB_MODE", "offline") == "offline"
    logger = WandbLogger(project=parameters.wandb_project, save_dir=str(folder), offline=is_offline)
    logger.log_hyperparams(dataclasses.asdict(parameters))
    return logger
