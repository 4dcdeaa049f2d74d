"""The compiled bytecode of installed libraries, kept between environments.

uv's environments are hard links to its cache and hold no bytecode: the first import of scikit-learn and pandas
compiles 1,300 files, 2.2 s of its 3.3 s. This store holds the bytecode of each unpacked wheel and links it into
every environment that holds the same one::

    <store>/cpython-311/<name>-<version>.dist-info/<when it was unpacked>/pandas/core/__pycache__/frame.cpython-311.pyc

What is missing is compiled at once in the background by this file run as a script, with the environment's own
Python, from the sources alone: it imports nothing of them, and takes nothing that a model may have written.
Python checks each file against the size and time of its source (which hard links share), so a stale one costs
time and is never wrong.
"""

from __future__ import annotations

import fcntl
import os
import py_compile
import shutil
import sys
from pathlib import Path
from typing import Iterator, List, NamedTuple, Tuple

_WHOLE = ".whole"
_TESTS = ("tests", "test", "testing_data")
_MAX_PROCESSES = 4


class Wheel(NamedTuple):
    """An installed distribution and its place in the store."""

    dist_info: Path
    place: Path

    @property
    def is_whole(self) -> bool:
        """True when the store holds all the bytecode there is to it."""
        return (self.place / _WHOLE).exists()


Job = Tuple[Wheel, str]  # a distribution and one module of it, relative to site-packages


def wheels(site_packages: Path, store: Path, tag: str) -> List[Wheel]:
    """Return the distributions of an environment that were hard-linked (copies have times of their own).

    ``tag`` is the interpreter's word for its bytecode, such as ``cpython-311``.
    """
    found = []
    for dist_info in site_packages.glob("*.dist-info"):
        try:
            stat = (dist_info / "METADATA").stat()
        except OSError:
            continue
        if stat.st_nlink > 1:
            found.append(Wheel(dist_info, store / tag / dist_info.name / f"{stat.st_mtime_ns:x}"))
    return sorted(found, reverse=True)


def restore(site_packages: Path, store: Path, tag: str) -> bool:
    """Link the bytecode that the store holds into an environment. Returns True when nothing was missing."""
    there = wheels(site_packages, store, tag)
    for wheel in there:
        for folder, _folders, names in os.walk(wheel.place):
            target = site_packages / Path(folder).relative_to(wheel.place)
            compiled = [name for name in names if name.endswith(".pyc")]
            if compiled:
                target.mkdir(parents=True, exist_ok=True)
            for name in compiled:
                _link(Path(folder, name), target / name)
    return all(wheel.is_whole for wheel in there)


def fill(site_packages: Path, store: Path) -> None:
    """Compile what the store lacks of an environment's distributions, for this interpreter, and link it in.

    Processes that fill the same store take turns. Killed half-way, the next one goes on.
    """
    tag = sys.implementation.cache_tag
    store.mkdir(parents=True, exist_ok=True)
    with (store / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        missing = [wheel for wheel in wheels(site_packages, store, tag) if not wheel.is_whole]
        jobs = [(wheel, source) for wheel in missing for source in _sources(wheel.dist_info)]
        n_processes = max(1, min(_MAX_PROCESSES, (os.cpu_count() or 1) - 1, len(jobs)))
        helpers = [_forked(jobs[i::n_processes], site_packages) for i in range(1, n_processes)]
        is_done = _compile(jobs[::n_processes], site_packages)
        ends = [os.waitpid(pid, 0)[1] for pid in helpers]
        for wheel in missing if is_done and not any(ends) else []:
            wheel.place.mkdir(parents=True, exist_ok=True)
            (wheel.place / _WHOLE).touch()
            _drop_others(wheel.place)


def _forked(jobs: List[Job], site_packages: Path) -> int:
    pid = os.fork()
    if pid == 0:
        os._exit(0 if _compile(jobs, site_packages) else 1)
    return pid


def _compile(jobs: List[Job], site_packages: Path) -> bool:
    """Compile files into the store and link them into the environment. Returns False when the store took none."""
    for wheel, source in jobs:
        folder, _slash, name = source.rpartition("/")
        cached = Path(folder, "__pycache__", f"{name[: -len('.py')]}.{sys.implementation.cache_tag}.pyc")
        kept, used = wheel.place / cached, site_packages / cached
        try:
            if not kept.exists():
                py_compile.compile(str(site_packages / source), str(kept), str(site_packages / source), doraise=True)
            used.parent.mkdir(exist_ok=True)
            _link(kept, used)
        except (py_compile.PyCompileError, ValueError):  # a template, or a file for another version of Python
            continue
        except OSError:
            return False
    return True


def _sources(dist_info: Path) -> Iterator[str]:
    """Yield the modules of a distribution, relative to ``site-packages``, without its tests."""
    try:
        lines = (dist_info / "RECORD").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        path = line.split(",", 1)[0]
        parts = path.split("/")
        is_odd = path.startswith(("/", '"')) or ".." in parts
        if path.endswith(".py") and not is_odd and not any(part in _TESTS for part in parts):
            yield path


def _drop_others(place: Path) -> None:
    """Remove what an earlier unpacking of the same wheel left: no environment can match it any more."""
    for other in place.parent.iterdir():
        if other != place:
            shutil.rmtree(str(other), ignore_errors=True)


def _link(source: Path, target: Path) -> None:
    """Link a file, or copy it where links do not reach. One that is there, or gone meanwhile, is left so."""
    try:
        os.link(str(source), str(target))
    except (FileExistsError, FileNotFoundError):
        return
    except OSError:
        temporary = target.with_name(f"{target.name}.{os.getpid()}")
        shutil.copyfile(str(source), str(temporary))
        temporary.replace(target)


if __name__ == "__main__":
    os.nice(5)
    fill(Path(sys.argv[1]), Path(sys.argv[2]))
