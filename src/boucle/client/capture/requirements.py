"""Exact pins of the distributions that a model's modules come from, with what those require themselves.

Read from the metadata that lies beside the installed modules: names first, then the lists of files. Nothing is
imported and nothing is asked over the network; a few milliseconds for the usual libraries.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Optional

from boucle.client.capture.markers import holds
from boucle.client.capture.modules import OURS, Origin, origin_of, site_folders
from boucle.core.errors import InvalidRequest
from boucle.core.i18n import _

_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?[^;]*(?:;(.*))?\Z", re.DOTALL)
_USUAL_NAMES = {
    "sklearn": "scikit-learn",
    "skimage": "scikit-image",
    "PIL": "pillow",
    "cv2": "opencv-python",
    "yaml": "pyyaml",
    "dateutil": "python-dateutil",
    "bs4": "beautifulsoup4",
}
_LEFT_OUT = {*OURS, "pip"}


@dataclass(frozen=True)
class Distribution:
    """What the METADATA of an installed distribution says; ``requires`` are its Requires-Dist lines."""

    name: str
    version: str
    requires: tuple[str, ...]

    @property
    def pin(self) -> str:
        """``name==version`` without the local part of the version, which no index knows."""
        return f"{self.name}=={self.version.partition('+')[0]}"


def find_requirements(modules: Iterable[str]) -> tuple[str, ...]:
    """Return sorted exact pins for the modules and all that their distributions require here.

    Raises InvalidRequest for an installed module that no distribution owns.
    """
    roots: dict[str, Path] = {}
    for name in _one_for_each(modules):
        origin = origin_of(name)
        if origin is None or origin.kind != "installed" or origin.root is None:
            continue
        folder = owner(origin)
        if folder is None:
            raise InvalidRequest(
                "unusual-code",
                _("Module {name} belongs to no installed distribution. Carry it: code=[{name}]").format(name=name),
            )
        roots[str(folder)] = folder
    return tuple(sorted({item.pin for item in _closure(roots.values())}, key=str.lower))


def owner(origin: Origin) -> Optional[Path]:
    """Return the dist-info folder of the distribution that an installed module belongs to."""
    index = _index(origin.root or "")
    top = origin.name.partition(".")[0]
    likely = [_USUAL_NAMES.get(top, top), top, f"python-{top}"]
    first = [index[normal(name)] for name in likely if normal(name) in index]
    for folder in (*first, *index.values()):
        if _owns(folder, origin, top):
            return folder
    return None


def normal(name: str) -> str:
    """Return the one spelling of a distribution's name.

    >>> normal("Typing_Extensions")
    'typing-extensions'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def _one_for_each(modules: Iterable[str]) -> list[str]:
    """Return one module of each distribution: the top-level one, or the whole name under a namespace."""
    names = set()
    for name in modules:
        top = name.partition(".")[0]
        origin = origin_of(top)
        names.add(top if origin is None or origin.path is not None else name)
    return sorted(names)


def _owns(folder: Path, origin: Origin, top: str) -> bool:
    path = os.path.relpath(origin.path or "", origin.root).replace(os.sep, "/")
    files = _text(folder / "RECORD")
    if files:
        return f"\n{path}," in f"\n{files}"
    return top in _text(folder / "top_level.txt").split()


def _closure(folders: Iterable[Path]) -> list[Distribution]:
    """Return the distributions and those they require, as far as they are installed and their markers hold."""
    found: dict[tuple[str, frozenset[str]], Distribution] = {}
    queue = [(folder, frozenset[str]()) for folder in folders]
    while queue:
        folder, extras = queue.pop()
        item = read(folder)
        if item is None or (normal(item.name), extras) in found or normal(item.name) in _LEFT_OUT:
            continue
        found[normal(item.name), extras] = item
        for line in item.requires:
            wanted = _wanted(line, extras)
            if wanted is not None and (there := _installed(wanted[0])) is not None:
                queue.append((there, wanted[1]))
    return list(found.values())


def _wanted(line: str, extras: frozenset[str]) -> Optional[tuple[str, frozenset[str]]]:
    matched = _REQUIREMENT.match(line)
    if matched is None:
        return None
    name, named_extras, marker = matched.groups()
    if marker and not any(holds(marker, extra) for extra in (extras or {""})):
        return None
    return normal(name), frozenset(normal(extra) for extra in (named_extras or "").split(",") if extra.strip())


def _installed(name: str) -> Optional[Path]:
    return next((index[name] for index in map(_index, site_folders()) if name in index), None)


@lru_cache(maxsize=64)
def _index_at(folder: str, _changed_ns: int) -> dict[str, Path]:
    index = {}
    for entry in os.scandir(folder):
        stem, dot, kind = entry.name.rpartition(".")
        if dot and kind in ("dist-info", "egg-info"):
            index[normal(stem.partition("-")[0])] = Path(entry.path)
    return index


def _index(folder: str) -> dict[str, Path]:
    """Return the metadata folders of a site folder by name; read again when something was installed."""
    try:
        return _index_at(folder, Path(folder).stat().st_mtime_ns)
    except OSError:
        return {}


def read(folder: Path) -> Optional[Distribution]:
    """Return what the metadata in a dist-info or egg-info folder says; None when it cannot be read."""
    text = _text(folder / "METADATA") or _text(folder / "PKG-INFO") or _text(folder)
    head = text.partition("\n\n")[0]
    fields = [line.partition(": ")[::2] for line in head.splitlines()]
    told = dict(reversed(fields))
    if "Name" not in told or "Version" not in told:
        return None
    requires = tuple(value for key, value in fields if key == "Requires-Dist")
    return Distribution(told["Name"].strip(), told["Version"].strip(), requires)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
