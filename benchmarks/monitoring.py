"""Profiles, windows and drift verdicts, with decoding printed beside; and Evidently on the same rows.

    python benchmarks/monitoring.py [--quick] [--without-evidently]        needs uv (Evidently gets its own environment)

20 columns (12 float, 2 int, 1 float with 5 % nulls, 4 texts of 3, 10, 50 and 200 levels, 1 bool), reference and
current window of the same size, three columns really shifted. Both sides begin with the rows in memory, each in a
process of its own. Evidently keeps no profiles: its query always reads rows, so *query alone* has no twin there and
*from raw rows* (grid, both profiles, verdict) is the like-for-like figure. The machine is shared: expect 40 %.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from boucle.core.counting import count, count_by
from boucle.core.grid import Grid
from boucle.core.profile import Profile
from boucle.core.report import Span
from boucle.core.schema import Schema, infer
from boucle.core.series import Series
from boucle.core.table import Column, Table
from boucle.monitoring.drift import Drift, drift
from boucle.monitoring.grids import features_reference
from boucle.serving.decode import JSON, decode
from boucle.serving.limits import Limits
from boucle.serving.plan import RowPlan

HERE = Path(__file__).resolve().parent
EVIDENTLY = HERE.parent / ".cache" / "evidently"
PINS = ("evidently==0.7.23", "pandas<3")
SIZES = (10_000, 100_000, 1_000_000)
MINUTES = 1_440
LEVELS = (3, 10, 50, 200)
SHIFTED = ("num0", "num1", "cat10")
WINDOWS = 1_000


def drawn(n: int, seed: int, is_shifted: bool) -> dict[str, Any]:
    """Return the arrays of a table as they are stored: categories as codes and levels."""
    rng = np.random.default_rng(seed)
    arrays: dict[str, Any] = {}
    for i in range(12):
        arrays[f"num{i}"] = rng.lognormal(0, 1, n) if i % 3 == 2 else rng.normal(i, 1 + i, n)
    arrays["count0"], arrays["count1"] = rng.poisson(5, n), rng.poisson(500, n)
    arrays["nulls"] = np.where(rng.random(n) < 0.05, np.nan, rng.normal(size=n))
    for k in LEVELS:
        weights = 1 / np.arange(1.0, k + 1)
        if is_shifted and k == 10:
            weights = weights[::-1]
        arrays[f"cat{k}|codes"] = rng.choice(k, n, p=weights / weights.sum()).astype(np.int16)
        arrays[f"cat{k}|levels"] = np.array([f"level_{j}" for j in range(k)])
    arrays["flag"] = rng.random(n) < 0.3
    if is_shifted:
        arrays["num0"], arrays["num1"] = arrays["num0"] + 0.5, arrays["num1"] * 1.5
    return arrays


def loaded(path: str) -> Table:
    """Return a stored table."""
    stored, columns = np.load(path), {}
    for name in stored.files:
        if name.endswith("|codes"):
            levels = stored[name.removesuffix("codes") + "levels"].astype(object)
            columns[name.removesuffix("|codes")] = Column("text", levels[stored[name]])
        elif not name.endswith("|levels"):
            kind = {"f": "float", "i": "int", "b": "bool"}[stored[name].dtype.kind]
            columns[name] = Column(kind, stored[name])
    return Table(columns)


def timed(run: Callable[[], Any]) -> tuple[float, Any]:
    """Return the seconds that a call took, and what it returned."""
    start = time.perf_counter()
    found = run()
    return time.perf_counter() - start, found


def percentiles(run: Callable[[], Any], times: int) -> dict[str, float]:
    """Return p50 and p99 in milliseconds over many calls, and the p99 of their CPU time (neighbours take the rest)."""
    taken, used = [], []
    for _ in range(times):
        before = time.process_time()
        taken.append(timed(run)[0] * 1e3)
        used.append((time.process_time() - before) * 1e3)
    p50, p99 = np.percentile(taken, [50, 99]).tolist()
    return {"p50": p50, "p99": p99, "cpu": float(np.percentile(used, 99))}


def peak_mb() -> float:
    """Return the most memory that this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measured(reference: Table, current: Table) -> dict[str, Any]:
    """Return all figures of one size."""
    before_mb, schema = peak_mb(), infer(reference)
    build_s, (grid, known) = timed(lambda: features_reference(schema, reference))
    first_s, whole = timed(lambda: count(grid, current))  # once, as Evidently runs once
    verdict_s, exact = timed(lambda: drift(known, whole))
    raw_peak_mb = peak_mb()
    warm_s = min(timed(lambda: count(grid, current))[0] for _ in range(3))
    found = {
        "before_mb": before_mb,
        "peak_mb": raw_peak_mb,
        "reference_s": build_s,
        "count_us": warm_s * 1e6 / current.n_rows,
        "raw_s": build_s + first_s + verdict_s,
        "n_bins": grid.n_bins,
    }
    found.update(windows(grid, known, current, exact))
    found.update(decoding(schema, current.take(slice(0, 5_000))))
    return found


def windows(grid: Grid, known: Profile, current: Table, exact: Drift) -> dict[str, Any]:
    """Return what minute profiles cost, and verdicts of any window made of them."""
    minutes = np.arange(current.n_rows) * MINUTES // current.n_rows
    by_s, profiles = timed(lambda: count_by(grid, current, minutes))
    pack_s, packed = timed(lambda: {minute: profile.to_bytes() for minute, profile in profiles.items()})
    series = Series(grid, profiles.items())
    merged = drift(known, series.within(Span(0, MINUTES)))
    rng = np.random.default_rng(1)

    def span() -> Span:
        start, stop = sorted(rng.integers(0, MINUTES + 1, 2).tolist())
        return Span(start, stop + 1)

    def cold(window: Span) -> Drift:
        held = [(m, Profile.from_bytes(grid, data)) for m, data in packed.items() if window.start <= m < window.stop]
        return drift(known, Series(grid, held).within(window))

    drift(known, series.within(span()))
    return {
        "by_minute_us": by_s * 1e6 / current.n_rows,
        "pack_us_minute": pack_s * 1e6 / len(packed),
        "bytes_minute": sum(map(len, packed.values())) / len(packed),
        "series_mb": series.n_bytes / 1e6,
        "within_ms": percentiles(lambda: series.within(span()), WINDOWS),
        "warm_ms": percentiles(lambda: drift(known, series.within(span())), WINDOWS),
        "cold_hour_ms": percentiles(lambda: cold(Span(700, 760)), 20),
        "cold_day_ms": percentiles(lambda: cold(Span(0, MINUTES)), 7),
        "flagged": sorted(part.name for part in exact.flagged),
        "same_decisions": same(merged, exact) and same_windows(grid, known, (current, minutes), series),
    }


def same(one: Drift, other: Drift) -> bool:
    """Return whether two verdicts agree: the same parts flagged, the same p-values."""
    flags = [(part.name, part.is_flagged) for part in one.parts] == [(p.name, p.is_flagged) for p in other.parts]
    mine, theirs = ([part.p_value for part in verdict.parts] for verdict in (one, other))
    return flags and bool(np.allclose(mine, theirs, rtol=1e-6, atol=1e-12))


def same_windows(grid: Grid, known: Profile, rows: tuple[Table, Any], series: Series) -> bool:
    """Return whether ten windows have the verdict of their rows counted at once."""
    (table, minutes), rng = rows, np.random.default_rng(2)
    for _ in range(10):
        start, stop = sorted(rng.integers(0, MINUTES + 1, 2).tolist())
        first, last = np.searchsorted(minutes, [start, stop])
        alone = count(grid, table.take(slice(first, last)))
        if not same(drift(known, alone), drift(known, series.within(Span(start, stop)))):
            return False
    return True


def decoding(schema: Schema, table: Table) -> dict[str, Any]:
    """Return microseconds a row from JSON to columns: a request for each row, and requests of 1,000 rows."""
    plan, rows, found = RowPlan(schema, Limits()), table.rows(), {}
    for name, size in (("decode_one_us", 1), ("decode_many_us", 1_000)):
        bodies = [json.dumps(rows[i : i + size]).encode() for i in range(0, len(rows), size)]

        def decoded(bodies: list[bytes] = bodies, size: int = size) -> None:
            parts = [plan.read(decode(body, JSON, schema, plan.names)) for body in bodies]
            for part in [parts] if size == 1 else [[part] for part in parts]:
                plan.columns(part)

        decoded()
        found[name] = min(timed(decoded)[0] for _ in range(3)) * 1e6 / len(rows)
    return found


def evidently_python() -> Path:
    """Return the Python of Evidently's own environment, made when it is not there."""
    python = EVIDENTLY / "bin" / "python"
    if not python.exists():
        env = {**os.environ, "UV_FIND_LINKS": os.environ.get("UV_FIND_LINKS", os.environ.get("PIP_FIND_LINKS", ""))}
        subprocess.run(["uv", "venv", "-q", str(EVIDENTLY), "--python", sys.executable], check=True, env=env)
        subprocess.run(["uv", "pip", "install", "-q", "--python", str(python), *PINS], check=True, env=env)
    return python


def in_a_process(command: list[str]) -> dict[str, Any]:
    """Return the JSON object that a process printed last."""
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def both(n: int, with_evidently: bool) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Return the figures of boucle and of Evidently at one size."""
    with tempfile.TemporaryDirectory() as folder:
        files = [f"{folder}/{name}.npz" for name in ("reference", "current")]
        for seed, file in enumerate(files):
            np.savez(file, **drawn(n, seed, is_shifted=seed == 1))
        ours = in_a_process([sys.executable, __file__, "--one", *files])
        theirs = None
        if with_evidently:
            theirs = in_a_process([str(evidently_python()), str(HERE / "evidently_drift.py"), *files])
    return ours, theirs


ROWS: tuple[tuple[str, Callable[[dict[str, Any]], str]], ...] = (
    ("decode JSON, 1 row a request, µs/row", lambda f: f"{f['decode_one_us']:.2f}"),
    ("decode JSON, 1,000 rows a request, µs/row", lambda f: f"{f['decode_many_us']:.2f}"),
    ("**one profile (warm, best of 3), µs/row**", lambda f: f"{f['count_us']:.2f}"),
    ("**a day of 1,440 minute profiles, µs/row**", lambda f: f"{f['by_minute_us']:.2f}"),
    ("packing, µs/minute", lambda f: f"{f['pack_us_minute']:.0f}"),
    ("packed, bytes/minute", lambda f: f"{f['bytes_minute']:.0f}"),
    ("warm series of the day, MB", lambda f: f"{f['series_mb']:.0f}"),
    ("any window, profile, p50 / p99 ms", lambda f: pair(f["within_ms"])),
    ("**any window, verdict, warm, p50 / p99 ms**", lambda f: pair(f["warm_ms"])),
    ("any window, verdict, warm, CPU p99 ms", lambda f: f"{f['warm_ms']['cpu']:.2f}"),
    ("verdict of an hour, cold, p50 / p99 ms", lambda f: pair(f["cold_hour_ms"])),
    ("verdict of the day, cold, p50 / p99 ms", lambda f: pair(f["cold_day_ms"])),
    ("verdicts equal to those of the rows counted at once", lambda f: "yes" if f["same_decisions"] else "**NO**"),
    ("flagged (shifted: " + ", ".join(SHIFTED) + ")", lambda f: ", ".join(f["flagged"])),
    ("**from raw rows: grid, two profiles, verdict, s**", lambda f: f"{f['raw_s']:.2f}"),
    ("peak memory (with the rows alone), MB", lambda f: f"{f['peak_mb']:.0f} ({f['before_mb']:.0f})"),
)
THEIR_ROWS: tuple[tuple[str, Callable[[dict[str, Any]], str]], ...] = (
    ("**Evidently: two Datasets, drift preset, s**", lambda f: f"{f['dataset_s'] + f['run_s']:.2f}"),
    ("Evidently: import, s", lambda f: f"{f['import_s']:.1f}"),
    ("Evidently: peak memory (with the rows alone), MB", lambda f: f"{f['peak_mb']:.0f} ({f['before_mb']:.0f})"),
    ("Evidently: failed tests", lambda f: "; ".join(f["flagged"])),
)
RATIOS: tuple[tuple[str, Callable[[dict[str, Any], dict[str, Any]], float]], ...] = (
    ("Evidently / boucle, both from raw rows", lambda o, t: (t["dataset_s"] + t["run_s"]) / o["raw_s"]),
    ("Evidently / boucle's query alone (p99)", lambda o, t: (t["dataset_s"] + t["run_s"]) * 1e3 / o["warm_ms"]["p99"]),
)


def pair(found: dict[str, float]) -> str:
    """Return p50 and p99 as text."""
    return f"{found['p50']:.2f} / {found['p99']:.2f}"


def printed(found: dict[int, tuple[dict[str, Any], dict[str, Any] | None]]) -> str:
    """Return the figures as one Markdown table, a column for each size."""
    lines = ["| rows each side | " + " | ".join(f"{n:,}" for n in found) + " |", "|---|" + "---|" * len(found)]
    for name, told in ROWS:
        lines.append(f"| {name} | " + " | ".join(told(ours) for ours, _theirs in found.values()) + " |")
    beside = [(ours, theirs) for ours, theirs in found.values() if theirs is not None]
    if len(beside) == len(found):
        lines += [f"| {name} | " + " | ".join(told(theirs) for _, theirs in beside) + " |" for name, told in THEIR_ROWS]
        lines += [
            f"| {name} | " + " | ".join(f"{ratio(o, t):,.0f}×" for o, t in beside) + " |" for name, ratio in RATIOS
        ]
    return "\n".join(lines)


def main() -> None:
    """Measure each size in processes of its own and print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="leave out 1,000,000 rows")
    parser.add_argument("--without-evidently", action="store_true")
    parser.add_argument("--one", nargs=2, metavar=("REFERENCE", "CURRENT"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(measured(loaded(asked.one[0]), loaded(asked.one[1]))))
        return
    sizes = SIZES[:-1] if asked.quick else SIZES
    print(printed({n: both(n, with_evidently=not asked.without_evidently) for n in sizes}))


if __name__ == "__main__":
    main()
