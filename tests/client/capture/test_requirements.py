"""Requirements: exact pins from installed metadata, fast; markers judged as the `packaging` library judges them."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import time
from pathlib import Path

import pytest
from packaging.markers import Marker

from boucle.client.capture.markers import holds
from boucle.client.capture.modules import origin_of
from boucle.client.capture.requirements import find_requirements, owner, read


def pins(*names: str) -> set[str]:
    return {f"{name}=={importlib.metadata.version(name)}" for name in names}


def test_a_module_is_pinned_with_what_its_distribution_requires() -> None:
    found = set(find_requirements(["sklearn.pipeline"]))
    assert pins("scikit-learn", "numpy", "scipy", "joblib", "threadpoolctl") <= found
    assert not any(pin.startswith(("pandas", "pytest", "boucle")) for pin in found)


def test_the_name_of_a_module_need_not_be_that_of_its_distribution() -> None:
    assert pins("python-dateutil") <= set(find_requirements(["dateutil.parser"]))


def test_the_standard_library_and_unknown_modules_need_nothing() -> None:
    assert find_requirements(["json", "sys", "no_such_module", "__main__"]) == ()


def test_requirements_are_found_in_a_tenth_of_a_second() -> None:
    start = time.perf_counter()
    find_requirements(["sklearn.pipeline", "pandas", "polars", "pyarrow", "skops.io"])
    assert time.perf_counter() - start < 0.1


def test_the_local_part_of_a_version_is_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "torch-2.3.0+cu121.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Name: torch\nVersion: 2.3.0+cu121\nRequires-Dist: numpy\n\ntext\nName: other\n")
    told = read(folder)
    assert told is not None
    assert (told.pin, told.requires) == ("torch==2.3.0", ("numpy",))


def test_every_installed_pure_module_finds_its_owner() -> None:
    for name in ("httpx", "narwhals", "typer", "rich", "cloudpickle", "pandas", "numpy"):
        origin = origin_of(name)
        assert origin is not None
        folder = owner(origin)
        assert folder is not None, name
        assert folder.name.lower().startswith(name)


MARKERS = [
    "python_version >= '3.9'",
    "python_version < '3.10'",
    "python_full_version < '3.11.0a6'",
    "sys_platform == 'win32' or os_name == 'posix'",
    "platform_system != 'Windows' and extra == 'cpu'",
    "platform_machine in 'x86_64 aarch64 arm64'",
    "(python_version > '3') and (implementation_name == 'cpython' or platform_python_implementation == 'PyPy')",
    "python_version == '3.*'",
    "'linux' in sys_platform",
    "extra == 'gpu'",
]


@pytest.mark.parametrize("marker", MARKERS)
@pytest.mark.parametrize("extra", ["", "cpu"])
def test_markers_hold_where_packaging_says_so(marker: str, extra: str) -> None:
    assert holds(marker, extra) is Marker(marker).evaluate({"extra": extra})


def test_a_marker_that_cannot_be_read_holds() -> None:
    assert holds("python_version ~= '3.9'")


def test_importing_boucle_costs_a_notebook_nothing() -> None:
    program = """
import sys, time
start = time.perf_counter()
import boucle
took = time.perf_counter() - start
heavy = {"httpx", "rich", "numpy", "pandas", "narwhals", "cloudpickle", "sklearn", "typer"} & set(sys.modules)
print(took < 0.3, sorted(heavy))
"""
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert told.strip() == "True []"
