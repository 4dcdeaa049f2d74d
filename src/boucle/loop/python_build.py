"""The build of a version that runs in Python: its own environment, its own process, its notebook's answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from boucle.core.check import Check
from boucle.core.diagnosis import Failure
from boucle.core.errors import ModelFailed
from boucle.core.i18n import _
from boucle.core.loading import load_header
from boucle.core.signature import Signature
from boucle.core.table import Table
from boucle.core.version import Artifact, Manifest, Version
from boucle.loop.conversion import Running, Trial, convert, in_python, reference_of, settle, suspects
from boucle.loop.gate import tell_gate
from boucle.loop.material import Material
from boucle.loop.ports import WorkerProcess
from boucle.loop.progress import Progress, StepFailed
from boucle.loop.smoke import smoke_check
from boucle.loop.world import BuildWorld
from boucle.packaging.contract import schema_check
from boucle.packaging.interpreter import choose_interpreter, environment_check, no_interpreter_check
from boucle.packaging.load import load_failed_check, loaded_check
from boucle.packaging.parity import unproven_check
from boucle.packaging.ports import Cannot, Predict
from boucle.packaging.raw_rows import raw_rows_check
from boucle.packaging.replay import replay, reproduce_check
from boucle.packaging.timing import measure, timing_check
from boucle.registry.model import BuildFound
from boucle.registry.routing import routed


@dataclass(frozen=True)
class Environment:
    """Where the version runs."""

    interpreter: str
    lock: Artifact
    python: Path


def build_python(progress: Progress, material: Material, world: BuildWorld) -> None:
    """Take a version through its steps to ready. Raises StepFailed at the first that fails."""
    version, manifest = progress.version, progress.version.manifest
    if manifest.schema.window is not None:
        progress.check("signature", lambda: _windows_check(manifest))
    place = progress.step("environment", lambda: _environment(world, manifest))
    log = world.log_dir / f"build-{version.name}-{version.number}.log"
    with _closed_after(world.processes(place.python, log)) as process:
        signature = progress.step("load", lambda: _load(process, version, world))
        predict = _predict(process, world.predict_timeout_s)
        probe = _predict(process, world.predict_timeout_s, is_probe=True)
        trial = Trial(manifest, material, signature, probe, reference_of(world, manifest))
        made = convert(progress, process, trial, world)
        _revive(process, version, world)
        if isinstance(made, Cannot):  # known this early, so that gateways start it beside the steps that follow
            progress.found(_found(in_python(made.reason, predict, signature), place))
        progress.check("raw-rows", lambda: _raw_rows(predict, material.rows, manifest))
        answers = progress.step("reproduce", lambda: _reproduce(predict, material, signature, world))
        running = settle(progress, made, trial, world)
        _revive(process, version, world)
        progress.found(_found(running, place))
        progress.check("suspects", lambda: suspects(made, trial))
        tell_gate(progress, manifest)
        progress.check("schema", lambda: schema_check(manifest.schema, running.signature, material.rows, answers))
        progress.check("timing", lambda: _timing(running, predict, material.rows, world))
        progress.check("smoke", lambda: smoke_check(running.predict, material.rows, manifest.schema, running.signature))
    progress.ready()


def _found(running: Running, place: Environment) -> BuildFound:
    return BuildFound(running.runtime, running.reason, place.interpreter, place.lock, running.signature, running.graph)


def _timing(running: Running, predict: Predict, rows: Table, world: BuildWorld) -> Check:
    model = measure(predict, rows, world.clock)
    if running.graph is None:
        return timing_check(model)
    return timing_check(measure(running.predict, rows, world.clock), model)


def _windows_check(manifest: Manifest) -> Check:
    """Return the failed Check ``signature`` of a model that answers windows and is no ONNX graph."""
    return Check(
        "signature",
        "fail",
        _("the model answers once for a window of rows, and came as {format}").format(format=manifest.format),
        _("an ONNX graph: only these answer windows"),
        _("Export the model together with its preparation as an ONNX graph, then deploy the file."),
    )


def _environment(world: BuildWorld, manifest: Manifest) -> tuple[Check, Environment]:
    installed = world.environments.interpreters()
    found = choose_interpreter(manifest.python, manifest.format, installed)
    if found is None:
        raise StepFailed(no_interpreter_check(manifest, installed))
    start = world.clock()
    lock = world.environments.lock(manifest.requirements, found)
    locked = world.clock()
    python = world.environments.ensure(lock, found)
    figures = {
        "requirements": len(manifest.requirements),
        "packages": sum(line[:1].isalnum() for line in lock.splitlines()),
        "lock_s": round(locked - start, 3),
        "make_s": round(world.clock() - locked, 3),
    }
    made = Environment(found, world.artifacts.write(lock.encode("utf-8")), python)
    return environment_check(manifest, found, figures), made


def _load(process: WorkerProcess, version: Version, world: BuildWorld) -> tuple[Check, Signature]:
    header = load_header(routed(version), world.artifacts.local_path)
    process.start()
    try:
        told, _columns = process.call(header, {}, world.load_timeout_s)
    except ModelFailed as error:
        raise StepFailed(load_failed_check(_failure(error, version.manifest), error.kind)) from error
    signature = version.manifest.signature
    if signature.classes is None and signature.task == "classification" and told["classes"] is not None:
        signature = replace(signature, classes=tuple(told["classes"]))
    return loaded_check(version.manifest, told), signature


def _revive(process: WorkerProcess, version: Version, world: BuildWorld) -> None:
    """Load the model again when its process was ended: a description or a probe of the platform's took too long."""
    if not process.is_alive:
        process.start()
        process.call(load_header(routed(version), world.artifacts.local_path), {}, world.load_timeout_s)


def _raw_rows(predict: Predict, rows: Table, manifest: Manifest) -> Check:
    failure = None
    try:
        predict(rows)
    except ModelFailed as error:
        failure = _failure(error, manifest)
    return raw_rows_check(rows, manifest.signature.inputs, failure)


def _reproduce(predict: Predict, material: Material, signature: Signature, world: BuildWorld) -> tuple[Check, Table]:
    if material.answers is None:
        return unproven_check("reproduce"), predict(material.rows)
    replayed = replay(predict, material.rows, material.answers, signature.task, world.clock)
    return reproduce_check(replayed), replayed.answers


def _predict(process: WorkerProcess, timeout_s: float, *, is_probe: bool = False) -> Predict:
    """Return what asks the model. Probes are rows that it may well refuse: their traces are not logged."""

    def predict(rows: Table) -> Table:
        return Table(process.call({"op": "predict", "is_probe": is_probe}, rows.columns, timeout_s)[1])

    return predict


def _failure(error: ModelFailed, manifest: Manifest) -> Failure:
    return Failure(error.error_type, str(error).removeprefix(f"{error.error_type}: "), manifest.model_class)


@contextmanager
def _closed_after(process: WorkerProcess) -> Iterator[WorkerProcess]:
    try:
        yield process
    finally:
        process.close()
