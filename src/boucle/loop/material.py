"""Material: what the notebook sent, seen to be all there and unchanged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from boucle.core.check import Check
from boucle.core.cutting import sliding
from boucle.core.errors import BoucleError, InvalidRows, shown
from boucle.core.i18n import _
from boucle.core.table import Table
from boucle.core.version import Artifact, Manifest
from boucle.core.window import Window, require_window
from boucle.loop.ports import Artifacts
from boucle.loop.progress import StepFailed
from boucle.loop.smoke import example_rows
from boucle_worker.frames import FrameError

MOST_WINDOWED = 20_000_000  # rows of all windows of a sample; those of a client are 1,000 windows of 10,000 at most


@dataclass(frozen=True)
class Material:
    """``rows`` to try the model on (the sample, else the one example row of the schema), in the signature's order.

    ``answers`` are the notebook's on these rows, None when it sent none. Of a model that answers windows, ``rows``
    holds the windows of the sample one after the other, of ``rows_each`` rows each, with one answer for each.
    """

    rows: Table
    answers: Table | None
    rows_each: int = 1


class Unusable(BoucleError):
    """An artifact is there but is not what the manifest says."""

    code = "unusable-artifact"


def gather(artifacts: Artifacts, manifest: Manifest) -> tuple[Check, Material]:
    """Return the Check ``artifacts`` and the rows and answers read from them.

    Raises StepFailed naming each artifact that is missing or changed, BoucleError for one that cannot be read.
    """
    named = _named(manifest)
    problems = [problem for name, artifact in named for problem in _problems(artifacts, name, artifact)]
    problems += [_("the module path {path} leaves its folder").format(path=shown(path)) for path in _escaping(manifest)]
    evidence = {"artifacts": len(named), "bytes": sum(artifact.size_bytes for _name, artifact in named)}
    expected = _("every artifact there, with its size and sha256")
    if problems:
        advice = _("Nothing was changed by this. Deploy the model again: what is missing or changed is sent anew.")
        raise StepFailed(Check("artifacts", "fail", "; ".join(problems[:5]), expected, advice, evidence))
    material = _read(artifacts, manifest)
    evidence["sample_rows"] = material.rows.n_rows // material.rows_each
    observed = _("{n} artifacts, {size:.1f} MB, all with the right sha256; a sample of {rows} row(s)")
    if manifest.schema.window is not None:
        observed = _("{n} artifacts, {size:.1f} MB, all with the right sha256; a sample of {rows} window(s)")
    observed = observed.format(n=len(named), size=evidence["bytes"] / 1e6, rows=evidence["sample_rows"])
    return Check("artifacts", "pass", observed, expected, evidence=evidence), material


def _named(manifest: Manifest) -> list[tuple[str, Artifact]]:
    single = [
        ("model", manifest.model),
        ("sample", manifest.sample),
        ("answers", manifest.answers),
        ("reference", manifest.reference),
    ]
    code = [(file.path, Artifact(file.digest, file.size_bytes)) for file in manifest.code]
    return [(name, artifact) for name, artifact in single if artifact is not None] + code


def _problems(artifacts: Artifacts, name: str, artifact: Artifact) -> Iterator[str]:
    try:
        size = artifacts.size(artifact.digest)
        if size is None:
            yield _("{name} ({digest}) is missing").format(name=name[:80], digest=artifact.digest[:12])
        elif size != artifact.size_bytes:
            yield _("{name} has {found} bytes, expected {expected}").format(
                name=name[:80], found=size, expected=artifact.size_bytes
            )
        else:
            artifacts.local_path(artifact.digest)
    except BoucleError as error:
        yield f"{name[:80]}: {error}"


def _escaping(manifest: Manifest) -> Iterator[str]:
    for file in manifest.code:
        path = PurePosixPath(file.path)
        if path.is_absolute() or not path.parts or ".." in path.parts or "\\" in file.path or "\0" in file.path:
            yield file.path


def _read(artifacts: Artifacts, manifest: Manifest) -> Material:
    window = manifest.schema.window
    if window is not None:
        require_window(window, {column.name: column.type for column in manifest.schema.columns})
    rows_each = 1 if window is None else window.rows
    if manifest.sample is None:
        return Material(example_rows(manifest.schema), None, rows_each)
    rows = _table(artifacts, manifest.sample, "sample")
    names = [item.name for item in manifest.signature.inputs]
    lacking = [name for name in names if name not in rows.columns]
    if lacking or rows.n_rows == 0:
        raise Unusable(
            _("The sample has {rows} rows and lacks the columns {lacking}. Deploy the model again.").format(
                rows=rows.n_rows, lacking=shown(lacking)
            )
        )
    rows = rows.select(names)
    if window is not None:
        rows = _windows(rows, window)
    if manifest.answers is None:
        return Material(rows, None, rows_each)
    answers = _table(artifacts, manifest.answers, "answers")
    n_rows = rows.n_rows // rows_each
    if answers.n_rows != n_rows or not {"prediction", "probabilities"} & set(answers.names):
        text = _("There are {answers} answers ({columns}) to {rows} sample rows. Deploy the model again.")
        if window is not None:
            text = _("There are {answers} answers ({columns}) to {rows} sample windows. Deploy the model again.")
        raise Unusable(text.format(answers=answers.n_rows, columns=", ".join(answers.names), rows=n_rows))
    return Material(rows, answers, rows_each)


def _windows(rows: Table, window: Window) -> Table:
    """Return the windows of a sample, one after the other. Raises Unusable when there is none, or far too much."""
    if (rows.n_rows - window.rows) * window.rows > MOST_WINDOWED:
        raise Unusable(
            _(
                "The sample has {rows} rows: too many to be cut into windows of {wanted}. Deploy the model again."
            ).format(rows=rows.n_rows, wanted=window.rows)
        )
    try:
        found = sliding(rows, window)
    except InvalidRows as error:
        raise Unusable(
            _("The sample cannot be cut into windows. {cause} Deploy again with rows as callers send them.").format(
                cause=error
            )
        ) from error
    if found.n == 0:
        raise Unusable(
            _(
                "The sample has {rows} rows, and not one window of {wanted} without too large a hole. Deploy again "
                "with more rows as example."
            ).format(rows=rows.n_rows, wanted=window.rows)
        )
    return found.table


def _table(artifacts: Artifacts, artifact: Artifact, name: str) -> Table:
    try:
        return Table.from_bytes(artifacts.read(artifact.digest))
    except FrameError as error:
        raise Unusable(
            _("The {name} is no stored table: {error}. Deploy the model again.").format(name=name, error=error)
        ) from error
