"""Requests a second, p50, p99 and CPU a request, for a bare echo, a hand-written service and boucle, in one run.

    python benchmarks/serving.py [--seconds 4] [--rounds 2]        needs wrk

The same pipeline (60 trees over texts, dates, missing values) and the same row for each. These figures are ratios
within one run: the load generator shares the machine with the servers, and neighbours come and go.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
CONNECTIONS = (1, 8, 64)
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Target:
    """One server: where it answers and the processes whose CPU counts."""

    name: str
    url: str
    pids: tuple[int, ...]


@dataclass(frozen=True)
class Cell:
    """One measurement. Times in milliseconds."""

    requests_per_s: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    errors: int


def cpu_s(pids: tuple[int, ...]) -> float:
    """Return the CPU seconds of processes and their living children."""
    total = 0
    for pid in family(pids):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        except FileNotFoundError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def family(pids: tuple[int, ...]) -> set[int]:
    """Return the processes and all their descendants."""
    found, waiting = set(), list(pids)
    while waiting:
        pid = waiting.pop()
        found.add(pid)
        try:
            threads = list(Path(f"/proc/{pid}/task").iterdir())
            children = [child for thread in threads for child in (thread / "children").read_text().split()]
        except FileNotFoundError:
            continue
        waiting.extend(int(child) for child in children)
    return found


def load(target: Target, connections: int, seconds: int, script: Path) -> Cell:
    """Run wrk once against a target."""
    before = cpu_s(target.pids)
    told = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s", "-s", str(script), target.url],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    figures = json.loads(told[told.index("{") : told.rindex("}") + 1])
    n_requests = figures["requests"]
    cpu_ms = 1000 * (cpu_s(target.pids) - before) / max(n_requests, 1)
    return Cell(
        n_requests / figures["seconds"], figures["p50"] / 1000, figures["p99"] / 1000, cpu_ms, figures["errors"]
    )


def wrk_script(folder: Path, body: str) -> Path:
    """Write what wrk sends and how it reports."""
    script = folder / "post.lua"
    script.write_text(
        f"""wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = {json.dumps(body)}
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('{{"requests": %d, "seconds": %f, "p50": %f, "p99": %f, "errors": %d}}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""
    )
    return script


@contextmanager
def uvicorn(name: str, app: str, path: str) -> Iterator[Target]:
    """Serve one of the applications in `apps.py` with one process of uvicorn."""
    from boucle.bootstrap.sockets import listen

    with listen("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", app, "--port", str(port), "--no-access-log"]
    process = subprocess.Popen([*command, "--log-level", "error", "--app-dir", str(HERE)], env=one_thread())
    try:
        yield Target(name, f"http://127.0.0.1:{port}{path}", (process.pid,))
    finally:
        process.terminate()
        process.wait()


@contextmanager
def platform(folder: Path) -> Iterator[list[Target]]:
    """Serve the same pipeline, and an ONNX file, with boucle; CPU of gateway, host and model worker counts."""
    import apps
    import boucle
    from boucle.bootstrap.starting import ensure_up, stop
    from boucle.settings import load as load_settings

    os.environ["BOUCLE_HOME"] = str(folder / "home")
    told = ensure_up(load_settings(port=0, gateway_port=0), detach=True, tell=lambda _told: None)
    assert told is not None
    os.environ["BOUCLE_URL"] = told["url"]
    try:
        boucle.deploy(apps.fitted(), "penguins", example=apps.rows())
        boucle.deploy(apps.linear_onnx(), "linear", example=apps.rows()[apps.NUMBERS].dropna().astype("float64"))
        pids = (told["pids"]["gateway"], told["pids"]["host"])
        base = told["gateway_url"]
        yield [
            Target("boucle, Python runtime", f"{base}/models/penguins/invocations", pids),
            Target("boucle, ONNX runtime", f"{base}/models/linear/invocations", pids),
        ]
    finally:
        stop(load_settings())


def one_thread() -> dict[str, str]:
    """Return the environment in which no library starts threads of its own."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def await_answer(target: Target, body: str) -> None:
    """Wait until a target answers 200."""
    for _attempt in range(60):
        try:
            if httpx.post(
                target.url, content=body, headers={"Content-Type": "application/json"}, trust_env=False
            ).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise SystemExit(f"{target.name} does not answer")


def table(cells: dict[str, dict[int, Cell]], base: str) -> str:
    """Return the figures as a Markdown table; `×` is the ratio to the hand-written service in the same run."""
    lines = [
        "| server | connections | requests/s | × hand-written | p50 ms | p99 ms | CPU ms a request | errors |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, row in cells.items():
        for connections, cell in row.items():
            ratio = cell.requests_per_s / cells[base][connections].requests_per_s
            lines.append(
                f"| {name} | {connections} | {cell.requests_per_s:,.0f} | {ratio:.1f} | {cell.p50_ms:.2f} | "
                f"{cell.p99_ms:.2f} | {cell.cpu_ms:.3f} | {cell.errors} |"
            )
    return "\n".join(lines)


def median(cells: list[Cell]) -> Cell:
    """Return the cell of medians."""
    columns = zip(*((c.requests_per_s, c.p50_ms, c.p99_ms, c.cpu_ms, c.errors) for c in cells), strict=True)
    rate, p50, p99, cpu, errors = (statistics.median(column) for column in columns)
    return Cell(rate, p50, p99, cpu, int(errors))


def main() -> None:
    """Measure every target in turn, several rounds, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    import apps

    row, numbers = json.dumps([apps.row()]), json.dumps([{name: apps.row()[name] for name in apps.NUMBERS}])
    with (
        tempfile.TemporaryDirectory() as folder,
        uvicorn("uvicorn echo", "apps:echo", "/") as echo,
        uvicorn("FastAPI + scikit-learn, hand-written", "apps:hand_written", "/predict") as by_hand,
        platform(Path(folder)) as ours,
    ):
        targets = [echo, by_hand, *ours]
        bodies = {target.name: numbers if "ONNX" in target.name else row for target in targets}
        found: dict[str, dict[int, list[Cell]]] = {t.name: {c: [] for c in CONNECTIONS} for t in targets}
        for target in targets:
            await_answer(target, bodies[target.name])
        for _round in range(options.rounds):
            for connections in CONNECTIONS:
                for target in targets:
                    script = wrk_script(Path(folder), bodies[target.name])
                    found[target.name][connections].append(load(target, connections, options.seconds, script))
    medians = {name: {c: median(cells) for c, cells in row.items()} for name, row in found.items()}
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, {options.rounds} rounds of {options.seconds} s\n")
    print(table(medians, by_hand.name))


if __name__ == "__main__":
    main()
