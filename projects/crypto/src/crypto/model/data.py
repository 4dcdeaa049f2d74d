"""Windows as a network is fed with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import lightning
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from crypto.features import (
    HOUR_S,
    SEQUENCE_LENGTH,
    Floats,
    Windows,
    create_windows,
    extract_features_from_dataset,
    n_to_train,
    scale_data,
    split_data,
)
from crypto.model.inputs import Inputs, LevelInputs, fit_return_inputs
from crypto.model.moves import tensors
from crypto.model.parameters import LEVEL, ModelParameters

Batch = tuple[Tensor, Tensor]


class Parts(NamedTuple):
    """Windows in order of time: to train, to validate and calibrate, to test.

    ``minima`` and ``maxima`` (9,), with volumes (11,), are those of the features in the training part (validation
    included), raw units.
    """

    train: Windows
    validation: Windows
    test: Windows
    minima: Floats
    maxima: Floats


def windows_of(windows: Windows, chosen: slice) -> Windows:
    """Return some of the windows."""
    return Windows(windows.timestamps[chosen], windows.ohlc[chosen], windows.next_close[chosen])


def split_windows(
    candles: pd.DataFrame,
    *,
    sequence_length: int = SEQUENCE_LENGTH,
    step: float | None = HOUR_S,
    shares: tuple[float, float] = (0.9, 0.2),
    with_volume: bool = False,
) -> Parts:
    """Return the parts of cleaned candles: the newest 10 % to test, the newest 20 % of the rest to validate.

    ``shares``: of the candles to train on, validation included, and of those to validate.

    Test windows reach back into the training candles, as a forecast does: every candle of the test part is a target
    once. Without holes 8,760 hourly candles make 6,212, 1,552 and 876 windows. These are the windows that
    `crypto.features.create_sequences` makes, raw: the inputs of the graph scale them.
    """
    train, test = split_data(candles, shares[0])
    fitted = create_windows(train, sequence_length, step, with_volume=with_volume)
    n_train = n_to_train(len(fitted.next_close), shares[1])
    features = extract_features_from_dataset(train, with_volume=with_volume)
    _train, _test, scaler = scale_data(features, features)
    return Parts(
        windows_of(fitted, slice(n_train)),
        windows_of(fitted, slice(n_train, None)),
        create_windows(
            pd.concat([train.iloc[-sequence_length:], test]), sequence_length, step, with_volume=with_volume
        ),
        scaler.minima,
        scaler.maxima,
    )


def fit_inputs(parts: Parts, parameters: ModelParameters) -> Inputs:
    """Return what the network of this target sees, with its scale from the training part."""
    if parameters.target == LEVEL:
        return LevelInputs(parts.minima, parts.maxima, parameters.rows)
    return fit_return_inputs(parts.train, parameters.rows, parameters.move_span)


class CryptoDataset(Dataset[Batch]):
    """Windows scaled for a network: float32 (rows, number_of_features), and its scaled target, float32 ().

    Whole batches are taken at once (``__getitems__``), which is some thirty times faster than window by window.
    """

    def __init__(self, windows: Windows, inputs: Inputs) -> None:
        timestamp, ohlc, next_close = tensors(windows)
        with torch.no_grad():
            self.x: Tensor = inputs(timestamp, ohlc)
            self.y: Tensor = inputs.target(timestamp, ohlc, next_close)

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, index: int) -> Batch:
        return self.x[index], self.y[index]

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """Return the windows at these places as one batch."""
        chosen = torch.as_tensor(indices)
        return self.x[chosen], self.y[chosen]


def _as_is(batch: Any) -> Any:  # a batch, though DataLoader's types expect a list of windows
    return batch


class LSTMDataLoader(lightning.LightningDataModule):
    """Batches for training (shuffled anew each epoch) and validation (in order)."""

    def __init__(self, train: CryptoDataset, validation: CryptoDataset, parameters: ModelParameters) -> None:
        super().__init__()
        self.train = train
        self.validation = validation
        self.parameters = parameters

    def train_dataloader(self) -> DataLoader[Batch]:
        """Return the training batches."""
        told = self.parameters
        return self._loader(self.train, told.train_batch_size, told.train_workers, is_shuffled=True)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Return the validation batches."""
        told = self.parameters
        return self._loader(self.validation, told.val_batch_size, told.val_workers, is_shuffled=False)

    @staticmethod
    def _loader(dataset: CryptoDataset, batch_size: int, workers: int, *, is_shuffled: bool) -> DataLoader[Batch]:
        return DataLoader(
            dataset,
            batch_size=batch_size,
            shuffle=is_shuffled,
            num_workers=workers,
            persistent_workers=workers > 0,
            collate_fn=_as_is,
        )
