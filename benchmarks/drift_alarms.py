"""How often the drift test cries wolf, and whether it sees what moved, at every size of window.

``python benchmarks/drift_alarms.py [--quick] [--electricity FILE] [--bank FILE]`` prints Markdown tables. The rows
made here are the 20 columns of the survey: 12 floats (normal, correlated, log-normal, heavy-tailed, half zeros,
rounded), 2 ints, 1 float with 5 % missing, 4 categories (3, 10, 50 and 200 levels) and 1 bool. Each reference serves
a few windows only, so that the figure is over references, too. Real rows are asked twice: shuffled (no drift, by
construction) and in consecutive blocks against the first 20,000 (where drift and dependence are real).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from boucle.core.counting import count
from boucle.core.freezing import freeze
from boucle.core.profile import Profile
from boucle.core.schema import infer
from boucle.core.table import Column, Table
from boucle.monitoring.drift import drift

SIZES = (100, 200, 300, 500, 1_000, 3_000, 10_000, 20_000)
REFERENCES = (20_000, 2_000)
WINDOWS_PER_REFERENCE = 10
LEVELS = (3, 10, 50, 200)
DRIFTS = {  # shift of a mean and growth of a spread, in standard deviations; share that leaves the first level
    "as surveyed": (0.5, 1.5, 0.25),
    "half of that": (0.25, 1.25, 0.125),
    "trivial": (0.02, 1.02, 0.01),
}


def rows(n: int, rng: Any, moved: tuple[float, float, float] = (0.0, 1.0, 0.0)) -> Table:
    """Draw rows of the 20 columns; the first two floats and the 10-level category are the ones that move."""
    shift, growth, share = moved
    z = rng.standard_normal((n, 13))
    z[:, 1] = 0.8 * z[:, 0] + 0.6 * z[:, 1]
    z[:, 2] = np.exp(z[:, 2])
    z[:, 3] = rng.standard_t(2, n)
    z[:, 4] = np.where(rng.random(n) < 0.5, 0.0, np.abs(z[:, 4]))
    z[:, 5] = np.round(z[:, 5], 1)
    z[:, 0] += shift
    z[:, 1] *= growth
    z[rng.random(n) < 0.05, 12] = np.nan
    columns = {f"num{place}": Column("float", z[:, place].copy()) for place in range(13)}
    columns["int0"] = Column("int", rng.poisson(3, n))
    columns["int1"] = Column("int", rng.integers(18, 90, n))
    for n_levels in LEVELS:
        weights = 1 / np.arange(1, n_levels + 1)
        weights /= weights.sum()
        if n_levels == 10:
            weights[0] -= share
            weights[-1] += share
        names = np.array([f"level {level}" for level in range(n_levels)], dtype=object)
        columns[f"cat{n_levels}"] = Column("text", names[rng.choice(n_levels, n, p=weights)])
    columns["bool"] = Column("bool", rng.random(n) < 0.3)
    return Table(columns)


def profiled(reference: Table) -> Profile:
    """Return the profile of reference rows on their own grid; all texts are categories."""
    schema = infer(reference)
    columns = tuple(replace(column, type="category") if column.type == "text" else column for column in schema.columns)
    return count(freeze(reference, replace(schema, columns=columns)), reference)


def alarms(size: int, n_reference: int, n_windows: int) -> tuple[int, int, dict[str, int]]:
    """Return windows without drift, those of them flagged, and how often each column was."""
    rng = np.random.default_rng([size, n_reference])
    flagged, by_column, done = 0, dict[str, int](), 0
    while done < n_windows:
        reference = profiled(rows(n_reference, rng))
        for _ in range(WINDOWS_PER_REFERENCE):
            found = drift(reference, count(reference.grid, rows(size, rng))).flagged
            flagged += bool(found)
            for part in found:
                by_column[part.name] = by_column.get(part.name, 0) + 1
            done += 1
    return done, flagged, by_column


def caught(size: int, n_reference: int, n_windows: int, name: str) -> tuple[int, int, float]:
    """Return windows with three moved columns, those caught, and the mean number of the three that were named."""
    rng = np.random.default_rng([size, n_reference, sorted(DRIFTS).index(name)])
    flagged, named = 0, 0
    reference = profiled(rows(n_reference, rng))
    for _ in range(n_windows):
        found = {part.name for part in drift(reference, count(reference.grid, rows(size, rng, DRIFTS[name]))).flagged}
        flagged += bool(found)
        named += len(found & {"num0", "num1", "cat10"})
    return n_windows, flagged, named / n_windows


def real(file: Path) -> Table:
    """Read a data set: text and numeric columns in the order of the file, times and dates left out."""
    frame = pl.read_parquet(file)
    columns = {}
    for series in frame.iter_columns():
        if series.dtype == pl.String and series.name != "period":
            columns[series.name] = Column("text", np.array(series.to_list(), dtype=object))
        elif series.dtype.is_numeric():
            columns[series.name] = Column("float", series.cast(pl.Float64).to_numpy().copy())
    return Table(columns)


def on_real(table: Table, size: int, n_windows: int) -> tuple[float, float]:
    """Return the share of windows flagged: of shuffled rows, and of consecutive blocks after the first 20,000 rows."""
    rng = np.random.default_rng(size)
    flagged = done = 0
    while done < n_windows:
        order = rng.permutation(table.n_rows)
        reference = profiled(table.take(order[:20_000]))
        for start in range(20_000, min(table.n_rows - size + 1, 20_000 + 10 * size), size):
            flagged += drift(reference, count(reference.grid, table.take(order[start : start + size]))).is_drifted
            done += 1
    first = profiled(table.take(slice(0, 20_000)))
    blocks = [
        drift(first, count(first.grid, table.take(slice(start, start + size)))).is_drifted
        for start in range(20_000, table.n_rows - size + 1, size)
    ]
    return flagged / done, float(np.mean(blocks))


def tables(options: argparse.Namespace) -> Iterator[str]:
    """Yield the lines of the report."""
    most = 80 if options.quick else options.windows
    yield "No drift: windows in which any of 20 columns was flagged (promised at most 1.5 %)\n"
    yield "| reference rows | window rows | windows | flagged | share | most often |"
    yield "|---|---|---|---|---|---|"
    for n_reference in REFERENCES:
        total = wrong = 0
        for size in SIZES:
            done, flagged, columns = alarms(size, n_reference, min(most, max(80, 100_000_000 // (size + 5_000))))
            total, wrong = total + done, wrong + flagged
            often = ", ".join(f"{name} {n}" for name, n in sorted(columns.items(), key=lambda item: -item[1])[:3])
            yield f"| {n_reference:,} | {size:,} | {done:,} | {flagged} | {flagged / done:.2%} | {often} |"
        yield f"| {n_reference:,} | all | {total:,} | {wrong} | {wrong / total:.2%} | |"
    yield "\nThree of 20 columns moved (mean, spread, share of a level), reference 20,000 rows\n"
    yield "| drift | window rows | windows | caught | columns named, of 3 |"
    yield "|---|---|---|---|---|"
    for name in ("as surveyed", "half of that"):
        for size in SIZES:
            done, flagged, named = caught(
                size, 20_000, 20 if options.quick else max(40, min(500, 500_000 // size)), name
            )
            yield f"| {name} | {size:,} | {done:,} | {flagged / done:.1%} | {named:.2f} |"
    million = 100_000 if options.quick else 1_000_000
    done, flagged, _named = caught(million, 20_000, 3, "trivial")
    yield f"| trivial (0.02 sd, 1 point): must not be flagged | {million:,} | {done} | {flagged / done:.1%} | |"
    yield from _real_tables(options)
    yield "\n" + _timed()


def _real_tables(options: argparse.Namespace) -> Iterator[str]:
    yield "\nReal rows, reference 20,000 rows\n"
    yield "| data | window rows | shuffled: flagged | consecutive blocks: flagged |"
    yield "|---|---|---|---|"
    for name, file in (("electricity", options.electricity), ("bank marketing", options.bank)):
        if file is None or not file.exists():
            continue
        table = real(file)
        for size in (100, 300, 1_000, 3_000):
            shuffled, blocks = on_real(table, size, 40 if options.quick else 500)
            yield f"| {name} | {size:,} | {shuffled:.1%} | {blocks:.1%} |"


def _timed() -> str:
    rng = np.random.default_rng(0)
    reference = profiled(rows(20_000, rng))
    current = count(reference.grid, rows(20_000, rng))
    times = []
    for _ in range(300):
        begun = time.perf_counter()
        drift(reference, current)
        times.append(time.perf_counter() - begun)
    p50, p99 = np.quantile(times, [0.5, 0.99]) * 1e3
    return f"One verdict over 20 columns from two profiles: {p50:.2f} ms (median), {p99:.2f} ms (99 %)."


def main() -> None:
    """Print the report."""
    shared = Path(__file__).resolve().parents[2] / "shared" / "data"
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few windows only, to see that it runs")
    parser.add_argument("--windows", type=int, default=4_000, help="most windows without drift at each size")
    parser.add_argument("--electricity", type=Path, default=shared / "electricity-drift" / "elec2.parquet")
    parser.add_argument("--bank", type=Path, default=shared / "bank-marketing" / "bank-additional-full.parquet")
    for line in tables(parser.parse_args()):
        print(line, flush=True)


if __name__ == "__main__":
    main()
