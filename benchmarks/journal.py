"""What the inference log costs: CPU of the gateway a request, with and without it, in many short interleaved rounds.

    python benchmarks/journal.py [--rounds 40] [--seconds 1] [--connections 8]        needs wrk

One gateway process answers one row at a time of the linear ONNX model of `serving.py`; a signal turns its log on and
off between rounds, so that both halves of a pair share process, memory and neighbours. The ratio is that of CPU
seconds a request; its interval is a bootstrap over pairs. Beside it: what one record costs alone, and the bytes.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE))
_RESAMPLED = 10_000


def serve() -> None:
    """Serve the home of BOUCLE_HOME with a log that SIGUSR1 turns on and off."""
    from boucle.bootstrap import server
    from boucle.bootstrap.gateway import gateway
    from boucle.bootstrap.sockets import listen
    from boucle.gateway.protocol import ReceiptProtocol
    from boucle.settings import load

    settings = load()
    app = gateway(settings)

    def turn(*_told: object) -> None:
        app.recorder.is_on = not app.recorder.is_on

    signal.signal(signal.SIGUSR1, turn)
    server.serve(app, listen(settings.host, settings.gateway_port), http=ReceiptProtocol)


def cpu_ns(pid: int) -> int:
    """Return the CPU time of all threads of a process (its clock, as clock_getcpuclockid(3) makes it)."""
    return time.clock_gettime_ns((~pid << 3) | 2)


def paired(pid: int, url: str, script: Path, options: argparse.Namespace) -> list[tuple[float, float]]:
    """Return CPU microseconds a request, (with, without) the log, of each pair of rounds."""
    from serving import Target, load

    def measured() -> float:
        before, start = load_requests(), cpu_ns(pid)
        cell = load(Target("gateway", url, (pid,)), options.connections, options.seconds, script)
        used = cpu_ns(pid) - start
        assert cell.errors == 0
        return used / 1000 / (load_requests() - before)

    def load_requests() -> float:
        import httpx

        text = httpx.get(url.rsplit("/models/", 1)[0] + "/metrics", trust_env=False).text
        lines = [line for line in text.splitlines() if line.startswith("boucle_requests_total")]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if 'status="2xx"' in line)

    pairs, is_on = [], True
    measured()
    for _round in range(options.rounds):
        found = {is_on: measured()}
        os.kill(pid, signal.SIGUSR1)
        is_on = not is_on
        found[is_on] = measured()
        pairs.append((found[True], found[False]))
    return pairs


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
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--seconds", type=int, default=1)
    parser.add_argument("--connections", type=int, default=8)
    options = parser.parse_args()
    if options.serve:
        serve()
        return
    import apps
    from boucle.bootstrap.sockets import listen
    from serving import Target, await_answer, one_thread, platform, wrk_script

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print(f"one record alone: {alone(folder / 'alone'):.2f} us of CPU")
        with platform(folder) as targets, listen("127.0.0.1", 0) as free:
            told = targets[1].url
            port = free.getsockname()[1]
            free.close()
            environ = {**one_thread(), "BOUCLE_HOME": str(folder / "home"), "BOUCLE_GATEWAY_PORT": str(port)}
            environ["BOUCLE_PORT"] = os.environ["BOUCLE_URL"].rsplit(":", 1)[1].strip("/")
            body = json.dumps([{name: apps.row()[name] for name in apps.NUMBERS}])
            script = wrk_script(folder, body)
            process = subprocess.Popen([sys.executable, __file__, "--serve"], env=environ)
            try:
                url = f"http://127.0.0.1:{port}/models/" + told.rsplit("/models/", 1)[1]
                await_answer(Target("gateway", url, (process.pid,)), body)
                pairs = paired(process.pid, url, script, options)
            finally:
                process.terminate()
                process.wait()
    share, low, high = interval(pairs)
    with_log, without = (statistics.median(side) for side in zip(*pairs, strict=True))
    print(f"CPU a request: {without:.1f} us without, {with_log:.1f} us with the log ({options.rounds} pairs)")
    print(f"the log costs {share:+.1%} of CPU a request, 95 % interval {low:+.1%} to {high:+.1%}")


if __name__ == "__main__":
    main()
