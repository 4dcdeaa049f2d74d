"""Environments by uv: one per set of locked requirements and interpreter, made in tenths of a second when warm.

Everything is tried from uv's cache first and from the network only when the cache lacks something: pins are
exact, so the cache cannot be out of date.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sysconfig
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from boucle.adapters.interpreters import installed
from boucle.core.errors import EnvironmentFailed
from boucle.core.i18n import _
from boucle_worker import bytecode

_READY = ".boucle-ready"
_LOCKED = "requirements.lock"
_QUIET = ("--quiet", "--no-progress", "--color", "never")
_FROM_PIP = {
    "PIP_FIND_LINKS": "UV_FIND_LINKS",
    "PIP_INDEX_URL": "UV_DEFAULT_INDEX",
    "PIP_EXTRA_INDEX_URL": "UV_INDEX",
    "PIP_TRUSTED_HOST": "UV_INSECURE_HOST",
    "PIP_CERT": "SSL_CERT_FILE",
}
_NOT_PASSED = ("VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE")
_CREDENTIALS = re.compile(r"(\w+://)[^/\s@]+@")
_OPTION = re.compile(r"--(index-url|extra-index-url|find-links|no-binary|only-binary|no-index)\b")
_TORCH = re.compile(r"torch\s*==")
_TIMEOUT_S = 600.0
_MAX_LINES = 12


class UvEnvironments:
    """Environments in ``root``, one folder each.

    ``uv`` is the binary (None: that of the uv package, else that on PATH); ``bytecode_cache`` a folder that
    outlives them, for the bytecode of their libraries (None: each environment compiles its own at first use);
    ``environ`` holds the settings of index, proxy and certificates (None: the environment of this process).
    """

    def __init__(
        self,
        root: Path,
        uv: Path | None = None,
        *,
        bytecode_cache: Path | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._root = root
        self._uv = uv
        self._bytecode_cache = bytecode_cache
        self._environ = os.environ if environ is None else environ

    def interpreters(self) -> dict[str, Path]:
        """Return the installed interpreters by minor version (``3.11``), newest version first."""
        return installed(self._environ)

    def lock(self, requirements: Sequence[str], interpreter: str) -> str:
        """Return the requirements and all they need, pinned and with hashes, for this platform.

        Raises EnvironmentFailed with what uv said when they contradict each other or cannot be found.
        """
        python = self._interpreter(interpreter)
        command = ["pip", "compile", "-", "--generate-hashes", "--no-header", "--no-annotate", "--python", str(python)]
        return self._cached_first(command, "\n".join(requirements))

    def ensure(self, lock: str, interpreter: str, *, require_hashes: bool = True) -> Path:
        """Return the Python of the environment of a lock, made now unless it is there.

        Every hash of the lock is verified; ``require_hashes`` wants one of each line. Without, torch may lack it,
        whose wheels differ by platform: the CPU's are taken.

        Of several processes that ask at once, one makes it and the others wait. One that was killed half-way
        left no mark, and the next starts over. Raises EnvironmentFailed with what uv said, or naming the first line
        that lacks its hash.
        """
        if not require_hashes:
            _require_hashes_beside_torch(lock)
        folder = self._root / _key(lock, interpreter, require_hashes)
        if _is_ready(folder):
            return _python(folder)
        self._root.mkdir(parents=True, exist_ok=True)
        with _held(folder.with_suffix(".lock")):
            if not _is_ready(folder):
                options = ["--require-hashes"] if require_hashes else _torch_options(self._environ)
                self._make(folder, lock, interpreter, options)
        return _python(folder)

    def _make(self, folder: Path, lock: str, interpreter: str, options: Sequence[str]) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        python = self._interpreter(interpreter)
        self._run(["venv", "--no-project", "--python", str(python), str(folder)], offline=True)
        locked = folder / _LOCKED
        locked.write_text(lock, encoding="utf-8")
        self._cached_first(["pip", "sync", *options, "--python", str(_python(folder)), str(locked)])
        if self._bytecode_cache is not None:
            _compile(folder, interpreter, self._bytecode_cache)
        (folder / _READY).touch()

    def _interpreter(self, minor: str) -> Path:
        there = self.interpreters()
        if minor in there:
            return there[minor]
        message = _(
            "Python {minor} is not installed here. There is: {there}. Install it with: uv python install {minor}"
        )
        raise EnvironmentFailed(message.format(minor=minor, there=", ".join(there)))

    def _cached_first(self, command: list[str], text: str = "") -> str:
        if self._environ.get("PIP_NO_INDEX", "0").lower() not in ("", "0", "false", "no"):
            command = [*command, "--no-index"]
        try:
            return self._run(command, text, offline=True)
        except EnvironmentFailed as error:
            cached = error
        try:
            return self._run(command, text, offline=False)
        except EnvironmentFailed as error:
            if "Failed to fetch" in str(error) and "network was disabled" not in str(cached):
                raise cached from error  # no network either, but that was not what was missing
            raise

    def _run(self, command: list[str], text: str = "", *, offline: bool) -> str:
        options = [*_QUIET, "--offline"] if offline else list(_QUIET)
        try:
            done = subprocess.run(
                [self._binary(), *command, *options],
                input=text,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                env=_environment(self._environ),
                cwd=self._root if self._root.is_dir() else None,
                timeout=_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise EnvironmentFailed(_("uv cannot be run: {error}").format(error=error)) from error
        if done.returncode:
            raise EnvironmentFailed(_said(done.stderr))
        return done.stdout

    def _binary(self) -> Path:
        if self._uv is None:
            self._uv = found_uv(self._environ)
        return self._uv


def found_uv(environ: Mapping[str, str]) -> Path:
    """Return the uv binary: that of the installed uv package, else that on PATH. Raises EnvironmentFailed."""
    if importlib.util.find_spec("uv") is not None:
        import uv

        with contextlib.suppress(FileNotFoundError):
            return Path(uv.find_uv_bin())
    on_path = shutil.which("uv", path=environ.get("PATH"))
    if on_path:
        return Path(on_path)
    raise EnvironmentFailed(_("uv is not installed here. Install it with: pip install 'boucle[server]'"))


def _key(lock: str, interpreter: str, require_hashes: bool) -> str:
    text = f"{lock}\n{interpreter}\n{sysconfig.get_platform()}{'' if require_hashes else ' unhashed'}"
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:32]


def _require_hashes_beside_torch(lock: str) -> None:
    for line in lock.replace("\\\n", " ").splitlines():
        entry = line.partition(" #")[0].strip()
        needs_none = not entry or entry.startswith("#") or _OPTION.match(entry) or _TORCH.match(entry)
        if not needs_none and "--hash=" not in entry:
            raise EnvironmentFailed(
                _(
                    "The lock has no hash for {entry}; torch alone may lack one. "
                    "Write it with: uv pip compile --generate-hashes"
                ).format(entry=entry[:100])
            )


def _torch_options(environ: Mapping[str, str]) -> list[str]:
    """Return where torch comes from: the CPU index of PyTorch, unless a folder of wheels named by the person has it."""
    links = environ.get("UV_FIND_LINKS") or environ.get("PIP_FIND_LINKS") or ""
    places = re.split(r"[\s,]+", links.strip())
    is_there = any("://" in place or any(Path(place).glob("torch-*.whl")) for place in places if place)
    return [] if is_there else ["--torch-backend", "cpu"]


def _python(folder: Path) -> Path:
    return folder / "bin" / "python"


def _is_ready(folder: Path) -> bool:
    """True when the environment is whole and its interpreter still there (a link to one that can be removed)."""
    return (folder / _READY).exists() and _python(folder).exists()


def _compile(folder: Path, minor: str, store: Path) -> None:
    """Link in the bytecode that is kept; compile what is missing in the background, while the model is loaded."""
    site_packages = folder / "lib" / f"python{minor}" / "site-packages"
    with contextlib.suppress(OSError):  # without it the first import is slower, nothing else
        if bytecode.restore(site_packages, store, f"cpython-{minor.replace('.', '')}"):
            return
    filling = subprocess.Popen(
        [_python(folder), "-I", "-S", bytecode.__file__, site_packages, store],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={},
        start_new_session=True,
    )
    threading.Thread(target=filling.wait, daemon=True).start()  # nobody needs its end, but it leaves no zombie


@contextlib.contextmanager
def _held(path: Path) -> Iterator[None]:
    """Hold the lock of a file; the kernel gives it back when the process dies."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of uv: that of ours, pip's settings in uv's words, none of our own secrets."""
    passed = {key: value for key, value in environ.items() if key not in _NOT_PASSED and not key.startswith("BOUCLE_")}
    for theirs, name in _FROM_PIP.items():
        if environ.get(theirs):
            passed.setdefault(name, environ[theirs])
    passed["UV_PYTHON_DOWNLOADS"] = "never"
    passed.setdefault("UV_LINK_MODE", "hardlink")
    return passed


def _said(stderr: str) -> str:
    """Return the last lines that uv wrote, without the credentials of any address."""
    lines = [line.rstrip() for line in stderr.splitlines() if line.strip() and not line.startswith("warning:")]
    text = "\n".join(lines[-_MAX_LINES:]) or _("uv failed without a word")
    return _CREDENTIALS.sub(r"\1", text)
