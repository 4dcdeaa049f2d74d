"""The build of a version that is an ONNX file: seen to be whole, mapped to its columns, compared with its notebook."""

from __future__ import annotations

from dataclasses import dataclass

from boucle.core.check import Check
from boucle.core.i18n import _
from boucle.core.signature import Signature
from boucle.core.table import Table
from boucle.core.version import Manifest
from boucle.loop.gate import tell_gate
from boucle.loop.material import Material
from boucle.loop.ports import Graph
from boucle.loop.progress import Progress, StepFailed
from boucle.loop.smoke import smoke_check
from boucle.loop.world import BuildWorld
from boucle.packaging.comparison import PARITY, compare, of_windows
from boucle.packaging.contract import schema_check
from boucle.packaging.graph import CannotFeed, GraphFacts, answered, fed
from boucle.packaging.graph_checks import cannot_feed_check, nameless_check, onnx_check, signature_check
from boucle.packaging.graph_windows import fed_windows
from boucle.packaging.parity import parity_check, unproven_check
from boucle.packaging.ports import Predict
from boucle.packaging.timing import Timing, measure, timing_check
from boucle.registry.model import BuildFound


@dataclass(frozen=True)
class Fed:
    """The graph with its completed signature, and what it answered to the rows."""

    signature: Signature
    predict: Predict
    answers: Table


def build_onnx(progress: Progress, material: Material, world: BuildWorld) -> None:
    """Take a version through its steps to ready. Raises StepFailed at the first that fails."""
    manifest = progress.version.manifest
    model, facts = progress.step("onnx", lambda: _inspected(world, manifest.model.digest))
    made = progress.step("signature", lambda: _fed(world, (model, facts), material, manifest))
    reason = _("runs in the gateway: it came as an ONNX file")
    progress.found(BuildFound("onnx", reason, signature=made.signature))
    progress.check("parity", lambda: _parity(made, material, manifest))
    tell_gate(progress, manifest)
    progress.check("schema", lambda: schema_check(manifest.schema, made.signature, material.rows, made.answers))
    progress.check("timing", lambda: timing_check(_measured(made, material, world)))
    progress.check("smoke", lambda: smoke_check(made.predict, material.rows, manifest.schema, made.signature))
    progress.ready()


def _inspected(world: BuildWorld, digest: str) -> tuple[Check, tuple[bytes, GraphFacts]]:
    model = world.artifacts.read(digest)
    facts = world.graphs.inspect(model)
    return onnx_check(facts, len(model)), (model, facts)


def _fed(
    world: BuildWorld, inspected: tuple[bytes, GraphFacts], material: Material, manifest: Manifest
) -> tuple[Check, Fed]:
    (model, facts), window = inspected, manifest.schema.window
    try:
        declared = manifest.signature
        signature = fed(declared, facts) if window is None else fed_windows(declared, facts, window)
    except CannotFeed as error:
        raise StepFailed(cannot_feed_check(error)) from error
    graph = _opened(world, model, signature)
    answers = Table(graph.predict(material.rows.columns))
    completed = answered(signature, facts, answers)
    if completed.classes != signature.classes:
        graph = _opened(world, model, completed)
        answers = Table(graph.predict(material.rows.columns))
    if completed.probabilities and completed.classes is None:
        raise StepFailed(nameless_check(answers.columns["probabilities"].values.shape[1]))

    def predict(rows: Table) -> Table:
        return Table(graph.predict(rows.columns))

    return signature_check(completed), Fed(completed, predict, answers)


def _opened(world: BuildWorld, model: bytes, signature: Signature) -> Graph:
    graph = world.graphs.open(model, signature)
    graph.load()
    return graph


def _measured(made: Fed, material: Material, world: BuildWorld) -> Timing:
    return measure(made.predict, material.rows, world.clock, material.rows_each)


def _parity(made: Fed, material: Material, manifest: Manifest) -> Check:
    if material.answers is None:
        return unproven_check("parity")
    tolerance = PARITY if manifest.schema.window is None else of_windows(material.answers)
    compared = compare(made.answers, material.answers, made.signature.task, tolerance)
    return parity_check(compared, made.answers, material.answers, tolerance)
