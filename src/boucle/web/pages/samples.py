"""The rows that a window model carries with it: its sample, the model's answers on it, and its newest window.

Artifacts are verified as they are read. What is not there, or is not what it says, is a problem told on the page
and never an error of the page.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from boucle.core.cutting import newest
from boucle.core.errors import BoucleError
from boucle.core.i18n import _
from boucle.core.table import Table
from boucle.core.version import Artifact, Manifest, Version
from boucle.web.pages.track import Track, track_of
from boucle.web.plane import ControlPlane
from boucle.web.ports import Artifacts

MAX_BYTES = 64 * 1024 * 1024
_FAILURES = (BoucleError, OSError, LookupError, ValueError, TypeError)  # FrameError is a ValueError
KEPT = 32  # tracks, of about a thousand candles each


class Unreadable(Exception):
    """A sample or its answers are not there, or are not what they say."""


@dataclass(frozen=True)
class _Source:
    """Where a track is read from. The digest of a version is that of its artifacts too, so it is a key to keep by."""

    digest: str
    artifacts: Artifacts
    manifest: Manifest = field(compare=False)


def is_window_model(version: Version) -> bool:
    """True for a model that answers once for many rows."""
    return version.manifest.schema.window is not None


def is_forecaster(version: Version) -> bool:
    """True for a window model that answers with a number about the time after its rows."""
    window = version.manifest.schema.window
    if window is None or version.manifest.signature.task != "regression":
        return False
    types = {column.name: column.type for column in version.manifest.schema.columns}
    return types.get(window.order_by) == "datetime"


def read_track(plane: ControlPlane, version: Version) -> Track:
    """Return the track of a forecaster. Raises Unreadable."""
    try:
        return _track(_Source(version.digest, plane.artifacts, version.manifest))
    except _FAILURES as error:
        raise _unreadable(error) from error


def read_sample(plane: ControlPlane, version: Version) -> Table:
    """Return the sample of a version. Raises Unreadable."""
    try:
        return _sample(plane.artifacts, version.manifest)
    except _FAILURES as error:
        raise _unreadable(error) from error


def newest_rows(plane: ControlPlane, version: Version) -> list[dict[str, Any]]:
    """Return the newest window of the sample of a window model (of each group), as JSON rows. Raises Unreadable."""
    schema = version.manifest.schema
    sample = read_sample(plane, version)
    try:
        rows = newest(sample.select(schema.names), schema.window) if schema.window is not None else None
        return [] if rows is None else rows.table.rows()
    except _FAILURES as error:
        raise _unreadable(error) from error


def as_csv(rows: list[dict[str, Any]]) -> str:
    """Return rows as CSV with a header; a missing value is empty.

    >>> as_csv([{"at": "2024-01-01T00:00:00.000000Z", "close": 1.5}])
    'at,close\\r\\n2024-01-01T00:00:00.000000Z,1.5\\r\\n'
    """
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]) if rows else [])
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _unreadable(error: Exception) -> Unreadable:
    if isinstance(error, BoucleError):
        return Unreadable(str(error))
    return Unreadable(_("Its sample and answers are not as they should be: {reason}.").format(reason=error))


@lru_cache(maxsize=KEPT)
def _track(source: _Source) -> Track:
    manifest = source.manifest
    if manifest.schema.window is None:
        raise ValueError("no window")
    sample = _sample(source.artifacts, manifest)
    if manifest.answers is None:
        raise Unreadable(_("It was deployed without answers to its sample."))
    return track_of(sample, _table(source.artifacts, manifest.answers), manifest.schema.window)


def _sample(artifacts: Artifacts, manifest: Manifest) -> Table:
    if manifest.sample is None:
        raise Unreadable(_("It was deployed without a sample."))
    return _table(artifacts, manifest.sample)


def _table(artifacts: Artifacts, artifact: Artifact) -> Table:
    if artifact.size_bytes > MAX_BYTES:
        raise ValueError(f"{artifact.size_bytes} bytes are too many for a page")
    return Table.from_bytes(artifacts.local_path(artifact.digest).read_bytes())
