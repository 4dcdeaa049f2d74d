"""The description of a model as bytes: one npz file, its header beside the arrays. Read without ever unpickling."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any, Dict, Tuple

import numpy as np

HEADER = "description"


def packed(told: Dict[str, Any], arrays: Dict[str, Any]) -> bytes:
    """Return the bytes of the header and the arrays of a description."""
    text = json.dumps(told, ensure_ascii=False).encode("utf-8")
    stream = io.BytesIO()
    everything: Dict[str, Any] = {HEADER: np.frombuffer(text, dtype=np.uint8), **arrays}
    np.savez(stream, **everything)
    return stream.getvalue()


def unpacked(data: bytes) -> Tuple[Dict[str, Any], Dict[str, Any]]:
    """Return the header and the arrays of a description. Raises ValueError for bytes that are none.

    >>> told, arrays = unpacked(packed({"nodes": []}, {"c1": np.ones(2)}))
    >>> told, arrays["c1"].tolist()
    ({'nodes': []}, [1.0, 1.0])
    """
    try:
        _require_plain(data)
        with np.load(io.BytesIO(data), allow_pickle=False) as found:
            arrays = {name: found[name] for name in found.files}
        told = json.loads(bytes(arrays.pop(HEADER)).decode("utf-8"))
    except (KeyError, OSError, EOFError, SyntaxError, RecursionError, zipfile.BadZipFile) as error:
        raise ValueError(f"no description: {error}") from error
    if not isinstance(told, dict):
        raise ValueError("no description: its header is no object")  # noqa: TRY004  # bytes of others
    return told, arrays


def _require_plain(data: bytes) -> None:
    """Raise ValueError for a file that grows when it is read: ``packed`` never compresses."""
    with zipfile.ZipFile(io.BytesIO(data)) as found:
        members = found.infolist()
    is_plain = all(member.compress_type == zipfile.ZIP_STORED for member in members)
    if not is_plain or sum(member.file_size for member in members) > len(data):
        raise ValueError("no description: it is compressed")
