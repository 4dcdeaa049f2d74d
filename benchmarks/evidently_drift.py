"""Evidently's drift preset on two tables; run by the Python of its own environment (see ``monitoring.py``).

python evidently_drift.py reference.npz current.npz        prints one JSON object
"""

from __future__ import annotations

import json
import resource
import sys
import time
from importlib import import_module
from typing import Any

import numpy as np


def frame(path: str) -> Any:
    """Return a stored table as a pandas DataFrame; categories are stored as codes and levels."""
    import pandas as pd

    stored = np.load(path)
    columns: dict[str, Any] = {}
    for name in stored.files:
        if name.endswith("|codes"):
            column = name.removesuffix("|codes")
            columns[column] = stored[column + "|levels"].astype(object)[stored[name]]
        elif not name.endswith("|levels"):
            columns[name] = stored[name]
    return pd.DataFrame(columns)


def peak_mb() -> float:
    """Return the most memory that this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Time the preset as a user calls it: two Datasets, one Report."""
    start = time.perf_counter()
    evidently = import_module("evidently")
    presets = import_module("evidently.presets")
    import_s = time.perf_counter() - start
    reference, current = frame(sys.argv[1]), frame(sys.argv[2])
    texts = [name for name in current if current[name].dtype in (object, bool)]
    definition = evidently.DataDefinition(
        numerical_columns=[name for name in current if name not in texts], categorical_columns=texts
    )
    before_mb = peak_mb()
    start = time.perf_counter()
    now = evidently.Dataset.from_pandas(current, data_definition=definition)
    then = evidently.Dataset.from_pandas(reference, data_definition=definition)
    dataset_s = time.perf_counter() - start
    start = time.perf_counter()
    snapshot = evidently.Report([presets.DataDriftPreset()], include_tests=True).run(now, then)
    run_s = time.perf_counter() - start
    tests = snapshot.dict()["tests"]
    flagged = [test["name"] for test in tests if "FAIL" in str(test["status"])]
    print(
        json.dumps(
            {
                "import_s": import_s,
                "dataset_s": dataset_s,
                "run_s": run_s,
                "before_mb": before_mb,
                "peak_mb": peak_mb(),
                "flagged": flagged,
            }
        )
    )


if __name__ == "__main__":
    main()
