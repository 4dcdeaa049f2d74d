"""Do the graphs of fitted pipelines answer as the pipelines, and as fast as promised? In own library environments.

    python benchmarks/onnx_faithful.py [--set NAME...] [--only NAME...] [--draws N] [--quick] [--json FILE]
    python benchmarks/onnx_faithful.py --coverage

Each case of the fixed list (`onnx_list.py`) is fitted and described in the environment of each library set, put
together and run here as the gateway does, and compared on rows unseen, rows fitted on, and rows where the model changes
its mind. skl2onnx stands beside in the newest set. ``--draws`` adds pipelines drawn by Hypothesis; ``--quick`` takes
fewer rows. Exit 1 when a promise is missed. The first run makes the environments, some 600 MB each.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import subprocess
import sys
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import onnx_report
from onnx_drawn import drawn
from onnx_list import CASES
from onnx_measured import Size, judged, measured
from onnx_report import Result
from onnx_sets import BESIDE, ROOT, SETS, interpreter

BENCHMARKS = Path(__file__).resolve().parent
WHOLE, QUICK = Size(rows=2000, boundary=600), Size(rows=400, boundary=150)


class Cell:
    """The process of a library set; each request gets one reply."""

    def __init__(self, python: Path) -> None:
        path = os.pathsep.join([str(ROOT / "src"), str(BENCHMARKS)])
        self._environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._python = python
        self._process: Any = None

    def ask(self, do: str, **told: Any) -> Any:
        """Return the reply to a request; ``{"error": ...}`` when the process dies of it."""
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [str(self._python), str(BENCHMARKS / "onnx_cell.py")],
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        try:
            pickle.dump({"do": do, **told}, self._process.stdin)
            self._process.stdin.flush()
            return pickle.load(self._process.stdout)  # noqa: S301  # from a process that we started
        except (EOFError, BrokenPipeError):
            return {"error": f"the process ended with {self._process.wait()}"}

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.stdin.close()
            self._process.wait()


def main() -> int:
    """Measure; return 1 when a promise is missed."""
    told = _told()
    warnings.simplefilter("ignore")
    if told.coverage:
        return onnx_report.coverage({name: _coverage(name) for name in told.set})
    results: list[Result] = []
    for name in told.set:
        cell = Cell(interpreter(name))
        print(f"\n{name}: {', '.join(SETS[name])}", flush=True)
        print(onnx_report.HEAD, flush=True)
        for case in _cases(told):
            result = measured(cell, name, case, QUICK if told.quick else WHOLE, beside=name == BESIDE)
            if result is not None:
                results.append(result)
                print(onnx_report.line(result), flush=True)
        cell.stop()
        if told.json:
            told.json.write_text(json.dumps([asdict(result) for result in results], indent=1))
    return onnx_report.totals(results)


def _told() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--set", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--only", nargs="+", metavar="NAME", help="names of cases, or parts of names ending in *")
    parser.add_argument("--draws", type=int, default=0, metavar="N", help="further pipelines drawn for each set")
    parser.add_argument("--quick", action="store_true", help="fewer rows")
    parser.add_argument("--coverage", action="store_true", help="scikit-learn's own list of estimators instead")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there")
    return parser.parse_args()


def _cases(told: argparse.Namespace) -> list[Any]:
    """Return names of the fixed list, and recipes of drawn ones."""
    names = [case.name for case in CASES]
    if told.only:
        names = [
            name for name in names if any(name.startswith(o[:-1]) if o.endswith("*") else name == o for o in told.only)
        ]
    return [*names, *drawn(told.draws)] if told.draws else names


def _coverage(name: str) -> Any:
    cell = Cell(interpreter(name))
    try:
        found = cell.ask("cover", n=200)
        return found if isinstance(found, dict) else [judged(item) for item in found]
    finally:
        cell.stop()


if __name__ == "__main__":
    sys.exit(main())
