"""The training loop: seeds, the best epoch kept, an early stop, quiet but never silent."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint

from crypto.model.data import LSTMDataLoader
from crypto.model.parameters import ModelParameters
from crypto.model.predictor import PricePredictor
from crypto.model.trackers import tracker

logger = logging.getLogger(__name__)
TOLD_EACH_S = 3.0
BEST = "best"
CHECKPOINT = f"{BEST}.ckpt"  # of the best epoch, in the folder that a run is given


@dataclass(frozen=True, eq=False)
class Trained:
    """A network with the weights of its best epoch. ``val_loss`` is that epoch's, ``epochs`` how many were run."""

    predictor: PricePredictor
    checkpoint: Path
    val_loss: float
    epochs: int
    seconds: float


class Progress(Callback):
    """Say where training is, at the end of an epoch and within long ones, at most once in ``each_s`` seconds."""

    def __init__(self, each_s: float = TOLD_EACH_S) -> None:
        self.each_s = each_s
        self._told_at = time.monotonic()

    def on_train_batch_end(self, trainer: lightning.Trainer, *arguments: Any) -> None:
        """Tell the batch reached."""
        self._tell(trainer, f"batch {arguments[-1] + 1} of {trainer.num_training_batches}")

    def on_validation_batch_end(self, trainer: lightning.Trainer, *arguments: Any) -> None:
        """Tell the validation batch reached."""
        batches = trainer.num_val_batches
        self._tell(trainer, f"validation batch {arguments[3] + 1} of {sum(batches)}")

    def on_validation_end(self, trainer: lightning.Trainer, _module: lightning.LightningModule) -> None:
        """Tell the loss of the epoch."""
        self._tell(trainer, f"validation loss {float(trainer.callback_metrics['val_loss']):.5f}")

    def _tell(self, trainer: lightning.Trainer, what: str) -> None:
        if time.monotonic() - self._told_at >= self.each_s:
            self._told_at = time.monotonic()
            logger.info("Training: epoch %d, %s", trainer.current_epoch + 1, what)


def training_loop(data: LSTMDataLoader, parameters: ModelParameters, folder: Path) -> Trained:
    """Train until the validation loss has not fallen for ``patience`` epochs; return the best epoch's network.

    The best checkpoint alone is kept, in ``folder``; a tracker writes to the current folder, that of the project. The
    same seed, data and machine give the same weights.
    """
    started = time.perf_counter()
    with _quiet(), threads(parameters.threads):
        lightning.seed_everything(parameters.seed, workers=True, verbose=False)
        predictor = PricePredictor(parameters)
        best = ModelCheckpoint(
            dirpath=folder, filename=BEST, monitor="val_loss", mode="min", save_top_k=1, enable_version_counter=False
        )
        trainer = _trainer(parameters, folder, best)
        trainer.fit(predictor, datamodule=data)
    checkpoint = Path(best.best_model_path)
    predictor.load_state_dict(torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"])
    seconds = time.perf_counter() - started
    val_loss = float(best.best_model_score if best.best_model_score is not None else "nan")
    logger.info("Trained in %.1f s, %d epochs; best validation loss %.5f", seconds, trainer.current_epoch, val_loss)
    return Trained(predictor.cpu().eval(), checkpoint, val_loss, trainer.current_epoch, seconds)


def accelerator(run_on_gpu: bool) -> str:
    """Return "gpu" where it is asked for and there, else "cpu", aloud when it was asked for."""
    if run_on_gpu and torch.cuda.is_available():
        return "gpu"
    if run_on_gpu:
        logger.warning("run_on_gpu is true and torch sees no GPU: training on the CPU.")
    return "cpu"


def _trainer(parameters: ModelParameters, folder: Path, best: ModelCheckpoint) -> lightning.Trainer:
    return lightning.Trainer(
        accelerator=accelerator(parameters.run_on_gpu),
        devices=1,
        max_epochs=parameters.max_epochs,
        callbacks=[best, EarlyStopping("val_loss", patience=parameters.patience, mode="min"), Progress()],
        logger=tracker(parameters) or False,
        log_every_n_steps=parameters.log_n_steps,
        gradient_clip_val=parameters.gradient_clip or None,
        num_sanity_val_steps=0,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Let torch use this many threads inside, and as many as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Lightning's notes on hardware, workers and folders out of the log."""
    names = ("lightning.pytorch", "lightning.fabric", "lightning.pytorch.utilities.rank_zero")
    levels = {name: logging.getLogger(name).level for name in names}
    try:
        for name in names:
            logging.getLogger(name).setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
