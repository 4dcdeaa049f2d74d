"""The forecaster of `projects/crypto` on every window of BTC and ETH, 2022 to 2024, in the project's own environment.

    python benchmarks/crypto.py [--pairs BTCUSDT ETHUSDT] [--quick] [--level] [--volume] [--python PATH]

Some 10 s a window on two cores. ``--quick`` takes every seventh; ``--level`` measures the original chain instead, on
the newest window and for five epochs; ``--volume`` lets the network see the volumes too. `make crypto` makes the
environment of the project. Candles: `<pair>-1h-2022-2024.parquet` in ``--data``. Exit 1 when the bar is not met.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROJECT = ROOT / "projects" / "crypto"
PYTHON = ROOT / ".cache" / "crypto" / "bin" / "python"
DATA = ROOT.parent / "shared" / "data" / "binance-klines"


def main() -> int:
    """Run the project's benchmark in the project's environment; return its exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pairs", nargs="+", default=["BTCUSDT", "ETHUSDT"])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--python", type=Path, default=PYTHON, help="an interpreter with the project's packages")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--level", action="store_true")
    parser.add_argument("--volume", action="store_true")
    told = parser.parse_args()
    files = {pair: told.data / f"{pair}-1h-2022-2024.parquet" for pair in told.pairs}
    missing = [str(path) for path in files.values() if not path.exists()]
    if missing:
        print(f"No candles at {', '.join(missing)}. Name their folder with --data.", file=sys.stderr)
        return 2
    options = [f"--{name}" for name in ("quick", "level", "volume") if getattr(told, name)]
    named = [f"{pair}={path}" for pair, path in files.items()]
    if not told.python.exists():
        print(f"There is no {told.python}. Make it with: make crypto", file=sys.stderr)
        return 2
    command = [str(told.python), "-m", "crypto.model.benchmark", *named, *options]
    return subprocess.run(command, check=False, env={**os.environ, "PYTHONPATH": str(PROJECT / "src")}).returncode


if __name__ == "__main__":
    sys.exit(main())
