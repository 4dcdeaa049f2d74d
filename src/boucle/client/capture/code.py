"""The local modules that a model needs, found and carried by source.

From the modules noted while the model was pickled, through what their sources import, as far as the author's own
files go. What lies in an installed distribution is a requirement instead; what an editable installation points at is
the author's own.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Optional, Union

from boucle.client.capture.modules import OURS, Origin, name_of, origin_of
from boucle.core.errors import InvalidRequest, NotFound, TooLarge
from boucle.core.i18n import _

MAX_CODE_BYTES = 50 * 1024 * 1024
Code = Union[str, Path, ModuleType]


@dataclass
class Found:
    """``files`` by path under the import root; ``imported`` are the modules of installed distributions."""

    files: dict[str, bytes] = field(default_factory=dict)
    imported: set[str] = field(default_factory=set)


def find_code(modules: Iterable[str], extra: Sequence[Code] = ()) -> Found:
    """Return the author's files among the modules and what they import, and the installed modules met on the way.

    ``extra``: modules, files or folders to carry besides. Raises NotFound for a path that is not there,
    InvalidRequest for a module without a source, TooLarge beyond 50 MB.
    """
    found = Found()
    queue = list(modules)
    for item in extra:
        if isinstance(item, ModuleType):
            queue += _named(item)
        else:
            queue += _from_path(Path(item).expanduser(), found)
    _follow(queue, found)
    total = sum(map(len, found.files.values()))
    if total > MAX_CODE_BYTES:
        raise TooLarge(_("bytes of local code"), total, MAX_CODE_BYTES)
    return found


def imports_of(source: bytes, module: str, is_package: bool) -> set[str]:
    """Return the full names that a source imports when it is imported itself, parents included.

    Blocks that run for a type checker or as a script are left out.

    >>> sorted(imports_of(b"import os.path, numpy as np", "shop", False))
    ['numpy', 'os', 'os.path']
    >>> sorted(imports_of(b"from . import prices", "shop.features", False))
    ['shop', 'shop.prices']
    """
    names: set[str] = set()
    for node in _running(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _base(node, module, is_package)
            names.update([base] if base else [])
            names.update(f"{base}.{alias.name}" if base else alias.name for alias in node.names if alias.name != "*")
    return {parent for name in names for parent in _with_parents(name)}


def _follow(queue: list[str], found: Found) -> None:
    seen: set[str] = set()
    while queue:
        name = queue.pop()
        if name in seen or not name or name.partition(".")[0] in OURS:
            continue
        seen.add(name)
        origin = _origin(name)
        if origin is not None and origin.kind == "installed":
            found.imported.add(name)
        if origin is None or origin.kind != "local":
            continue
        queue += [parent for parent in _with_parents(name) if parent != name]
        if origin.path is not None and origin.relative_path not in found.files:
            source = _source(origin)
            found.files[origin.relative_path] = source
            queue += imports_of(source, name, origin.is_package)


def _origin(name: str) -> Optional[Origin]:
    """Return where a module comes from, importing nothing of a distribution to find out."""
    top = origin_of(name.partition(".")[0])
    return top if top is None or top.kind != "local" or top.name == name else origin_of(name)


def _source(origin: Origin) -> bytes:
    path = Path(origin.path or "")
    if path.suffix != ".py":
        raise InvalidRequest(
            "unusual-code",
            _(
                "Module {name} has no Python source ({path}). Build it as a wheel and name it in requirements=[...]."
            ).format(name=origin.name, path=path.name),
        )
    return path.read_bytes()


def _named(module: ModuleType) -> list[str]:
    """Return a module and, for a package, all modules inside it."""
    name = name_of(module)
    inside: list[str] = []
    for folder in getattr(module, "__path__", []):
        for path in sorted(Path(folder).rglob("*.py")):
            parts = path.relative_to(folder).with_suffix("").parts
            inside.append(".".join([name, *(parts[:-1] if parts[-1] == "__init__" else parts)]))
    return [name, *inside]


def _from_path(path: Path, found: Found) -> list[str]:
    """Add a file or the files of a folder; return what they import."""
    if not path.exists():
        raise NotFound(_("file or folder"), str(path), [], _("Name a file, a folder or a module in code=[...]."))
    if path.is_file() and path.suffix != ".py":
        raise InvalidRequest(
            "unusual-code", _("{path} is no Python file: code=[...] carries modules.").format(path=path)
        )
    path = path.resolve()
    root = _import_root(path)
    imports: set[str] = set()
    named = [path] if path.is_file() else _files(path)
    for file in [*named, *_parents_inits(path, root)]:
        relative, data = file.relative_to(root).as_posix(), file.read_bytes()
        found.files[relative] = data
        stem, is_package = relative[: -len(".py")], file.stem == "__init__"
        module = (stem[: -len("/__init__")] if is_package else stem).replace("/", ".")
        imports |= imports_of(data, module, is_package)
    return sorted(imports)


def _files(folder: Path) -> Iterator[Path]:
    """Yield the modules below a folder: Python files at paths that can be imported."""
    for file in sorted(folder.rglob("*.py")):
        if all(part.isidentifier() for part in file.relative_to(folder).with_suffix("").parts):
            yield file


def _import_root(path: Path) -> Path:
    """Return the folder from which the path is imported: above all the packages that it lies in."""
    if path.is_dir() and str(path) in {str(Path(entry).resolve()) for entry in sys.path if entry}:
        return path
    root = path.parent
    while (root / "__init__.py").exists() and root != root.parent:
        root = root.parent
    return root


def _parents_inits(path: Path, root: Path) -> list[Path]:
    if path == root:
        return []
    above = [folder for folder in path.parents if folder != root and root in folder.parents]
    return [folder / "__init__.py" for folder in above if (folder / "__init__.py").exists()]


def _running(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        yield node
        if isinstance(node, ast.If) and _is_set_aside(node.test):
            for other in node.orelse:
                yield other
                yield from _running(other)
        else:
            yield from _running(node)


def _is_set_aside(test: ast.expr) -> bool:
    names: set[Any] = {part.id for part in ast.walk(test) if isinstance(part, ast.Name)}
    names |= {part.attr for part in ast.walk(test) if isinstance(part, ast.Attribute)}
    return "TYPE_CHECKING" in names or "__name__" in names


def _base(node: ast.ImportFrom, module: str, is_package: bool) -> str:
    if not node.level:
        return node.module or ""
    package = module.split(".") if is_package else module.split(".")[:-1]
    parts = package[: len(package) - node.level + 1] + ([node.module] if node.module else [])
    return ".".join(parts)


def _with_parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[: i + 1]) for i in range(len(parts))]
