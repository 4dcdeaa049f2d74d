"""Profiles in the database, and the same ones as files: bytes and times. Prints a table for docs/adr/0016.

    python benchmarks/profile_store.py [sqlite:///file | postgresql://...]

20 columns: 12 of decimals and 4 of integers cut into 256 bins, 4 of categories (3, 10, 50, 200 levels).
"""

from __future__ import annotations

import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import deltalake
import numpy as np
import polars as pl

from boucle.adapters.sql import SqlCollectStore, SqlProfileStore, SqlTruthStore, migrate, open_database
from boucle.core.grid import Grid, Part
from boucle.core.profile import Profile
from boucle.core.reference import Reference
from boucle.core.report import Span
from boucle.core.series import Series
from boucle.labels.truth import Truth
from boucle.monitoring.ports import Key, Stream

MINUTE = 60_000_000
T0 = 20_000 * 1_440 * MINUTE
COMMITS = 200  # of a table of files; a day of minutes makes 1,440
LEVELS = (3, 10, 50, 200)
STREAMS: tuple[Stream, ...] = ("traffic", "features", "answers", "quality")
DRAWS = np.random.default_rng(7)


def grid(numbers: int = 16, levels: Iterable[int] = LEVELS) -> Grid:
    """Return the grid of a reference of normal values."""
    edges = tuple(np.sort(DRAWS.normal(size=255)).tolist())
    parts = [Part(f"n{i}", "number", edges=edges) for i in range(numbers)]
    parts += [Part(f"c{n}", "level", levels=tuple(f"level {i}" for i in range(n))) for n in levels]
    return Grid(tuple(parts))


def profile(grid: Grid, n_rows: int) -> Profile:
    """Return the profile of so many normal rows."""
    found = Profile.empty(grid)
    for place, part in enumerate(grid.parts):
        bins = found.part(place)
        if part.kind == "number":
            values = DRAWS.normal(size=n_rows)
            into = np.searchsorted(part.cuts, values)
            found.sums[bins] += np.bincount(into, values, part.n_bins)
            found.squares[place] = float(values @ values)
            found.low[place], found.high[place] = values.min(), values.max()
        else:
            into = np.minimum(DRAWS.zipf(1.5, n_rows) - 1, part.n_bins - 1)
        found.counts[bins] += np.bincount(into, minlength=part.n_bins)
    return Profile(grid, n_rows, found.counts, found.sums, found.missing, found.squares, found.low, found.high)


@dataclass(frozen=True)
class Taken:
    """Seconds of a doing: the median, the longest, and of the processor."""

    median: float
    longest: float
    cpu: float


def timed(do: Callable[[int], object], times: int = 5) -> Taken:
    """Do it some times."""
    clock, cpu = [], []
    for i in range(times):
        began, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
        do(i)
        clock.append(time.perf_counter() - began)
        now = resource.getrusage(resource.RUSAGE_SELF)
        cpu.append(now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime)
    return Taken(statistics.median(clock), max(clock), statistics.median(cpu))


def told(what: str, taken: Taken) -> None:
    """Print a line."""
    print(f"{what:60} {taken.median * 1e3:9.1f} ms (longest {taken.longest * 1e3:.1f}, cpu {taken.cpu * 1e3:.1f})")


def sizes(of: Grid) -> None:
    """Print the bytes of a minute."""
    for n_rows in (1, 100, 10_000):
        packed = [profile(of, n_rows) for _ in range(20)]
        mean = statistics.mean(len(each.to_bytes()) for each in packed)
        print(f"bytes of a minute of {n_rows:6} rows: {mean:9.0f}   ({of.n_bins} bins, raw {16 * of.n_bins})")
        told(f"  to_bytes of {n_rows} rows", timed(lambda _, p=packed[0]: p.to_bytes(), 200))  # type: ignore[misc]  # bound now
        data = packed[0].to_bytes()
        told(f"  from_bytes of {n_rows} rows", timed(lambda _, d=data: Profile.from_bytes(of, d), 200))  # type: ignore[misc]  # bound now


def in_database(url: str, of: Grid) -> None:
    """Print the times of the stores."""
    engine = open_database(url)
    migrate(engine)
    store, collect = SqlProfileStore(engine), SqlCollectStore(engine)
    for m in range(60):
        store.keep_reference(f"m{m}", 1, Reference(dict.fromkeys(STREAMS, of)))
    some = [profile(of, 100) for _ in range(8)]

    def add(turn: int) -> None:
        minutes = (T0 + turn * MINUTE, T0 + (turn + 1) * MINUTE)  # one of them was added to before
        keys = [Key(f"m{m}", 1, stream) for m in range(60) for stream in STREAMS]
        with collect.collecting() as tx:
            tx.advance("s", tx.position("s") + 1)
            tx.add({(key, at): some[i % 8] for i, key in enumerate(keys) for at in minutes})

    told("add: 60 models x 4 streams x 2 minutes of 100 rows", timed(add, 7))
    for n_rows in (100, 10_000):
        day_of_minutes(url, of, n_rows)
    roll_up_and_truths(url)


def day_of_minutes(url: str, of: Grid, n_rows: int) -> None:
    """Print the times of reading a day."""
    store, collect = SqlProfileStore(open_database(url)), SqlCollectStore(open_database(url))
    key = Key(f"m{n_rows % 60}", 1, "features", f"rows={n_rows}")
    some = [profile(of, n_rows) for _ in range(24)]
    with collect.collecting() as tx:
        tx.add({(key, T0 + i * MINUTE): some[i % 24] for i in range(1_440)})
    day = Span(T0, T0 + 1_440 * MINUTE)
    store.reference(key.model, 1)
    told(f"series of 1,440 minutes of {n_rows} rows, cold", timed(lambda _: store.series(key, day)))
    series = store.series(key, day)
    told("  any window of it, warm", timed(lambda i: series.within(Span(T0 + i * MINUTE, T0 + 900 * MINUTE)), 50))


def roll_up_and_truths(url: str) -> None:
    """Print the times of rolling up and of ground truth."""
    collect, truths = SqlCollectStore(open_database(url)), SqlTruthStore(open_database(url))
    batch = [Truth("m0", f"0190c3b1-7f00-7000-8000-{i:012d}:0", i % 2, T0 + i, T0 + i) for i in range(100_000)]

    def roll_up(_turn: int) -> None:
        with collect.collecting() as tx:
            for place in range(60):
                tx.roll_up(f"m{place}", T0 + 1_440 * MINUTE, 3_600)

    def keep(_turn: int) -> None:
        with collect.collecting() as tx:
            tx.keep(batch)

    told("roll_up of all of it to hours (2,880 + 1,920 minutes)", timed(roll_up, 1))
    told("keep of 100,000 truths", timed(keep, 1))
    told("keep of the same again", timed(keep, 1))

    def settle(_turn: int) -> None:
        with collect.collecting() as tx:
            waiting = tx.waiting(100_000)
            tx.settle([Truth(t.model, t.id, t.value, t.at, t.logged_at, "joined", {"b": 1}, T0) for t in waiting])

    told("waiting and settle of 100,000 truths", timed(settle, 1))
    told("joined of 100,000 truths", timed(lambda _: truths.joined("m0", Span(T0, T0 + MINUTE)), 1))


def in_files(of: Grid, folder: Path) -> None:
    """Print the times of the same profiles in a Delta table and in one Parquet file."""
    some = [profile(of, 100) for _ in range(24)]
    table = str(folder / "delta")

    def frame(minutes: Iterable[int], models: int = 60, slices: int = 4) -> pl.DataFrame:
        at = [(f"m{m}", s, T0 + i * MINUTE) for i in minutes for m in range(models) for s in range(slices)]
        payload = [some[i % 24].to_bytes() for i in range(len(at))]
        model, stream, time_ = zip(*at, strict=True)
        return pl.DataFrame({"model": model, "stream": stream, "at": time_, "payload": payload})

    def append(turn: int) -> None:
        deltalake.write_deltalake(table, frame((turn, turn + 1)), mode="append")

    told("Delta append: 60 models x 4 streams x 2 minutes (no merge)", timed(append, COMMITS))
    told(
        f"Delta read of one key of these {COMMITS} commits",
        timed(lambda _: one(pl.read_delta(table))),
    )
    day = folder / "day.parquet"
    frame(range(1_440), models=1, slices=1).write_parquet(day)
    told(
        "Parquet, one file of one key's day: read and made a Series",
        timed(lambda _: series_of(pl.read_parquet(day), of)),
    )


def one(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of one key."""
    return frame.filter((pl.col("model") == "m7") & (pl.col("stream") == 1))


def series_of(frame: pl.DataFrame, of: Grid) -> object:
    """Return the series of a frame's rows."""
    return Series(of, [(at, Profile.from_bytes(of, data)) for at, data in frame.select("at", "payload").rows()])


def main() -> None:
    """Measure."""
    of = grid()
    with tempfile.TemporaryDirectory() as folder:
        sizes(of)
        url = sys.argv[1] if len(sys.argv) > 1 else f"sqlite:///{folder}/db.sqlite"
        print(url.split(":")[0])
        in_database(url, of)
        in_files(of, Path(folder))


if __name__ == "__main__":
    main()
