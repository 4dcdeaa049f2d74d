"""For all tests: only ``test_*.py`` is collected here; doctests are those of the sources."""

from __future__ import annotations

from pathlib import Path


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out the modules that tests import or run as processes of their own."""
    if collection_path.suffix == ".py" and not collection_path.name.startswith(("test_", "conftest")):
        return True
    return None
