"""The exported graph as a file of Kedro's catalog."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset


class BytesDataset(AbstractDataset[bytes, bytes]):
    """A file as it is, for ``model.onnx``: written beside and moved into place, so that it is never half there."""

    def __init__(self, filepath: str) -> None:
        self._path = Path(filepath)

    def load(self) -> bytes:
        """Return the bytes of the file."""
        return self._path.read_bytes()

    def save(self, data: bytes) -> None:
        """Write the file, and its folder when that is missing."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_name(self._path.name + ".part")
        beside.write_bytes(data)
        beside.replace(self._path)

    def _exists(self) -> bool:
        return self._path.exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._path)}
