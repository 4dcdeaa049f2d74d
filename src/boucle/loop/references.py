"""The reference of a version: its grids and profiles, made once of what the notebook sent."""

from __future__ import annotations

import logging

from boucle.core.answer import Answer
from boucle.core.errors import BoucleError
from boucle.core.grid import Grid
from boucle.core.profile import Profile
from boucle.core.reference import Reference
from boucle.core.table import Table
from boucle.core.version import Artifact, Version
from boucle.loop.ports import Artifacts
from boucle.monitoring.grids import answers_reference, answers_table, features_reference, traffic_grid
from boucle.monitoring.outcomes import quality_grid
from boucle.monitoring.ports import ProfileStore
from boucle_worker.frames import FrameError

log = logging.getLogger(__name__)


def reference(store: ProfileStore, artifacts: Artifacts, version: Version) -> Reference:
    """Return the frozen reference of a version, made and kept when there is none yet."""
    known = store.reference(version.name, version.number)
    if known is not None:
        return known
    return store.keep_reference(version.name, version.number, made_reference(artifacts, version))


def made_reference(artifacts: Artifacts, version: Version) -> Reference:
    """Return the grids of a version and the profiles of its reference rows (else its sample) and sample answers.

    Without rows there is no stream of features; without answers, or without a target, the grids of answers and
    quality are general ones, and their first rows in service become the baseline.
    """
    manifest = version.manifest
    signature = version.signature or manifest.signature
    rows = _table(artifacts, manifest.reference) or _table(artifacts, manifest.sample)
    said = _table(artifacts, manifest.answers)
    truth = None if rows is None or manifest.target is None else rows.columns.get(manifest.target)
    predicted = None if said is None else said.columns.get("prediction")
    quality = quality_grid(signature, truth, predicted, is_series=manifest.schema.window is not None)
    found: dict[str, tuple[Grid, Profile]] = {"traffic": _empty(traffic_grid())}
    if rows is not None and set(rows.names) & set(manifest.schema.names):
        found["features"] = features_reference(manifest.schema, rows)
    found["answers"] = answers_reference(signature, None if said is None else _answers(said, signature.classes))
    found["quality"] = _empty(quality)
    return Reference(
        {stream: grid for stream, (grid, _profile) in found.items()},
        {stream: profile for stream, (_grid, profile) in found.items()},
    )


def _empty(grid: Grid) -> tuple[Grid, Profile]:
    return grid, Profile.empty(grid)


def _answers(said: Table, classes: tuple[object, ...] | None) -> Table | None:
    """Return the sample answers as the grid of answers counts them; None when only probabilities were sent."""
    if "prediction" not in said.columns:
        return None
    probabilities, intervals = said.columns.get("probabilities"), said.columns.get("intervals")
    return answers_table(
        Answer(
            said.columns["prediction"].values,
            None if classes is None else list(classes),
            None if probabilities is None else probabilities.values,
            None if intervals is None else intervals.values,
        )
    )


def _table(artifacts: Artifacts, artifact: Artifact | None) -> Table | None:
    if artifact is None:
        return None
    try:
        table = Table.from_bytes(artifacts.read(artifact.digest))
    except (BoucleError, FrameError) as error:
        log.warning("a reference cannot be read and is done without: %s", error)
        return None
    return table if table.n_rows else None
