"""The store of bytecode: what it keeps, what it leaves out, what it forgets."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from boucle_worker.bytecode import fill, restore, wheels

TAG = str(sys.implementation.cache_tag)
FILES = {"shop/__init__.py": "A = 1\n", "shop/template.py": "{{ no python }}\n", "shop/tests/test_shop.py": "B = 2\n"}


def install(folder: Path, origin: Path) -> Path:
    """Hard-link an unpacked wheel into an environment, as uv does."""
    for path in filter(Path.is_file, origin.rglob("*")):
        target = folder / path.relative_to(origin)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(path, target)
    return folder


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    origin = tmp_path / "unpacked"
    record = "".join(f"{name},sha256=x,1\n" for name in [*FILES, "../../bin/shop.py", "/etc/evil.py"])
    for name, text in {
        **FILES,
        "shop-1.0.dist-info/METADATA": "Name: shop\n",
        "shop-1.0.dist-info/RECORD": record,
    }.items():
        (origin / name).parent.mkdir(parents=True, exist_ok=True)
        (origin / name).write_text(text)
    return origin


def compiled(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.pyc"))


def test_modules_are_compiled_but_not_tests_nor_what_is_no_python(origin: Path, tmp_path: Path) -> None:
    site = install(tmp_path / "site", origin)

    fill(site, tmp_path / "store")

    assert compiled(site) == [f"shop/__pycache__/__init__.{TAG}.pyc"]


def test_a_store_that_has_all_says_so_and_gives_it_to_the_next_environment(origin: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    first, second = install(tmp_path / "1", origin), install(tmp_path / "2", origin)
    assert not restore(first, store, TAG)
    fill(first, store)

    assert restore(second, store, TAG)
    assert compiled(second) == compiled(first) != []


def test_bytecode_is_kept_for_each_version_of_python(origin: Path, tmp_path: Path) -> None:
    site = install(tmp_path / "site", origin)
    fill(site, tmp_path / "store")

    assert not restore(site, tmp_path / "store", "cpython-397")


def test_what_an_earlier_unpacking_left_is_removed(origin: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    fill(install(tmp_path / "1", origin), store)
    os.utime(origin / "shop-1.0.dist-info" / "METADATA", (1, 1))
    again = install(tmp_path / "2", origin)

    fill(again, store)

    assert [path.name for path in (store / TAG / "shop-1.0.dist-info").iterdir()] == [
        wheel.place.name for wheel in wheels(again, store, TAG)
    ]


def test_files_that_are_copies_are_not_kept_for_their_times_match_nothing_later(origin: Path, tmp_path: Path) -> None:
    fill(origin, tmp_path / "store")

    assert compiled(tmp_path / "store") == []


def test_a_filling_that_was_killed_is_ended_by_the_next(origin: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    first = install(tmp_path / "1", origin)
    fill(first, store)
    next(store.rglob(".whole")).unlink()
    next(store.rglob("*.pyc")).unlink()

    fill(install(tmp_path / "2", origin), store)

    assert compiled(tmp_path / "2") == compiled(first)
    assert restore(tmp_path / "2", store, TAG)
