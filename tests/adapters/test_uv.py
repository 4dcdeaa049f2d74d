"""Environments by uv, from wheels made here: no network, no shared cache."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import pytest

from boucle.adapters.interpreters import installed
from boucle.adapters.uv import UvEnvironments, _environment, _torch_options
from boucle.core.errors import EnvironmentFailed

MINOR = f"3.{sys.version_info.minor}"


def wheel(folder: Path, name: str, version: str, source: str, needs: str = "") -> None:
    """Write a wheel of one module, as any index would serve it."""
    info = f"{name}-{version}.dist-info"
    wanted = f"Requires-Dist: {needs}\n" if needs else ""
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{wanted}"
    files = {
        f"{name}/__init__.py": source,
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},sha256={digest(text)},{len(text)}\n" for path, text in files.items())
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            archive.writestr(path, text)


def digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    links = tmp_path_factory.mktemp("wheels")
    wheel(links, "loopy", "1.0", "VALUE = 1\n")
    wheel(links, "loopy", "2.0", "VALUE = 2  # longer\n")
    wheel(links, "torch", "1.0", "VALUE = 3\n")
    wheel(links, "shop", "1.0", "import loopy\nVALUE = 10 * loopy.VALUE\n", "loopy<2")
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path_factory.mktemp("home")),
        "PIP_FIND_LINKS": str(links),
        "PIP_NO_INDEX": "1",
        "UV_CACHE_DIR": str(tmp_path_factory.mktemp("cache")),
    }


@pytest.fixture
def environments(tmp_path: Path, environ: dict[str, str]) -> UvEnvironments:
    return UvEnvironments(tmp_path / "envs", bytecode_cache=tmp_path / "bytecode", environ=environ)


def printed(python: Path, code: str) -> str:
    done = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True, env={})
    return done.stdout.strip()


def cached(python: Path, name: str = "loopy") -> list[Path]:
    return list(python.parent.parent.glob(f"lib/python3*/site-packages/{name}/__pycache__/*.pyc"))


def wait_for_bytecode(store: Path, n_wheels: int) -> None:
    deadline = time.monotonic() + 20
    while len(list(store.glob("*/*/*/.whole"))) < n_wheels and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(list(store.glob("*/*/*/.whole"))) == n_wheels


def test_a_lock_pins_what_is_needed_with_hashes(environments: UvEnvironments) -> None:
    lock = environments.lock(["shop==1.0"], MINOR)

    pins = [line.split(" ")[0] for line in lock.splitlines() if "==" in line]
    assert pins == ["loopy==1.0", "shop==1.0"]
    assert lock.count("--hash=sha256:") == 2


def test_the_same_requirements_lock_to_the_same_text(environments: UvEnvironments) -> None:
    assert environments.lock(["shop"], MINOR) == environments.lock(["shop"], MINOR)


def test_requirements_that_contradict_each_other_are_told_in_uvs_words(environments: UvEnvironments) -> None:
    with pytest.raises(EnvironmentFailed, match=r"(?s)shop depend on loopy<2.*you require loopy==2\.0"):
        environments.lock(["shop==1.0", "loopy==2.0"], MINOR)


def test_a_requirement_that_does_not_exist_is_named(environments: UvEnvironments) -> None:
    with pytest.raises(EnvironmentFailed, match="nowhere"):
        environments.lock(["nowhere==1.0"], MINOR)


def test_a_contradiction_is_told_although_the_index_cannot_be_reached(
    environments: UvEnvironments, tmp_path: Path, environ: dict[str, str]
) -> None:
    closed = {**environ, "UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple", "UV_HTTP_RETRIES": "0"}
    del closed["PIP_NO_INDEX"]

    with pytest.raises(EnvironmentFailed, match=r"nowhere was not found in the cache|Failed to fetch"):
        UvEnvironments(tmp_path, environ=closed).lock(["nowhere==1.0"], MINOR)
    with pytest.raises(EnvironmentFailed, match="your requirements are unsatisfiable"):
        UvEnvironments(tmp_path, environ=closed).lock(["loopy==1.0", "loopy==2.0"], MINOR)


def test_no_credentials_of_an_index_are_told(tmp_path: Path, environ: dict[str, str]) -> None:
    closed = {**environ, "UV_DEFAULT_INDEX": "http://ann:s3cret@127.0.0.1:9/simple", "UV_HTTP_RETRIES": "0"}
    del closed["PIP_NO_INDEX"]

    with pytest.raises(EnvironmentFailed) as caught:
        UvEnvironments(tmp_path, environ=closed).lock(["nowhere==1.0"], MINOR)

    assert "127.0.0.1:9" in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert "ann" not in str(caught.value)


def test_an_environment_holds_what_was_locked_and_nothing_of_the_platform(environments: UvEnvironments) -> None:
    python = environments.ensure(environments.lock(["shop"], MINOR), MINOR)

    assert printed(python, "import shop; print(shop.VALUE)") == "10"
    assert printed(python, "import importlib.util; print(importlib.util.find_spec('boucle'))") == "None"


def test_the_same_lock_is_the_same_environment_and_another_lock_another(environments: UvEnvironments) -> None:
    one = environments.ensure(environments.lock(["loopy==1.0"], MINOR), MINOR)
    again = environments.ensure(environments.lock(["loopy==1.0"], MINOR), MINOR)
    other = environments.ensure(environments.lock(["loopy==2.0"], MINOR), MINOR)

    assert one == again
    assert (printed(one, "import loopy; print(loopy.VALUE)"), printed(other, "import loopy; print(loopy.VALUE)")) == (
        "1",
        "2",
    )


def test_a_wheel_with_another_hash_is_refused(environments: UvEnvironments, tmp_path: Path) -> None:
    lock = environments.lock(["loopy==1.0"], MINOR)
    changed = lock[:-10] + "0" * 9 + "\n"

    with pytest.raises(EnvironmentFailed, match=r"(?i)hash"):
        environments.ensure(changed, MINOR)

    assert not list((tmp_path / "envs").glob("*/.boucle-ready"))


def test_an_environment_left_half_made_is_made_again(environments: UvEnvironments) -> None:
    lock = environments.lock(["loopy==1.0"], MINOR)
    python = environments.ensure(lock, MINOR)
    folder = python.parent.parent
    (folder / ".boucle-ready").unlink()
    next(folder.glob("lib/*/site-packages/loopy/__init__.py")).unlink()

    assert printed(environments.ensure(lock, MINOR), "import loopy; print(loopy.VALUE)") == "1"


def test_an_environment_whose_interpreter_was_removed_is_made_again(environments: UvEnvironments) -> None:
    lock = environments.lock(["loopy==1.0"], MINOR)
    python = environments.ensure(lock, MINOR)
    python.unlink()
    python.symlink_to("/removed/python")

    assert printed(environments.ensure(lock, MINOR), "import loopy; print(loopy.VALUE)") == "1"


def test_processes_that_ask_at_once_get_one_whole_environment(environments: UvEnvironments) -> None:
    lock = environments.lock(["shop"], MINOR)
    found: list[str] = []

    def ask() -> None:
        found.append(printed(environments.ensure(lock, MINOR), "import shop; print(shop.VALUE)"))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == ["10"] * 4


def test_an_interpreter_that_is_not_here_is_named_with_the_cure(environments: UvEnvironments) -> None:
    with pytest.raises(EnvironmentFailed, match=rf"Python 3\.2 is not installed here\. There is: .*{MINOR}.*uv python"):
        environments.lock(["loopy"], "3.2")


def test_a_uv_that_cannot_be_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailed, match="uv cannot be run"):
        UvEnvironments(tmp_path, tmp_path / "no-uv").lock(["loopy"], MINOR)


def test_bytecode_is_compiled_once_and_linked_into_later_environments(
    environments: UvEnvironments, tmp_path: Path
) -> None:
    first = environments.ensure(environments.lock(["loopy==1.0"], MINOR), MINOR)
    wait_for_bytecode(tmp_path / "bytecode", 1)

    second = environments.ensure(environments.lock(["shop"], MINOR), MINOR)

    assert [path.stat().st_ino for path in cached(second)] == [path.stat().st_ino for path in cached(first)]
    loaded_from = "import loopy; print(loopy.__cached__)"
    before = cached(second)[0].stat().st_mtime_ns
    assert printed(second, loaded_from) == str(cached(second)[0])
    assert cached(second)[0].stat().st_mtime_ns == before, "Python compiled it again"


def test_bytecode_of_other_sources_is_never_used(environments: UvEnvironments, tmp_path: Path) -> None:
    first = environments.ensure(environments.lock(["loopy==1.0"], MINOR), MINOR)
    wait_for_bytecode(tmp_path / "bytecode", 1)
    kept = next((tmp_path / "bytecode").rglob("*.pyc"))
    other = environments.ensure(environments.lock(["loopy==2.0"], MINOR), MINOR)
    wait_for_bytecode(tmp_path / "bytecode", 2)
    kept.write_bytes(cached(other)[0].read_bytes()[:16] + b"nonsense")
    (first.parent.parent / ".boucle-ready").unlink()

    again = environments.ensure(environments.lock(["loopy==1.0"], MINOR), MINOR)

    assert printed(again, "import loopy; print(loopy.VALUE)") == "1"


def test_without_a_place_for_bytecode_environments_are_made_all_the_same(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    (tmp_path / "file").touch()
    environments = UvEnvironments(tmp_path / "envs", bytecode_cache=tmp_path / "file", environ=environ)

    python = environments.ensure(environments.lock(["loopy==1.0"], MINOR), MINOR)

    assert printed(python, "import loopy; print(loopy.VALUE)") == "1"


def test_uv_gets_pips_settings_in_its_own_words_and_none_of_our_secrets() -> None:
    passed = _environment(
        {
            "PIP_INDEX_URL": "https://index.example/simple",
            "PIP_FIND_LINKS": "/wheels",
            "UV_FIND_LINKS": "/other",
            "HTTPS_PROXY": "http://proxy.example",
            "BOUCLE_TOKEN": "secret",
            "VIRTUAL_ENV": "/notebook",
        }
    )

    assert passed["UV_DEFAULT_INDEX"] == "https://index.example/simple"
    assert passed["UV_FIND_LINKS"] == "/other", "a setting for uv itself wins"
    assert passed["HTTPS_PROXY"] == "http://proxy.example"
    assert passed["UV_PYTHON_DOWNLOADS"] == "never"
    assert not {"BOUCLE_TOKEN", "VIRTUAL_ENV"} & passed.keys()


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    for path in (
        "home/.pyenv/versions/3.97.2/bin/python3.97",
        "home/.pyenv/versions/3.97.10/bin/python3.97",
        "home/.pyenv/versions/pypy3.9-7.3/bin/python3.96",
        "home/.pyenv/shims/python3.95",
        "home/.local/share/uv/python/cpython-3.98.1-linux-x86_64-gnu/bin/python3.98",
        "usr/bin/python3.99",
        "usr/bin/python3.99-config",
        "venv/bin/python3.94",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch(mode=0o755)
    (tmp_path / "usr/bin/python3.93").touch(mode=0o644)
    (tmp_path / "venv/pyvenv.cfg").touch()
    return tmp_path


def test_interpreters_are_found_on_path_and_where_uv_and_pyenv_put_them(machine: Path) -> None:
    path = os.pathsep.join(str(machine / folder) for folder in ("home/.pyenv/shims", "venv/bin", "usr/bin", "absent"))

    found = installed({"HOME": str(machine / "home"), "PATH": path})

    others = {minor: str(path.relative_to(machine)) for minor, path in found.items() if path.is_relative_to(machine)}
    assert others == {
        "3.99": "usr/bin/python3.99",
        "3.98": "home/.local/share/uv/python/cpython-3.98.1-linux-x86_64-gnu/bin/python3.98",
        "3.97": "home/.pyenv/versions/3.97.10/bin/python3.97",
    }


def test_the_interpreter_of_the_platform_itself_is_always_there() -> None:
    found = installed({})

    assert printed(found[MINOR], "import sys; print('%d.%d' % sys.version_info[:2])") == MINOR


def test_torch_alone_may_lack_a_hash_where_that_is_allowed(environments: UvEnvironments) -> None:
    lock = "# of a project\n" + environments.lock(["loopy==1.0"], MINOR) + "torch==1.0  # the CPU's\n"

    with pytest.raises(EnvironmentFailed, match=r"(?i)hash"):
        environments.ensure(lock, MINOR)
    python = environments.ensure(lock, MINOR, require_hashes=False)
    assert printed(python, "import torch; print(torch.VALUE)") == "3"
    with pytest.raises(EnvironmentFailed, match=r"(?i)hash"):
        environments.ensure(lock, MINOR)


@pytest.mark.parametrize(
    "line", ["shop==1.0", "torchmetrics==1.9.0", "shop @ file:///shop.whl", "-e ./shop", "-r more.txt"]
)
def test_the_first_other_line_without_a_hash_is_named(environments: UvEnvironments, tmp_path: Path, line: str) -> None:
    lock = environments.lock(["loopy==1.0"], MINOR) + f"torch==1.0\n{line}\nlast==1.0\n"

    with pytest.raises(EnvironmentFailed) as caught:
        environments.ensure(lock, MINOR, require_hashes=False)

    assert f"The lock has no hash for {line}; torch alone may lack one." in str(caught.value)
    assert not (tmp_path / "envs").exists()


def test_the_hashes_that_are_there_are_verified_though_others_lack(environments: UvEnvironments) -> None:
    lock = environments.lock(["loopy==1.0"], MINOR)
    changed = lock[:-10] + "0" * 9 + "\n" + "torch==1.0\n"

    with pytest.raises(EnvironmentFailed, match=r"(?i)hash"):
        environments.ensure(changed, MINOR, require_hashes=False)


def test_torch_is_the_cpu_one_from_its_own_index_unless_a_folder_of_wheels_has_it(tmp_path: Path) -> None:
    assert _torch_options({}) == ["--torch-backend", "cpu"]
    assert _torch_options({"PIP_FIND_LINKS": str(tmp_path)}) == ["--torch-backend", "cpu"]
    (tmp_path / "torch-2.13.0+cpu-cp311-cp311-linux_x86_64.whl").touch()
    assert _torch_options({"PIP_FIND_LINKS": f"/nowhere {tmp_path}"}) == []
    assert _torch_options({"UV_FIND_LINKS": "https://wheels.example/torch"}) == []
