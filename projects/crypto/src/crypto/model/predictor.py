"""The network as Lightning trains it: the loss of its target, and AdamW."""

from __future__ import annotations

import lightning
import torch
from torch import Tensor, nn

from crypto.model.data import Batch
from crypto.model.network import LSTMRegressor, laplace_nll
from crypto.model.parameters import RETURN, ModelParameters


class PricePredictor(lightning.LightningModule):
    """Train an `LSTMRegressor`: mean squared error for the level, Laplace likelihood for the return.

    Logs ``train_loss`` each step and ``val_loss`` each epoch, in the units of the scaled target.
    """

    def __init__(self, parameters: ModelParameters) -> None:
        super().__init__()
        self.parameters_told = parameters
        self.network = LSTMRegressor(parameters)
        self.criterion = laplace_nll if parameters.target == RETURN else squared_error

    def forward(self, rows: Tensor) -> Tensor:
        """Return the outputs of the network, (n, n_outputs)."""
        answer: Tensor = self.network(rows)
        return answer

    def training_step(self, batch: Batch, _index: int) -> Tensor:
        """Return the loss of one batch."""
        return self._logged("train_loss", batch)

    def validation_step(self, batch: Batch, _index: int) -> Tensor:
        """Return the loss of one batch; Lightning averages them by their sizes."""
        return self._logged("val_loss", batch)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return AdamW with the learning rate of the parameters."""
        return torch.optim.AdamW(self.parameters(), lr=self.parameters_told.learning_rate)

    def _logged(self, name: str, batch: Batch) -> Tensor:
        rows, target = batch
        loss = self.criterion(self(rows), target)
        self.log(name, loss, batch_size=len(target))
        return loss


def squared_error(outputs: Tensor, target: Tensor) -> Tensor:
    """Return the mean squared error of outputs (n, 1) for targets (n,)."""
    return nn.functional.mse_loss(outputs[:, 0], target)
