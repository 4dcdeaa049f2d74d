"""Where a module comes from: the standard library, an installed distribution, or a file of the author's."""

from __future__ import annotations

import importlib.util
import os
import site
import sys
import sysconfig
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from typing import Any, Literal, Optional

Kind = Literal["local", "installed", "standard", "main"]
OURS = ("boucle", "boucle_worker")
_MAIN = ("__main__", "__mp_main__")


@dataclass(frozen=True)
class Origin:
    """``path`` is the file of the module, None for built-in and namespace modules; ``root`` its site folder."""

    name: str
    kind: Kind
    path: Optional[str] = None
    is_package: bool = False
    root: Optional[str] = None

    @property
    def relative_path(self) -> str:
        """Path under an import root: ``shop/features.py``, ``shop/__init__.py``."""
        stem = self.name.replace(".", "/")
        return f"{stem}/__init__.py" if self.is_package else f"{stem}.py"


def origin_of(name: str) -> Optional[Origin]:
    """Return where a module comes from; None when there is no such module here."""
    if name in _MAIN:
        return Origin(name, "main")
    module = sys.modules.get(name)
    if module is not None:
        return _classified(name, getattr(module, "__file__", None), hasattr(module, "__path__"))
    spec = _spec(name)
    if spec is None:
        return None
    return _classified(name, spec.origin if spec.has_location else None, spec.submodule_search_locations is not None)


def name_of(module: ModuleType) -> str:
    """Return the name that the rest of the code imports a module by."""
    spec = getattr(module, "__spec__", None)
    return str(spec.name) if spec is not None else module.__name__


def _spec(name: str) -> Any:
    try:
        return importlib.util.find_spec(name)
    except (ImportError, AttributeError, ValueError):
        return None


def _classified(name: str, path: Optional[str], is_package: bool) -> Origin:
    if path is None:
        kind: Kind = "local" if is_package and name.partition(".")[0] not in sys.builtin_module_names else "standard"
        return Origin(name, kind, None, is_package)
    for root in site_folders():
        if any(_is_under(spelled, root) for spelled in _spellings(path)):
            return Origin(name, "installed", path, is_package, root)
    if any(_is_under(os.path.realpath(path), folder) for folder in _standard_folders()):
        return Origin(name, "standard", path, is_package)
    return Origin(name, "local", path, is_package)


def _is_under(path: str, folder: str) -> bool:
    return path.startswith(folder + os.sep)


@lru_cache(maxsize=1)
def _fixed_site_folders() -> tuple[str, ...]:
    folders = [sysconfig.get_paths()[key] for key in ("purelib", "platlib")]
    folders += getattr(site, "getsitepackages", list)()
    folders += [site.getusersitepackages()] if hasattr(site, "getusersitepackages") else []
    return tuple(folders)


def site_folders() -> tuple[str, ...]:
    """Return the folders that installed distributions lie in, most specific first."""
    named = [path for path in sys.path if os.path.basename(path) in ("site-packages", "dist-packages")]  # noqa: PTH119
    both = {spelling for path in (*_fixed_site_folders(), *named) for spelling in _spellings(path)}
    return tuple(sorted(both, key=len, reverse=True))


def _spellings(path: str) -> tuple[str, str]:
    """Return a path as it is named and as its links resolve: environments link files into their site folder."""
    return os.path.abspath(path), os.path.realpath(path)  # noqa: PTH100  # resolve() would follow links


@lru_cache(maxsize=1)
def _standard_folders() -> tuple[str, ...]:
    return tuple({os.path.realpath(sysconfig.get_paths()[key]) for key in ("stdlib", "platstdlib")})
