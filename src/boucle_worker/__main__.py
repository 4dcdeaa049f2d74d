"""Start of a worker: ``python path/to/boucle_worker`` with the Python of a model's environment.

The package is imported from its own folder, and that folder leaves ``sys.path`` at once: neither the platform
beside it nor its own modules can stand in for the model's.
"""

from __future__ import annotations

import importlib.util
import json
import os
import struct
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def adopt_package() -> None:
    """Make ``boucle_worker`` importable without any folder of the platform on ``sys.path``."""
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != HERE]
    spec = importlib.util.spec_from_file_location(
        "boucle_worker", HERE / "__init__.py", submodule_search_locations=[str(HERE)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"no package in {HERE}")
    package = importlib.util.module_from_spec(spec)
    sys.modules["boucle_worker"] = package
    spec.loader.exec_module(package)


def tell_import_error(error: ImportError) -> None:
    """Answer as a frame although numpy, which packs frames, cannot be imported."""
    described = {"kind": "import", "type": type(error).__name__, "message": str(error).split("\n")[0][:500]}
    text = json.dumps({"ok": False, "error": described, "columns": []}).encode("utf-8")
    os.write(1, struct.pack("<4sIQ", b"BCL1", len(text), 0) + text)


def run() -> None:
    """Serve until the input ends."""
    adopt_package()
    try:
        from boucle_worker.service import main
    except ImportError as error:
        tell_import_error(error)
        raise
    main()


if __name__ == "__main__":
    run()
