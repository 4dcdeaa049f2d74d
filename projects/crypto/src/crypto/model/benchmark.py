"""How good the forecaster is on every window of a long series, in one table.

    python -m crypto.model.benchmark BTCUSDT=candles.parquet ETHUSDT=other.parquet [--quick] [--level]
                                     [--volume]

A window is 365 days: train on the first 90 %, test on the last 36.5 days. Windows step by these 36.5 days, so that
from the first test hour on every hour is tested once. Nothing is chosen by the test hours: they are only counted.
Files hold Binance's twelve columns in its order, as parquet; the first is the time in milliseconds since 1970.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import yaml

from crypto.candles import COLUMNS, as_candles, clean
from crypto.features import HOUR_S
from crypto.model.conversion import convert_model, validate_model
from crypto.model.data import Parts, split_windows
from crypto.model.evaluation import FEWEST_WINDOWS, paired_test
from crypto.model.fitting import Fitted, fit
from crypto.model.parameters import LEVEL, RETURN, ModelParameters, read_parameters

CONF = Path(__file__).resolve().parents[3] / "conf" / "base" / "parameters.yaml"
YEAR = 8760
TEST = 876
HEAD = "pair      tested from   MAE/naive  coverage  Winkler/constant  width      change  epochs  seconds"


@dataclass(frozen=True)
class Measured:
    """One window: figures of its test hours."""

    pair: str
    tested_from: str
    naive_ratio: float
    coverage: float
    winkler_ratio: float
    width: str
    keeps_change: bool
    epochs: int
    seconds: float

    def __str__(self) -> str:
        """Return a row of the table."""
        change = "kept" if self.keeps_change else "none"
        return (
            f"{self.pair:<10}{self.tested_from:<12}{self.naive_ratio:>11.4f}{self.coverage:>10.3f}"
            f"{self.winkler_ratio:>18.3f}  {self.width:<11}{change:<6}{self.epochs:>8}{self.seconds:>9.1f}"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, the means, the paired tests and the bar; return 1 when the bar is not met."""
    told = _parser().parse_args(arguments)
    torch.set_num_threads(1)
    conf: dict[str, Any] = yaml.safe_load(CONF.read_text(encoding="utf-8"))
    target = LEVEL if told.level else RETURN
    faster = {"train_workers": 0, "val_workers": 0, "val_batch_size": 512, "max_epochs": told.epochs}
    block = {**conf[target], **(faster if told.level else {})}
    parameters = read_parameters(target, block, with_volume=told.volume)
    rows: list[Measured] = []
    fast_enough = True
    print(HEAD, flush=True)
    for text in told.files:
        pair, _, path = text.rpartition("=")
        newest: tuple[Parts, Fitted] | None = None
        for parts in _chosen(read(Path(path)), told):
            row, fitted = measure(pair or Path(path).stem, parts, parameters)
            newest = parts, fitted
            rows.append(row)
            print(row, flush=True)
        if newest is not None and not told.level:
            fast_enough &= _proven(rows[-1], *newest)
    if told.level:
        return 0
    return 0 if summary(rows) and fast_enough else 1


def read(path: Path) -> pd.DataFrame:
    """Return the clean candles of a parquet file of Binance's twelve columns."""
    raw = pd.read_parquet(path)
    candles = as_candles(raw.set_axis(list(COLUMNS), axis=1))
    series, _mended = clean(candles, datetime.now(UTC), HOUR_S)
    return series


def windows(series: pd.DataFrame, *, with_volume: bool = False) -> Iterator[Parts]:
    """Yield the parts of each window of 365 days, oldest first."""
    for start in range(0, len(series) - YEAR + 1, TEST):
        yield split_windows(series.iloc[start : start + YEAR], with_volume=with_volume)


def measure(pair: str, parts: Parts, parameters: ModelParameters) -> tuple[Measured, Fitted]:
    """Return the figures of one window and what was fitted."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        fitted = fit(parts, parameters, Path(folder))
    seconds = time.perf_counter() - started
    found, report = fitted.metrics, fitted.report
    row = Measured(
        pair,
        report["trained_until"][:10],
        found["naive_ratio"],
        found["coverage"],
        found["winkler_ratio"],
        report["width"],
        report["keeps_change"],
        report["epochs"],
        seconds,
    )
    return row, fitted


def summary(rows: Sequence[Measured]) -> bool:
    """Print means, paired tests and the bar; return whether the bar is met."""
    figures = pd.DataFrame([vars(row) for row in rows])
    means = figures.groupby("pair")[["naive_ratio", "coverage", "winkler_ratio"]].mean()
    for pair, mean in means.iterrows():
        print(f"{pair!s:<10}{'mean':<12}{mean.iloc[0]:>11.4f}{mean.iloc[1]:>10.3f}{mean.iloc[2]:>18.3f}")
    _tested(figures)
    ratio, share = figures["naive_ratio"], figures["coverage"]
    bar = {
        f"MAE at most 1.005 x naive on each window (largest {ratio.max():.4f})": ratio.max() <= 1.005,
        f"coverage 0.83 to 0.97 on each window ({share.min():.3f} to {share.max():.3f})": share.between(
            0.83, 0.97
        ).all(),
        f"mean coverage 0.87 to 0.93 ({share.mean():.3f})": 0.87 <= share.mean() <= 0.93,
        f"mean Winkler at most 0.90 of constant width, each pair ({means['winkler_ratio'].max():.3f})": (
            means["winkler_ratio"].max() <= 0.90
        ),
    }
    for sentence, is_met in bar.items():
        print(f"{'met' if is_met else 'NOT MET':<8}{sentence}")
    return all(bar.values())


def _tested(figures: pd.DataFrame) -> None:
    """Print Wilcoxon's test over windows: pairs of one time are averaged, since they move together."""
    by_time = figures.groupby("tested_from")[["naive_ratio", "winkler_ratio"]].mean()
    for name, against in (("naive_ratio", "the last close"), ("winkler_ratio", "constant width")):
        values = by_time[name].to_numpy(np.float64)
        test = paired_test(values, np.ones(len(values)))
        if test.p_value is None:
            few = f"{test.n} windows of time are too few for a paired test, which takes {FEWEST_WINDOWS}"
            print(f"{name}: {few if test.n < FEWEST_WINDOWS else 'no window differs from ' + against}")
            continue
        word = "better than" if test.shows_skill else "not shown to be better than"
        print(
            f"{name}: {word} {against}, lower in {test.better} of {test.n} windows, p = {test.p_value:.2g} (Wilcoxon)"
        )


def _proven(row: Measured, parts: Parts, fitted: Fitted) -> bool:
    started = time.perf_counter()
    content = convert_model(fitted.model)
    parity = validate_model(content, fitted.model, parts.test)
    seconds = time.perf_counter() - started
    whole = row.seconds + seconds
    print(
        f"{row.pair:<10}train {row.seconds:.1f} s + export and parity {seconds:.1f} s = {whole:.1f} s (at most 120); "
        f"largest difference of the return {parity.largest:.1e} on {parity.n} windows, "
        f"mean {parity.of_naive:.1e} of naive's error",
        flush=True,
    )
    return whole <= 120


def _chosen(series: pd.DataFrame, told: argparse.Namespace) -> list[Parts]:
    found = list(windows(series, with_volume=told.volume))
    if told.level:
        return found[-1:]
    return found[::7] if told.quick else found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m crypto.model.benchmark", description=__doc__.partition("\n")[0])
    parser.add_argument("files", nargs="+", metavar="PAIR=FILE", help="candles, parquet")
    parser.add_argument("--quick", action="store_true", help="every seventh window")
    parser.add_argument("--volume", action="store_true", help="let the network see the volumes too")
    parser.add_argument("--level", action="store_true", help="the original chain instead, on the newest window of each")
    parser.add_argument("--epochs", type=int, default=5, help="with --level: how many at most (5)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
