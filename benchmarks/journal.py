"""What the inference log costs: CPU of the gateway a request, with and without it, in turns of a twentieth of a second.

    python benchmarks/journal.py [--seconds 60] [--connections 8]        needs wrk

One gateway process answers one row at a time of the linear ONNX model of `serving.py` (four numbers: the cheapest
request there is), one row of 20 raw columns (a pipeline: 12 numbers scaled, 8 categories encoded, a logistic
regression; compiled, too), and 100 such rows. It turns its log on and off twenty times a second, so that both halves
of a pair share process, memory, clock and neighbours. A pair is two blocks side by side; the figure is the median of
the pairs, its interval a bootstrap over them. The thread that brings segments to the disk works in both halves: its
CPU is taken out of the blocks and added to the log's side. Beside it: what one record costs alone.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE))
_RESAMPLED = 10_000
_BLOCK_S, _LEAST_REQUESTS = 0.05, 20


def serve(notes: Path) -> None:
    """Serve the home of BOUCLE_HOME with a log that goes on and off; SIGUSR1 begins the notes, a second ends them."""
    from boucle.bootstrap import server
    from boucle.bootstrap.gateway import gateway
    from boucle.bootstrap.sockets import listen
    from boucle.gateway.protocol import ReceiptProtocol
    from boucle.settings import load

    settings = load()
    app = gateway(settings)
    begun, ended = threading.Event(), threading.Event()

    def turn(*_told: object) -> None:
        (ended if begun.is_set() else begun).set()

    def follow() -> None:
        begun.wait()
        notes.write_text(json.dumps(blocks(app, ended)))

    signal.signal(signal.SIGUSR1, turn)
    threading.Thread(target=follow, daemon=True).start()
    server.serve(app, listen(settings.host, settings.gateway_port), http=ReceiptProtocol)


def blocks(app: Any, ended: threading.Event) -> dict[str, Any]:
    """Return (is on, CPU ns, requests) of each block, and the CPU ns of the thread that brings the log to the disk."""
    syncing = next(each for each in threading.enumerate() if each.name == "segments")
    clock = time.pthread_getcpuclockid(syncing.ident or 0)

    def seen() -> tuple[int, int, int]:
        synced = time.clock_gettime_ns(clock)
        meters = [meter for versions in app.meters.by_version.values() for meter in versions.values()]
        return time.process_time_ns() - synced, sum(meter.predictions for meter in meters), synced

    first = before = seen()
    found = []
    while not ended.is_set():
        time.sleep(_BLOCK_S)
        now = seen()
        found.append((app.recorder.is_on, now[0] - before[0], now[1] - before[1]))
        app.recorder.is_on = not app.recorder.is_on
        before = seen()
    return {"blocks": found, "synced": before[2] - first[2]}


def pairs_of(notes: dict[str, Any]) -> list[tuple[float, float]]:
    """Return CPU microseconds a request, (with, without) the log, of each two blocks side by side."""
    found = [(is_on, cpu / 1000 / n) for is_on, cpu, n in notes["blocks"] if n >= _LEAST_REQUESTS]
    n_logged = sum(n for is_on, _cpu, n in notes["blocks"] if is_on)
    synced = notes["synced"] / 1000 / n_logged
    pairs = [(one, other) for one, other in itertools.pairwise(found) if one[0] != other[0]]
    return [(dict(pair)[True] + synced, dict(pair)[False]) for pair in pairs[::2]]


def interval(pairs: list[tuple[float, float]]) -> tuple[float, float, float]:
    """Return the cost of the log as a share of a request: median of the pairs, and its 95 % bootstrap interval."""
    rng = random.Random(0)  # noqa: S311
    shares = [with_log / without - 1 for with_log, without in pairs]
    medians = sorted(statistics.median(rng.choices(shares, k=len(shares))) for _time in range(_RESAMPLED))
    return statistics.median(shares), medians[_RESAMPLED // 40], medians[-_RESAMPLED // 40]


def alone(folder: Path) -> float:
    """Return the microseconds of packing and writing one record of 500 + 150 bytes, nothing else."""
    from boucle.adapters.segments import SegmentJournal
    from boucle.core.segment import Packer

    journal, packer, n_times = SegmentJournal(folder), Packer("linear", 1), 50_000
    start = time.process_time()
    for _time in range(n_times):
        journal.append(packer.answer("0" * 36, (1, 2, 3), (b"x" * 500, "json"), (b"y" * 150, "json"), ""))
    used = time.process_time() - start
    journal.close()
    return used / n_times * 1e6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", type=Path, metavar="NOTES", help="what this command starts")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--connections", type=int, default=8)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return
    from serving import platform

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print(f"one record of 500 + 150 bytes alone: {alone(folder / 'alone'):.2f} us of CPU")
        with platform(folder):
            told, rows = twenty()
            one, many = (part.to_json(orient="records") for part in (rows.head(1), rows.head(100)))
            for model, what, body in (linear(), (told, "one row of 20 columns", one), (told, "100 rows", many)):
                pairs = measured(folder, model, body, options)
                share, low, high = interval(pairs)
                with_log, without = (statistics.median(side) for side in zip(*pairs, strict=True))
                print(f"{what}: CPU a row {without:.1f} us without, {with_log:.1f} us with the log", end="; ")
                print(f"the log costs {share:+.1%}, 95 % interval {low:+.1%} to {high:+.1%} ({len(pairs)} pairs)")


def linear() -> tuple[str, str, str]:
    """Return the name of the model that `serving.py` deployed, what is asked of it, and the request."""
    import apps

    return "linear", "one row of 4 numbers", json.dumps([{name: apps.row()[name] for name in apps.NUMBERS}])


def twenty() -> tuple[str, Any]:
    """Deploy the pipeline of 20 columns; return its name and rows."""
    import numpy as np
    import pandas as pd
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    import boucle

    dice = np.random.default_rng(0)
    numbers = {f"number{place}": dice.normal(100.0, 15.0, 2_000).round(3) for place in range(12)}
    levels = {f"level{place}": dice.choice([f"value {i}" for i in range(4 + place)], 2_000) for place in range(8)}
    rows = pd.DataFrame({**numbers, **levels})
    prepare = make_column_transformer(
        (StandardScaler(), list(numbers)), (OneHotEncoder(handle_unknown="ignore"), list(levels))
    )
    model = make_pipeline(prepare, LogisticRegression()).fit(rows, rows["number0"] > 100)
    deployment = boucle.deploy(model, "twenty", example=rows)
    assert deployment.runtime == "onnx"
    return "twenty", rows


def measured(folder: Path, model: str, body: str, options: argparse.Namespace) -> list[tuple[float, float]]:
    """Return the pairs of a gateway that is asked for nothing else than one model."""
    from boucle.bootstrap.sockets import listen
    from serving import Target, await_answer, load, one_thread, wrk_script

    with listen("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    environ = {**one_thread(), "BOUCLE_HOME": str(folder / "home"), "BOUCLE_GATEWAY_PORT": str(port)}
    environ["BOUCLE_PORT"] = os.environ["BOUCLE_URL"].rsplit(":", 1)[1].strip("/")
    script, notes = wrk_script(folder, body), folder / "notes.json"
    notes.unlink(missing_ok=True)
    process = subprocess.Popen([sys.executable, __file__, "--serve", str(notes)], env=environ)
    try:
        target = Target("gateway", f"http://127.0.0.1:{port}/models/{model}/invocations", (process.pid,))
        await_answer(target, body)
        load(target, options.connections, 2, script)
        process.send_signal(signal.SIGUSR1)
        cell = load(target, options.connections, options.seconds, script)
        assert cell.errors == 0
        process.send_signal(signal.SIGUSR1)
        while not notes.exists() or not notes.read_text().endswith("}"):
            time.sleep(0.1)
    finally:
        process.terminate()
        process.wait()
    return pairs_of(json.loads(notes.read_text()))


if __name__ == "__main__":
    main()
