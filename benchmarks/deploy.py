"""How long from `boucle.deploy(...)` to the first right answer, beside a cold import and load of the same model.

    python benchmarks/deploy.py [--rounds 3]

Each round starts a platform in a home of its own and makes the version's environment anew; uv's cache is warm after
the first. The ratio compares with a fresh Python of the notebook that imports, unpickles and answers one row.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cloudpickle
import numpy as np

import apps

HERE = Path(__file__).resolve().parent

LOAD = "import sys, pickle; sys.path.insert(0, sys.argv[2]); model, row = pickle.load(open(sys.argv[1], 'rb'))"


def cold_s(folder: Path) -> float:
    """Return the seconds in which a new Python imports, loads and answers one row."""
    file = folder / "model.pkl"
    file.write_bytes(cloudpickle.dumps((apps.fitted(), apps.rows().head(1))))
    started = time.perf_counter()
    command = [sys.executable, "-c", LOAD + "; model.predict_proba(row)", str(file), str(HERE.parent / "examples")]
    subprocess.run(command, check=True)
    return time.perf_counter() - started


def deploy_s(folder: Path) -> float:
    """Return the seconds from the call of deploy to the first answer, which is compared with the notebook's."""
    import boucle
    from boucle.bootstrap.starting import ensure_up, stop
    from boucle.settings import load

    os.environ["BOUCLE_HOME"] = str(folder / "home")
    told = ensure_up(load(port=0, gateway_port=0), detach=True, tell=lambda _told: None) or {}
    os.environ["BOUCLE_URL"] = told["url"]
    try:
        started = time.perf_counter()
        deployment = boucle.deploy(apps.fitted(), "penguins", example=apps.rows())
        answer = deployment.predict(apps.rows())
        seconds = time.perf_counter() - started
        difference = np.abs(answer.probabilities - apps.fitted().predict_proba(apps.rows())).max()
        assert difference <= 1e-9, difference
    finally:
        stop(load())
    return seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    apps.fitted()
    cold, deployed = [], []
    for _round in range(parser.parse_args().rounds):
        with tempfile.TemporaryDirectory() as folder:
            cold.append(cold_s(Path(folder)))
            deployed.append(deploy_s(Path(folder)))
    print(f"deploy to first right answer: {' '.join(f'{s:.2f}' for s in deployed)} s")
    print(f"cold import, load, one row:   {' '.join(f'{s:.2f}' for s in cold)} s")
    print(f"ratio of the medians: {statistics.median(deployed) / statistics.median(cold):.1f}")


if __name__ == "__main__":
    main()
