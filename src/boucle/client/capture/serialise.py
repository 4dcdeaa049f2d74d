"""A model as bytes, and the modules that its objects need.

skops when every type in the file is trusted: such a file loads without running code of its author's. Else
cloudpickle, which carries classes of a notebook by value, marked untrusted. Both give the same bytes for the same
model, so that a deploy repeated is the same version.
"""

from __future__ import annotations

import dis
import io
import json
import pickle
import types
import zipfile
from dataclasses import dataclass
from typing import Any, Callable, Optional

import cloudpickle

from boucle.core.errors import InvalidRequest
from boucle.core.i18n import _
from boucle.core.version import ModelFormat
from boucle_worker.trusted import TRUSTED

_EPOCH = (1980, 1, 1, 0, 0, 0)
_PLAIN = {"abc", "builtins", "collections", "copyreg", "functools", "types", "typing", "_loss"}
_SKOPS_FAMILIES = {"sklearn", "numpy", "scipy", "xgboost", "lightgbm"} | _PLAIN
_FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType, types.MethodType)


@dataclass(frozen=True, eq=False)
class Serialised:
    """``modules`` are the full names of the modules that loading the bytes imports."""

    data: bytes
    format: ModelFormat
    trusted: bool
    modules: frozenset[str]


def serialise(model: Any, is_same: Callable[[Any], bool]) -> Serialised:
    """Return the model as bytes.

    ``is_same`` tells whether a model read back still answers alike: what skops does not keep, cloudpickle carries.
    Raises InvalidRequest for a model that holds what cannot be stored.
    """
    buffer = io.BytesIO()
    recorder = Recorder(buffer)
    try:
        recorder.dump(model)
    except (TypeError, pickle.PicklingError, AttributeError, RecursionError) as error:
        raise InvalidRequest(
            "unusual-model",
            _(
                "The model cannot be stored: {cause}. It holds an open file, lock, connection or generator: drop it in "
                "__getstate__ or make it when it is needed."
            ).format(cause=error),
        ) from error
    modules = frozenset(recorder.modules)
    safe = _skops(model, is_same) if {name.partition(".")[0] for name in modules} <= _SKOPS_FAMILIES else None
    if safe is not None:
        return Serialised(safe, "skops", trusted=True, modules=modules | {"skops"})
    return Serialised(buffer.getvalue(), "cloudpickle", trusted=False, modules=modules | {"cloudpickle"})


class Recorder(cloudpickle.CloudPickler):  # type: ignore[misc]  # cloudpickle has no types
    """A pickler that notes each module that the pickled objects need.

    Whatever is pickled passes ``reducer_override``, but for the plain types of the language.
    """

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        self.modules: set[str] = set()

    def reducer_override(self, obj: Any) -> Any:
        """Note where an object comes from, then let cloudpickle do its work."""
        self._note(obj)
        return super().reducer_override(obj)

    def _note(self, obj: Any) -> None:
        if isinstance(obj, types.ModuleType):
            self.modules.add(obj.__name__)
        elif isinstance(obj, type):
            self.modules.update(base.__module__ for base in obj.__mro__)
        elif isinstance(obj, _FUNCTIONS) or type(obj).__name__ in ("ufunc", "cython_function_or_method"):
            self.modules.add(_home_of(obj))
            self.modules.update(_imported_inside(obj))
        else:
            self.modules.update(base.__module__ for base in type(obj).__mro__)


def _home_of(function: Any) -> str:
    name = getattr(function, "__module__", None)
    if isinstance(name, str):
        return name
    found: str = pickle.whichmodule(function, function.__name__)  # type: ignore[attr-defined]  # typeshed lacks it
    return found


def _imported_inside(function: Any) -> set[str]:
    """Return the modules that a function of the notebook imports in its body: it travels by value, without a file."""
    code = getattr(function, "__code__", None)
    if code is None or function.__module__ not in ("__main__", "__mp_main__"):
        return set()
    return {str(step.argval) for step in dis.get_instructions(code) if step.opname == "IMPORT_NAME" and step.argval}


def _skops(model: Any, is_same: Callable[[Any], bool]) -> Optional[bytes]:
    """Return the model as a skops file; None when skops is absent, cannot hold all of it, or does not trust it."""
    try:
        import skops.io
    except ImportError:
        return None
    try:
        data = skops.io.dumps(model)
        untrusted = set(skops.io.get_untrusted_types(data=data)) - set(TRUSTED)
        if untrusted or not is_same(skops.io.loads(data, trusted=list(TRUSTED))):
            return None
        return _reproducible(data)
    except Exception:  # noqa: BLE001  # skops raises what it likes for what it cannot hold; cloudpickle takes over
        return None


def _reproducible(data: bytes) -> bytes:
    """Return a skops file whose bytes depend on the model alone, not on memory addresses and the clock."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        schema = json.loads(source.read("schema.json"))
        files: dict[str, str] = {}
        _renumber(schema, {}, files)
        for old, new in files.items():
            target.writestr(zipfile.ZipInfo(new, _EPOCH), source.read(old), zipfile.ZIP_STORED)
        text = json.dumps(schema, separators=(",", ":"))
        target.writestr(zipfile.ZipInfo("schema.json", _EPOCH), text, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _renumber(node: Any, ids: dict[int, int], files: dict[str, str]) -> None:
    """Replace identities and file names by numbers in the order in which they are met."""
    if isinstance(node, list):
        for item in node:
            _renumber(item, ids, files)
    elif isinstance(node, dict):
        if isinstance(node.get("__id__"), int):
            node["__id__"] = ids.setdefault(node["__id__"], len(ids) + 1)
        if "__loader__" in node and isinstance(node.get("file"), str):
            suffix = node["file"].rpartition(".")[2]
            node["file"] = files.setdefault(node["file"], f"{len(files)}.{suffix}")
        for item in node.values():
            _renumber(item, ids, files)
