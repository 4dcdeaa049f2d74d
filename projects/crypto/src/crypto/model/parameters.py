"""The settings of one target, read from the blocks `level` and `return` of ``conf/base/parameters.yaml``."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crypto.errors import InvalidParameter
from crypto.features import VOLUME_FEATURES

LEVEL = "level"
RETURN = "return"
TRACKERS = ("none", "mlflow", "wandb")


@dataclass(frozen=True)
class ModelParameters:
    """How one network is built and trained.

    ``target``: "level" is the price itself, "return" the next relative change added to the last close. ``rows`` are
    the newest rows of a window that the network reads. ``patience`` is in epochs without a better loss on the
    validation part. ``dropout_rate`` acts between LSTM layers, so not at all with one. ``gradient_clip`` is the
    largest norm of the gradient; 0 leaves it free. ``most_change`` is the largest change that a return network may
    forecast, in expected moves; ``move_span`` the span in rows of the average that says how large one is.
    ``threads``: of torch while training; a small network gains nothing from two, and two that share a core with
    others wait for each other most of the time. ``log_n_steps``: the tracker is told each so many steps.
    ``number_of_features`` are those of a row; the block of parameters.yaml tells how many there are without volumes.
    """

    target: str
    train_batch_size: int = 64
    val_batch_size: int = 512
    train_workers: int = 0
    val_workers: int = 0
    max_epochs: int = 40
    hidden_size: int = 32
    number_of_features: int = 7
    number_of_layers: int = 1
    dropout_rate: float = 0.0
    learning_rate: float = 2e-3
    patience: int = 3
    gradient_clip: float = 0.0
    rows: int = 72
    most_change: float = 0.05
    move_span: float = 48.0
    threads: int = 1
    log_n_steps: int = 50
    run_on_gpu: bool = False
    tracker: str = "none"
    wandb_project: str = "boucle-crypto"
    seed: int = 42

    def __post_init__(self) -> None:
        if self.target not in (LEVEL, RETURN):
            raise InvalidParameter(f"target is {self.target!r}, expected {LEVEL!r} or {RETURN!r}.")
        if self.tracker not in TRACKERS:
            raise InvalidParameter(f"tracker is {self.tracker!r}, expected one of: {', '.join(TRACKERS)}.")


def read_parameters(
    target: str, block: Mapping[str, Any], *, with_volume: bool = False, **changes: Any
) -> ModelParameters:
    """Return the parameters of a block, with ``changes`` over them; with volumes a row has two features more.

    Raises InvalidParameter for a name that is none, with the name that was probably meant.

    >>> read_parameters("return", {"hidden_size": 16}, max_epochs=2).max_epochs
    2
    >>> read_parameters("level", {"number_of_features": 9}, with_volume=True).number_of_features
    11
    """
    told = {**block, **changes}
    names = [field.name for field in dataclasses.fields(ModelParameters) if field.name != "target"]
    for name in told:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f" Did you mean {near[0]}?" if near else f" There are: {', '.join(names)}."
            raise InvalidParameter(f"The block {target!r} of parameters.yaml has no setting {name!r}.{hint}")
    read = ModelParameters(target=target, **told)
    if not with_volume:
        return read
    return dataclasses.replace(read, number_of_features=read.number_of_features + len(VOLUME_FEATURES))
