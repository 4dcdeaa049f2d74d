"""Streams for `concept_drift.py`: real sets shuffled, synthetic ones, and the drift injected into them.

The protocol is that of Cerqueira, Gomes, Heyden, Pfahringer, Bifet, A framework for evaluating and benchmarking
concept drift detection methods (KDD 2026, arXiv 2606.07789), written anew from its description.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from river import tree
from river.datasets import synth

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
KINDS = ("x_permutations", "y_swaps", "y_prior_skip", "x_exceed_skip")
TRAINING = 0.25
SKIPPED = 0.75

_BANK = ("age", "campaign", "pdays", "previous", "emp_var_rate", "cons_price_idx", "cons_conf_idx", "euribor3m")
_SYNTHETIC = {"sea": synth.SEA, "agrawal": synth.Agrawal, "led": synth.LED, "waveform": synth.Waveform}
DATA = ("electricity", "bank", "mammography", "campaign", *_SYNTHETIC)


@dataclass(frozen=True)
class Cell:
    """What the episodes of a cell of the table have in common.

    ``width`` 0 is abrupt, else the share of drifted rows grows linearly over so many rows. A tree that ``learns_on``
    goes on learning each row after its answer, as in the published protocol; otherwise it stays as it is, as a
    deployed version does. An alarm within ``max_delay`` rows from the onset is a true one.
    """

    data: str
    kind: str
    width: int
    learns_on: bool
    max_delay: int


@dataclass(frozen=True)
class Served:
    """What a monitor sees of an episode: ``places`` (n,) in the stream of the rows after training, and those rows.

    ``x`` (n, columns), ``truth`` and ``answers`` (n,) are class numbers; ``x_before`` and ``truth_before`` are the
    training rows; drift began at ``onset``.
    """

    places: Any
    x: Any
    truth: Any
    answers: Any
    x_before: Any
    truth_before: Any
    onset: int
    max_delay: int


class Absent(Exception):
    """The data set is not on this machine."""


@cache
def rows(data: str) -> tuple[Any, Any]:
    """Return the rows (n, columns) and class numbers (n,) of a set. Raises Absent.

    Any other set is a Parquet file of numbers, by its path, whose last column holds the classes.
    """
    if data in _SYNTHETIC:
        return _synthetic(data)
    files = {"electricity": "electricity-drift/elec2", "bank": "bank-marketing/bank-additional-full"}
    path = Path(data) if data not in DATA else SHARED / f"{files.get(data, 'adbench-tabular/' + data)}.parquet"
    if not path.exists():
        raise Absent(
            f"{path} is not there: put the data set at that place, or choose --data {' or '.join(_SYNTHETIC)}."
        )
    table = pl.read_parquet(path)
    if data == "electricity":
        return table.drop("timestamp_reconstructed", "class").to_numpy(), table["class"].to_numpy()
    if data not in DATA:
        return table[:, :-1].to_numpy().astype(float), table[:, -1].to_physical().to_numpy().astype(int)
    if data == "bank":
        return table.select(_BANK).to_numpy(), (table["y"] == "yes").to_numpy().astype(int)
    return table.drop("is_anomaly").to_numpy(), table["is_anomaly"].to_numpy().astype(int)


def _synthetic(data: str, n: int = 40_000) -> tuple[Any, Any]:
    stream = _SYNTHETIC[data](seed=2026)
    pairs = [(list(x.values()), int(y)) for x, y in stream.take(n)]
    return np.array([x for x, _y in pairs], dtype=float), np.array([y for _x, y in pairs])


def episode(cell: Cell, seed: int) -> Served:
    """Shuffle a set, inject one drift, and let a Hoeffding tree answer, test-then-train.

    The first quarter trains alone. Rows that a drift skips keep their place in the stream.
    """
    x, y = rows(cell.data)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(y))
    x, y = x[order].copy(), y[order].copy()
    onset = int(len(y) * rng.uniform(0.5, 0.8))
    share = (np.arange(len(y)) - onset) / max(cell.width, 1)
    drifted = (np.arange(len(y)) >= onset) & (rng.random(len(y)) < (share if cell.width else 1.0))
    kept = _inject(x, y, cell.kind, drifted, rng)
    places = np.flatnonzero(kept)
    x, y = x[kept], y[kept]
    start = int(np.searchsorted(places, int(len(order) * TRAINING)))
    answers = _answers(x, y, start, cell.learns_on)
    return Served(places[start:], x[start:], y[start:], answers, x[:start], y[:start], onset, cell.max_delay)


def _inject(x: Any, y: Any, kind: str, drifted: Any, rng: np.random.Generator) -> Any:
    """Change the drifted rows in place; return which rows are kept."""
    classes = np.unique(y)
    column, chosen = rng.integers(x.shape[1]), rng.choice(classes)
    kept = np.ones(len(y), dtype=bool)
    if kind == "x_permutations":
        x[drifted] = x[drifted][:, rng.permutation(x.shape[1])]
    elif kind == "y_swaps":
        y[drifted & (y == chosen)] = rng.choice(classes[classes != chosen])
    elif kind == "y_prior_skip":
        kept = ~(drifted & (y == chosen) & (rng.random(len(y)) < SKIPPED))
    else:
        kept = ~(drifted & (x[:, column] > np.median(x[:, column])))
    return kept


def _answers(x: Any, y: Any, start: int, learns_on: bool) -> Any:
    model: Any = tree.HoeffdingTreeClassifier()
    answers = []
    for place, (row, truth) in enumerate(zip(x.tolist(), y.tolist(), strict=True)):
        named = dict(enumerate(row))
        if place >= start:
            answers.append(model.predict_one(named))
        if place < start or learns_on:
            model.learn_one(named, truth)
    return np.array(answers)
