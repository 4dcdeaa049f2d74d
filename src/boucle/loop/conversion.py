"""From a fitted model to the graph that answers in its place, or to the reason why it runs in Python."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from boucle.core.check import Check
from boucle.core.errors import TooSlow, Unavailable
from boucle.core.i18n import _
from boucle.core.signature import Signature
from boucle.core.table import Table
from boucle.core.version import Artifact, Manifest, Runtime
from boucle.loop.material import Material
from boucle.loop.ports import Graph, WorkerProcess
from boucle.loop.progress import Progress
from boucle.loop.world import BuildWorld
from boucle.packaging.boundary import boundary_rows
from boucle.packaging.limits import narrowed, with_limits
from boucle.packaging.ports import Cannot, Converted, Predict
from boucle.packaging.proof import Proof, Terms, prove
from boucle.packaging.suspects import Looked, suspects_check
from boucle_worker.frames import Columns, FrameError

log = logging.getLogger(__name__)
MOST_REFERENCE = 20_000


@dataclass(frozen=True)
class Trial:
    """A model in its worker: what the notebook sent of it, its signature, and what it answers."""

    manifest: Manifest
    material: Material
    signature: Signature
    predict: Predict
    reference: Table | None = None


@dataclass(frozen=True)
class Running:
    """How a version answers: in which runtime and why, by which function; ``graph`` is its file when it has one."""

    runtime: Runtime
    reason: str
    predict: Predict
    signature: Signature
    graph: Artifact | None = None


def convert(progress: Progress, process: WorkerProcess, trial: Trial, world: BuildWorld) -> Converted | Cannot:
    """Have the worker describe the model and write its graph: the step ``convert``, which never fails a build."""

    def ask(header: dict[str, Any], columns: Columns) -> tuple[dict[str, Any], Columns]:
        return process.call(header, columns, world.predict_timeout_s)

    def work() -> tuple[Check, Converted | Cannot]:
        start = world.clock()
        try:
            made = world.converter.convert(ask, trial.signature, trial.material.rows.take(slice(0, 1)))
        except (TooSlow, Unavailable) as error:
            made = Cannot(_("its description was not told: {cause}").format(cause=error))
        return convert_check(made, world.clock() - start), made

    return progress.step("convert", work)


def settle(progress: Progress, made: Converted | Cannot, trial: Trial, world: BuildWorld) -> Running:
    """Return how the version runs: by its graph when that is proven (the step ``parity``), else in Python."""
    if isinstance(made, Cannot):
        return in_python(made.reason, trial.predict, trial.signature)
    return progress.step("parity", lambda: _settled(made, trial, world))


def _settled(made: Converted, trial: Trial, world: BuildWorld) -> tuple[Check, Running]:
    """Return the Check and how the version runs; a graph that cannot even be asked is one that is not proven."""
    try:
        return _proven(made, trial, world)
    except Exception as error:
        log.info("parity of %s", trial.manifest.model_class, exc_info=True)
        observed = _("not proven: {problem}").format(problem=str(error)[:300])
        advice = _("Nothing is wrong with the model: the version answers from its own Python environment.")
        reason = _("its graph is not proven (see parity)")
        return Check("parity", "warn", observed, advice=advice), in_python(reason, trial.predict, trial.signature)


def _proven(made: Converted, trial: Trial, world: BuildWorld) -> tuple[Check, Running]:
    """Prove the graph; one that differs far beyond the real rows only is proven, and served, within their range."""
    coding = with_limits(trial.predict, trial.material.rows, made.coding, world.clock)
    terms = Terms(trial.signature.task, is_single=made.is_single, clock=world.clock)
    made = world.converter.recoded(made, coding)
    proof, graph = _proof(made, trial, world, terms)
    if not proof.is_proven:
        within = world.converter.recoded(made, narrowed(coding, trial.material.rows))
        again, narrow = _proof(within, trial, world, replace(terms, is_narrow=True))
        if again.is_proven:
            made, proof, graph = within, again, narrow
    check = proof.check()
    if not proof.is_proven:
        return check, in_python(_("its graph is not proven (see parity)"), trial.predict, trial.signature)
    return check, Running("onnx", _reason(check), graph, made.signature, world.artifacts.write(made.file))


def _proof(made: Converted, trial: Trial, world: BuildWorld, terms: Terms) -> tuple[Proof, Predict]:
    graph, rows, reference = opened(world, made), trial.material.rows, trial.reference

    def by_graph(some: Table) -> Table:
        return Table(graph.predict(some.columns))

    groups = {"sample": rows, "generated": boundary_rows(made, rows)}
    if reference is not None and set(rows.names) <= set(reference.names):
        groups["reference"] = reference.select(rows.names)
    return prove(trial.predict, by_graph, groups, terms), by_graph


def _reason(check: Check) -> str:
    return _("parity 0 of {rows} rows, largest difference {largest:.2g}").format(
        rows=check.evidence["rows"], largest=check.evidence["largest_difference"]
    )


def in_python(reason: str, predict: Predict, signature: Signature) -> Running:
    """Return how a version runs that has no graph, or none that is proven."""
    return Running("python", _("runs in Python: {reason}").format(reason=reason), predict, signature)


def convert_check(made: Converted | Cannot, seconds: float) -> Check:
    """Return the Check ``convert``: a warning with the reason when the model has no exact graph."""
    expected = _("a graph that computes as the model does")
    if isinstance(made, Cannot):
        advice = _("Nothing is wrong: the version answers from its own Python environment, some milliseconds slower.")
        return Check("convert", "warn", _("no exact graph: {reason}").format(reason=made.reason), expected, advice)
    evidence = {
        "size_bytes": len(made.file),
        "vocabularies": len(made.coding.vocabularies),
        "marks": len(made.marks),
        "convert_s": round(seconds, 3),
    }
    observed = _("an ONNX graph of {size:.0f} kB, written in {seconds:.2g} s")
    return Check(
        "convert", "pass", observed.format(size=len(made.file) / 1000, seconds=seconds), expected, evidence=evidence
    )


def reference_of(world: BuildWorld, manifest: Manifest) -> Table | None:
    """Return up to 20,000 rows of the reference with the target, drawn with a fixed seed; None when none was sent."""
    if manifest.reference is None:
        return None
    try:
        rows = Table.from_bytes(world.artifacts.read(manifest.reference.digest))
    except FrameError:
        return None  # no table: the model itself does without it
    drawn = np.random.default_rng(0).permutation(rows.n_rows)[:MOST_REFERENCE]
    return rows.take(np.sort(drawn))


def suspects(made: Converted | Cannot, trial: Trial) -> Check:
    """Return the Check ``suspects`` of the rows that the notebook sent. It never fails a build."""
    manifest, rows = trial.manifest, trial.material.rows
    reference = (
        rows if trial.reference is None or not set(rows.names) <= set(trial.reference.names) else trial.reference
    )
    graph = made if isinstance(made, Converted) else None
    return suspects_check(Looked(reference, rows, manifest.target), graph)


def opened(world: BuildWorld, made: Converted) -> Graph:
    """Return the graph, loaded."""
    graph = world.graphs.open(made.file, made.signature)
    graph.load()
    return graph
