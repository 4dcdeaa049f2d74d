"""The steps of one build: each runs, is timed, and is told to the registry as it ends.

A build that was killed starts over. What it told before stays told: a step that comes out as it did is not told
twice, so that whoever follows the build by index misses nothing and sees nothing double.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from boucle.core.check import Check
from boucle.core.errors import BoucleError, EnvironmentFailed, InvalidRows, ModelFailed, TooSlow, Unavailable
from boucle.core.i18n import _
from boucle.core.version import Version
from boucle.registry.model import BuildFound
from boucle.registry.registry import Registry

T = TypeVar("T")
KILLED = 137  # the exit status of a process that was killed
log = logging.getLogger(__name__)


class StepFailed(Exception):
    """A step failed; its Check is told. Nothing after it runs."""

    def __init__(self, check: Check) -> None:
        self.check = check
        super().__init__(check.observed)


@dataclass
class Progress:
    """Tells the registry how the build of ``version`` goes.

    ``ensure_held`` raises LeaseLost when another runner took the job; nothing is told then. ``crash_at`` names a
    step to die in, right before it is told (crash tests only).
    """

    registry: Registry
    version: Version
    clock: Callable[[], float]
    ensure_held: Callable[[], None]
    crash_at: str | None = None
    told: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.told.update({check.name: check.status for check in self.version.checks})

    def step(self, name: str, work: Callable[[], tuple[Check, T]]) -> T:
        """Run one step, tell its Check and return what it made.

        Raises StepFailed when the Check fails. ``work`` may raise StepFailed itself; whatever else it raises
        becomes a failed Check too.
        """
        start = self.clock()
        try:
            check, made = work()
            if check.is_failed:
                raise StepFailed(check)
        except Exception as error:
            log.info("step %s of %s version %d", name, self.version.name, self.version.number, exc_info=True)
            failed = error.check if isinstance(error, StepFailed) else _failed(name, error)
            self._tell(failed, self.clock() - start)
            raise StepFailed(failed) from error
        self._tell(check, self.clock() - start)
        return made

    def check(self, name: str, work: Callable[[], Check]) -> None:
        """Run a step that makes nothing but its Check."""
        self.step(name, lambda: (work(), None))

    def found(self, found: BuildFound) -> None:
        """Tell how the version runs; gateways load it from now on."""
        self._may_tell("found")
        self.registry.found(self.version.name, self.version.number, found)

    def ready(self) -> None:
        """End the build well."""
        self._may_tell("ready")
        self.registry.mark_ready(self.version.name, self.version.number)

    def failed(self, check: Check) -> None:
        """End the build badly."""
        self._may_tell("failed")
        self.registry.mark_failed(self.version.name, self.version.number, f"{check.name}: {check.observed}")

    def _tell(self, check: Check, seconds: float) -> None:
        self._may_tell(check.name)
        if self.told.get(check.name) == check.status:
            return
        timed = replace(check, evidence={**check.evidence, "seconds": round(seconds, 3)})
        self.registry.add_check(self.version.name, self.version.number, timed)
        self.told[check.name] = check.status

    def _may_tell(self, name: str) -> None:
        if self.crash_at == name:
            os._exit(KILLED)
        self.ensure_held()


def _failed(name: str, error: Exception) -> Check:
    """Return the Check of a step that raised: what it said, and the cure that is known."""
    if isinstance(error, BoucleError):
        return Check(name, "fail", str(error), advice=_cure(error), evidence={"error": error.code})
    return Check(
        name,
        "fail",
        _("the platform failed: {type}: {message}").format(type=type(error).__name__, message=str(error)[:300]),
        advice=_("This is no fault of the model. The log of the worker has the trace; deploy again once it is cured."),
        evidence={"error": type(error).__name__},
    )


def _cure(error: BoucleError) -> str:
    """Return the cure of an error that does not say it itself."""
    if isinstance(error, EnvironmentFailed):
        return _("Name exact versions that the server can install with requirements=[...], then deploy again.")
    if isinstance(error, (ModelFailed, TooSlow, Unavailable)):
        return _("Call the model on the example in a fresh kernel: there it raises, hangs or dies too. Then cure it.")
    if isinstance(error, InvalidRows):
        return _("Deploy again with an example of rows as callers send them, without what this refuses.")
    return ""
