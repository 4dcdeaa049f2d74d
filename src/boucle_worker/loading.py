"""Loading a model: the bytes that were hashed are the bytes that are unpickled."""

from __future__ import annotations

import hashlib
import io
import pickle  # unpickling is the worker's purpose; it runs in the model's own environment
import sys
import tempfile
from pathlib import Path, PurePosixPath
from typing import Any, Dict, List

from boucle_worker.errors import WorkerError
from boucle_worker.trusted import TRUSTED

_SHOWN = 12
_DISTRIBUTIONS = {
    "catboost": "catboost",
    "cloudpickle": "cloudpickle",
    "keras": "keras",
    "lightgbm": "lightgbm",
    "numpy": "numpy",
    "pandas": "pandas",
    "polars": "polars",
    "pyarrow": "pyarrow",
    "scipy": "scipy",
    "sklearn": "scikit-learn",
    "skops": "skops",
    "statsmodels": "statsmodels",
    "tensorflow": "tensorflow",
    "torch": "torch",
    "xgboost": "xgboost",
}


def load(header: Dict[str, Any]) -> Any:
    """Return the model that the header of a ``load`` frame names.

    Raises WorkerError: ``digest`` when a file does not have its digest, ``import`` when a module is missing in
    this environment, ``load`` when the file cannot be read or holds types that are not trusted.
    """
    place_code(header.get("code", []))
    data = read(header["model"]["path"], header["model"]["digest"])
    read_model = {"skops": _skops, "cloudpickle": _pickle}.get(header["format"])
    if read_model is None:
        raise WorkerError("load", "format {!r} is not loaded by a worker".format(header["format"]))
    try:
        return read_model(data)
    except WorkerError:
        raise
    except ImportError as error:
        raise WorkerError("import", str(error)) from error


def read(path: str, digest: str) -> bytes:
    """Return the bytes of a file. Raises WorkerError (``digest``) when their sha256 is another."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise WorkerError("digest", f"cannot be read: {error}") from error
    found = hashlib.sha256(data).hexdigest()
    if found != digest:
        raise WorkerError("digest", f"the file reads as sha256 {found[:_SHOWN]}, expected {str(digest)[:_SHOWN]}")
    return data


def place_code(files: List[Dict[str, Any]]) -> None:
    """Write the model's local modules to a private folder and put it first on ``sys.path``."""
    if not files:
        return
    folder = Path(tempfile.mkdtemp(prefix="code-"))
    for file in files:
        data = read(file["file"], file["digest"])
        target = folder / safe_path(file["path"])
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    sys.path.insert(0, str(folder))


def safe_path(text: str) -> str:
    """Return a relative path that stays inside its folder. Raises WorkerError (``protocol``) for any other.

    >>> safe_path("shop/features.py")
    'shop/features.py'
    """
    path = PurePosixPath(text)
    if path.is_absolute() or not path.parts or ".." in path.parts or "\\" in text or "\0" in text:
        raise WorkerError("protocol", f"path of a module is not inside its folder: {text[:80]!r}")
    return str(path)


def versions() -> Dict[str, str]:
    """Return the versions of the known libraries that are imported by now, by the name of their distribution."""
    found = {}
    for module, distribution in _DISTRIBUTIONS.items():
        version = getattr(sys.modules.get(module), "__version__", None)
        if isinstance(version, str):
            found[distribution] = version
    return found


def _pickle(data: bytes) -> Any:
    return pickle.load(io.BytesIO(data))  # noqa: S301  # the bytes have the digest that the author registered


def _skops(data: bytes) -> Any:
    import skops.io

    needed = skops.io.get_untrusted_types(data=data)
    refused = sorted(set(needed) - set(TRUSTED))
    if refused:
        raise WorkerError("load", "the file holds types that are not trusted: {}".format(", ".join(refused[:10])))
    return skops.io.loads(data, trusted=needed)
