"""The rows that `onnx_faithful.py` fits and asks: tables as people have them, made from a seed, and one real one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

BANK = Path(__file__).resolve().parents[2] / "shared" / "data" / "bank-marketing" / "bank-additional-full.parquet"
NUMBERS = ["since", "coarse", "income", "a", "b", "c"]
TEXTS = ["city", "plan", "shop"]
_WORDS = [
    "good",
    "bad",
    "price",
    "quality",
    "battery",
    "screen",
    "light",
    "heavy",
    "fast",
    "slow",
    "love",
    "hate",
    "return",
    "broken",
    "cheap",
    "great",
    "works",
    "never",
    "again",
    "box",
    "cable",
    "phone",
    "camera",
    "sound",
    "update",
    "support",
    "happy",
    "poor",
    "excellent",
    "fine",
    "buy",
    "don't",
    "café",
]


@dataclass(frozen=True)
class Data:
    """Rows to fit on, rows never seen, and what decides the targets: ``signal`` is a number for each row to fit on."""

    train: Any
    unseen: Any
    signal: Any


def targets(data: Data, task: str) -> Any:
    """Return the target of a task for the rows to fit on; None when it takes none."""
    z = data.signal
    rng = np.random.default_rng(7)
    noisy = z + rng.normal(scale=0.5, size=len(z))
    made: dict[str, Callable[[], Any]] = {
        "binary": lambda: (noisy > 0).astype(np.int64),
        "words": lambda: np.where(noisy > 0, "yes", "no").astype(object),
        "classes": lambda: np.digitize(noisy, np.quantile(noisy, [0.3, 0.7])).astype(np.int64),
        "value": lambda: 1000.0 + 500.0 * noisy,
        "positive": lambda: np.exp(0.5 * noisy) * 100.0,
        "counts": lambda: rng.poisson(np.exp(np.clip(0.5 * noisy, -3, 3))).astype(np.float64),
        "several": lambda: np.column_stack([1000.0 + 500.0 * noisy, 200.0 * noisy**2]),
        "labels": lambda: np.column_stack([noisy > 0, noisy**2 > 1]).astype(np.int64),
        "none": lambda: None,
    }
    return made[task]()


@cache
def data(kind: str, n: int, seed: int = 0) -> Data:
    """Return rows of a kind, ``n`` to fit on and as many unseen. Raises FileNotFoundError where a file is absent."""
    if kind == "bank":
        return _bank(n)
    made, signal = _KINDS[kind](np.random.default_rng(seed), 2 * n)
    if isinstance(made, pd.DataFrame):
        train, unseen = made.iloc[:n].reset_index(drop=True), made.iloc[n:].reset_index(drop=True)
        return Data(train, _with_unknown(unseen), signal[:n])
    return Data(made[:n], made[n:], signal[:n])


def _numbers(rng: Any, n: int) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "since": rng.integers(1_690_000_000, 1_710_000_000, n).astype(np.float64),
            "coarse": np.round(rng.normal(10.0, 4.0, n) * 2) / 2,
            "income": rng.lognormal(10.0, 1.0, n),
            "a": rng.normal(size=n),
            "b": rng.normal(size=n) * 1e-3,
            "c": rng.uniform(-1.0, 1.0, n),
        }
    )
    for name in ("coarse", "a"):
        frame.loc[rng.random(n) < 0.08, name] = np.nan
    return frame


def _signal(frame: pd.DataFrame) -> Any:
    filled = frame.fillna(frame.median())
    wave = np.sin((filled["since"] - 1.7e9) / 3e6) + 0.2 * (filled["coarse"] - 10)
    return (wave + filled["a"] * filled["c"] + 0.7 * (np.log(filled["income"]) - 10) + 300 * filled["b"]).to_numpy()


def _text_columns(rng: Any, n: int) -> pd.DataFrame:
    columns = {
        "city": rng.choice(["Lyon", "Paris", "Nice", "Brest"], n, p=[0.3, 0.4, 0.2, 0.1]).astype(object),
        "plan": rng.choice(["free", "pro", "team"], n).astype(object),
        "shop": rng.choice([f"shop {i}" for i in range(12)], n).astype(object),
    }
    for i, cells in enumerate(columns.values()):
        holes = rng.random(n)
        cells[holes < 0.04 * i] = np.nan
        cells[(holes > 0.5) & (holes < 0.5 + 0.02 * i)] = None
    return pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in columns.items()})


def _table(rng: Any, n: int) -> tuple[Any, Any]:
    frame, texts = _numbers(rng, n), _text_columns(rng, n)
    signal = _signal(frame) + texts["city"].map({"Lyon": 0.8, "Paris": -0.4}).fillna(0.0).to_numpy()
    frame = pd.concat([frame, texts], axis=1)
    frame["rooms"] = rng.integers(1, 6, n)
    frame["is_new"] = rng.random(n) < 0.4
    days = rng.integers(0, 900, n) * 86_400_000_000 + rng.integers(0, 86_400, n) * 1_000_000
    frame["when"] = pd.Series((1_640_995_200_000_000 + days).view("datetime64[us]"))
    return frame, signal + 0.3 * frame["rooms"].to_numpy() + 0.5 * frame["is_new"].to_numpy() - 1.0


def _frame(rng: Any, n: int) -> tuple[Any, Any]:
    frame = _numbers(rng, n)
    return frame, _signal(frame)


def _frame32(rng: Any, n: int) -> tuple[Any, Any]:
    frame, signal = _frame(rng, n)
    return frame.astype(np.float32), signal


def _holes(rng: Any, n: int) -> tuple[Any, Any]:
    frame, signal = _frame(rng, n)
    return frame.to_numpy(), signal


def _matrix(rng: Any, n: int) -> tuple[Any, Any]:
    frame, signal = _frame(rng, n)
    return frame.fillna(frame.median()).to_numpy(), signal


def _positive(rng: Any, n: int) -> tuple[Any, Any]:
    """Return a matrix of lognormal columns, as Box-Cox wants them."""
    matrix = rng.lognormal(1.0, 0.7, (n, 4))
    return matrix, np.log(matrix) @ np.array([1.0, -0.5, 0.3, 0.2]) - 1.0


def _matrix32(rng: Any, n: int) -> tuple[Any, Any]:
    matrix, signal = _matrix(rng, n)
    return matrix.astype(np.float32), signal


def _counts(rng: Any, n: int) -> tuple[Any, Any]:
    rates = rng.gamma(1.0, 2.0, (n, 1)) * np.linspace(0.2, 2.0, 12)
    counts = rng.poisson(rates)
    return counts.astype(np.int64), (counts[:, :4].sum(axis=1) - counts[:, 8:].sum(axis=1) / 3) / 3


def _categories(rng: Any, n: int) -> tuple[Any, Any]:
    """Return the table with its texts as pandas categories, as native categorical splits want them."""
    frame, signal = _table(rng, n)
    for name in TEXTS:
        frame[name] = frame[name].astype("category")
    return frame.drop(columns=["when"]), signal


def _reviews(rng: Any, n: int) -> tuple[Any, Any]:
    lengths, chances = rng.integers(0, 25, n), 1.0 / np.arange(1, len(_WORDS) + 1)
    texts = [rng.choice(_WORDS, size, p=chances / chances.sum()).tolist() for size in lengths]
    marks = rng.choice([" ", ", ", "! ", " 10 "], n)
    written = [mark.join(words).capitalize() for mark, words in zip(marks, texts, strict=True)]
    price = rng.lognormal(3.0, 1.0, n)
    good = {"good": 1, "love": 1, "great": 1, "bad": -1, "hate": -1, "broken": -1, "price": 0.5, "quality": -0.4}
    signal = np.array([sum(good.get(word, 0) for word in words) for words in texts]) + 0.2 * (np.log(price) - 3)
    return pd.DataFrame({"text": pd.Series(written, dtype=object), "price": price}), signal - signal.mean()


def _with_unknown(unseen: pd.DataFrame) -> pd.DataFrame:
    """Return unseen rows with values that no row to fit on holds: a shop, and a word."""
    if "shop" in unseen and unseen["shop"].dtype == object:
        unseen.loc[unseen.index[::50], "shop"] = "shop 99"
    if "text" in unseen:
        unseen.loc[unseen.index[::20], "text"] += " zeppelin"
    return unseen


def _bank(n: int) -> Data:
    """Return rows of a bank's campaign (UCI bank marketing), less the duration, which is known too late."""
    if not BANK.exists():
        raise FileNotFoundError(f"no {BANK.name}")
    frame = pd.read_parquet(BANK).drop(columns=["duration", "period"])
    answers = frame.pop("y")
    for name in frame.columns[frame.dtypes.map(pd.api.types.is_string_dtype)]:
        frame[name] = frame[name].astype(object).where(frame[name].notna(), None)
    order = np.random.default_rng(0).permutation(len(frame))
    train, unseen = order[: 2 * n], order[2 * n : 3 * n]
    signal = np.where(answers.to_numpy()[train] == "yes", 1.5, -1.0)
    return Data(frame.iloc[train].reset_index(drop=True), frame.iloc[unseen].reset_index(drop=True), signal)


_KINDS: dict[str, Callable[[Any, int], tuple[Any, Any]]] = {
    "table": _table,
    "frame": _frame,
    "frame32": _frame32,
    "matrix": _matrix,
    "matrix32": _matrix32,
    "holes": _holes,
    "positive": _positive,
    "counts": _counts,
    "categories": _categories,
    "reviews": _reviews,
}
