"""The library sets of `onnx_faithful.py`: each an environment of its own, made once by uv and kept in `.cache`."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENTS = ROOT / ".cache" / "onnx-envs"

SETS: dict[str, list[str]] = {
    "sklearn-1.3": [
        "scikit-learn==1.3.2", "numpy==1.26.*", "scipy==1.11.*", "pandas==2.1.*", "xgboost-cpu==2.1.*",
        "lightgbm==4.3.*",
    ],
    "sklearn-1.5": [
        "scikit-learn==1.5.2", "numpy==2.0.*", "scipy==1.14.*", "pandas==2.2.*", "xgboost-cpu==2.1.*",
        "lightgbm==4.5.*",
    ],
    "sklearn-1.7": [
        "scikit-learn==1.7.2", "numpy==2.2.*", "scipy==1.15.*", "pandas==2.3.*", "xgboost-cpu==3.0.*",
        "lightgbm==4.6.*",
    ],
    "newest": [
        "scikit-learn", "numpy", "scipy", "pandas", "xgboost-cpu", "lightgbm",
        "skl2onnx", "onnxmltools", "onnx", "packaging",  # skl2onnx imports packaging and does not say so
    ],
}  # fmt: skip
BESIDE = "newest"
"""The set whose pipelines skl2onnx converts too."""


def interpreter(name: str) -> Path:
    """Return the Python of a set, made when it is not there. Raises CalledProcessError when uv cannot."""
    told = SETS[name]
    mark = hashlib.sha256(" ".join(told).encode()).hexdigest()[:8]
    folder = ENVIRONMENTS / f"{name}-{mark}"
    python, ready = folder / "bin" / "python", folder / ".ready"
    if not ready.exists():
        print(f"Preparing the environment {folder.name} (once)", file=sys.stderr)
        uv = Path(sys.executable).parent / "uv"
        environment = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
        for command in (
            [str(uv), "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)],
            [str(uv), "pip", "install", "--quiet", "--python", str(python), *told],
        ):
            subprocess.run(command, check=True, env=environment)
        ready.touch()
    return python
