"""Choose the exact versions of a project: `python projects/lock.py projects/crypto` writes its requirements.lock.

torch is another wheel on each platform: it is pinned without a hash, and without the GPU libraries that only its
CUDA wheels need. boucle itself comes from the platform that runs the project, so that only what it needs is locked.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import tomllib

ROOT = Path(__file__).resolve().parents[1]
NOT_LOCKED = re.compile(r"(torch|triton|nvidia-[\w-]+|cuda-[\w-]+)(\[[\w,]+\])?==")
TORCH = "torch==2.13.0"


def wanted(project: Path) -> list[str]:
    """Return the project's requirements with its extras and its tests', and boucle's own in place of boucle."""
    base = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    document = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    told = document["project"]
    more = (*told.get("optional-dependencies", {}).values(), *document.get("dependency-groups", {}).values())
    own = [*told["dependencies"], *(line for lines in more for line in lines)]
    return [*base, *(line for line in own if not line.startswith(("boucle", "gym-anytrading")))]


def compiled(requirements: list[str], *options: str) -> str:
    """Return what uv makes of requirements: pinned, with hashes, for every platform."""
    command = ["uv", "pip", "compile", "-", "--quiet", "--universal", "--generate-hashes", "--no-header"]
    command += ["--no-annotate", "--python-version", "3.11", *options]
    return subprocess.run(command, input="\n".join(requirements), capture_output=True, text=True, check=True).stdout


def main(project: Path) -> None:
    """Write the lock of a project."""
    entries = re.split(r"\n(?=[^\s#])", compiled(wanted(project)).strip())
    told = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    data = [line for line in told if line.startswith("gym-anytrading")]  # for its data file only: without what it needs
    kept = [entry for entry in entries if not NOT_LOCKED.match(entry)]
    kept += [compiled(data, "--no-deps").strip(), TORCH] if data else [TORCH]
    (project / "requirements.lock").write_text("\n".join(sorted(kept)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
