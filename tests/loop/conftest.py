"""Real environments, shared by all tests of builds so that each is made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from boucle.adapters.uv import UvEnvironments
from loop.scene import Scene, worlds_of


@pytest.fixture(scope="session")
def environments(tmp_path_factory: pytest.TempPathFactory) -> UvEnvironments:
    root = tmp_path_factory.mktemp("environments")
    return UvEnvironments(root / "envs", bytecode_cache=root / "bytecode")


@pytest.fixture
def scene(tmp_path: Path, environments: UvEnvironments) -> Scene:
    return Scene(worlds_of(tmp_path, environments))
