"""``python -m crypto`` runs the pipelines as ``kedro run`` does, with the same options."""

from __future__ import annotations

import sys
from pathlib import Path

from kedro.framework.cli.utils import find_run_command
from kedro.framework.startup import bootstrap_project


def main() -> None:
    """Run the project that lies around this package, or in the current folder when the package is installed."""
    around = Path(__file__).resolve().parents[2]
    project = around if (around / "pyproject.toml").exists() else Path.cwd()
    bootstrap_project(project)
    find_run_command("crypto")(sys.argv[1:])


if __name__ == "__main__":
    main()
