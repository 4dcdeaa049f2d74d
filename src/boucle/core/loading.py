"""What a model's worker is told when it shall load a version: the one builder of that frame header."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

from boucle.core.document import to_json
from boucle.core.routes import RoutedVersion


def load_header(version: RoutedVersion, path_of: Callable[[str], Path]) -> dict[str, Any]:
    """Return the header of the ``load`` frame. ``path_of`` gives the local file of a digest, already verified.

    The worker hashes the bytes it reads once more, so that a file changed in between is never loaded.
    """
    return {
        "op": "load",
        "format": version.format,
        "model": {"path": str(path_of(version.model.digest)), "digest": version.model.digest},
        "code": [
            {"path": file.path, "file": str(path_of(file.digest)), "digest": file.digest} for file in version.code
        ],
        "signature": to_json(version.signature),
    }
