"""The build: the job that takes an uploaded version to ready, or refuses it with the cause and the cure.

Nothing that serves changes until its last step. Killed at any moment, it starts over: all that it makes
(environments, locks, checks told) is found again or made again, never half there.
"""

from __future__ import annotations

import logging

from boucle.core.check import Check
from boucle.core.errors import Conflict
from boucle.core.i18n import _
from boucle.jobs.context import JobContext
from boucle.jobs.job import Job
from boucle.loop.material import gather
from boucle.loop.onnx_build import build_onnx
from boucle.loop.progress import Progress, StepFailed
from boucle.loop.python_build import build_python
from boucle.loop.world import BuildWorld
from boucle.registry.registry import Registry

log = logging.getLogger(__name__)


def build(context: JobContext, world: BuildWorld) -> None:
    """Build the version that ``context.args`` names (``name``, ``number``). The handler of the job kind ``build``.

    Every failure of the model ends in a failed Check and a failed version. Only a failure to tell the registry is
    raised: then the job is tried again.
    """
    version = world.registry.version(context.args["name"], context.args["number"])
    if version.state != "building":
        return
    progress = Progress(world.registry, version, world.clock, context.ensure_held, world.crash_at)
    run = build_onnx if version.manifest.format == "onnx" else build_python
    try:
        material = progress.step("artifacts", lambda: gather(world.artifacts, version.manifest))
        run(progress, material, world)
    except StepFailed as failed:
        progress.failed(failed.check)
    except Conflict:  # LeaseLost among them: whoever holds the job now goes on
        log.info("the build of %s version %d was ended by another", version.name, version.number)


def end_failed_build(job: Job, error: str, registry: Registry) -> None:
    """Fail the version whose build job failed for good or was cancelled: a version never stays building for nobody.

    For the runner's ``on_failed``. Other kinds of jobs and versions that are built already are left alone.
    """
    if job.kind != "build":
        return
    name, number = job.args["name"], job.args["number"]
    version = registry.version(name, number)
    if version.state != "building" or version.job not in (None, job.id):
        return  # built already, or being built again by a later job
    observed = _("the build was ended: {error}").format(error=error)
    advice = _("The model was neither accepted nor refused, and nothing that serves was changed. Deploy it again.")
    evidence = {"job": job.id, "attempts": job.attempts}
    registry.add_check(name, number, Check("build", "fail", observed, advice=advice, evidence=evidence))
    registry.mark_failed(name, number, observed)
