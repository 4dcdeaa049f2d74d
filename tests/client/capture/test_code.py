"""Local modules: found from the model's objects through what their sources import, never those of a distribution."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from boucle.client.capture.code import find_code, imports_of
from boucle.core.errors import InvalidRequest, NotFound

SOURCES = {
    "outfit/__init__.py": "",
    "outfit/features.py": """\
from typing import TYPE_CHECKING
import numpy as np
from . import prices
from .deep.more import thing
if TYPE_CHECKING:
    import torch_of_the_author
def rows(X):
    import scipy.stats
    return X
if __name__ == "__main__":
    import plotting_of_the_author
""",
    "outfit/prices.py": "import beside_calendar\nimport json\n",
    "outfit/deep/more.py": "thing = 1\n",
    "outfit/unused.py": "",
    "beside_calendar.py": "try:\n    import not_installed_anywhere\nexcept ImportError:\n    pass\n",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of modules that can be imported, as beside a notebook."""
    for name, text in SOURCES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] in ("outfit", "beside_calendar")]:
        del sys.modules[name]


NEEDED = ["beside_calendar.py", "outfit/__init__.py", "outfit/deep/more.py", "outfit/features.py", "outfit/prices.py"]


def test_a_module_is_carried_with_all_that_it_imports(folder: Path) -> None:
    import_module("outfit.features")
    found = find_code(["outfit.features", "sklearn.base"])
    assert sorted(found.files) == NEEDED
    assert found.files["outfit/deep/more.py"] == b"thing = 1\n"


def test_what_is_installed_is_a_requirement_instead(folder: Path) -> None:
    found = find_code(["outfit.features", "sklearn.base", "json", "__main__"])
    assert found.imported == {"numpy", "scipy", "scipy.stats", "sklearn.base"}


def test_code_adds_a_folder_with_all_its_modules(folder: Path) -> None:
    assert sorted(find_code([], [folder / "outfit"]).files) == sorted(SOURCES)


def test_code_adds_a_file_under_its_package(folder: Path) -> None:
    assert sorted(find_code([], [str(folder / "outfit" / "features.py")]).files) == NEEDED


def test_code_adds_a_module_object(folder: Path) -> None:
    assert "outfit/unused.py" in find_code([], [import_module("outfit")]).files


def test_a_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="nowhere"):
        find_code([], [tmp_path / "nowhere"])


def test_a_local_module_without_source_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    module = types.ModuleType("speedy_of_the_author")
    module.__file__ = str(tmp_path / "speedy_of_the_author.so")
    monkeypatch.setitem(sys.modules, "speedy_of_the_author", module)
    with pytest.raises(InvalidRequest, match=r"no Python source.*wheel"):
        find_code(["speedy_of_the_author"])


def test_boucle_itself_is_never_carried() -> None:
    assert not find_code(["boucle.core.table", "boucle_worker.frames"]).files


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("from ..shared import x", {"shop", "shop.shared", "shop.shared.x"}),
        ("from . import *", {"shop", "shop.deep"}),
        ("import a.b as c", {"a", "a.b"}),
    ],
)
def test_relative_imports_are_told_by_their_full_names(source: str, names: set[str]) -> None:
    assert imports_of(source.encode(), "shop.deep.more", is_package=False) == names
