"""What came of loading a model in its own environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from boucle.core.check import Check
from boucle.core.diagnosis import Failure, diagnose
from boucle.core.i18n import _
from boucle.core.version import Manifest


def loaded_check(manifest: Manifest, told: Mapping[str, Any]) -> Check:
    """Return the Check ``load`` from the worker's answer (``load_s``, ``python``, ``versions``, ``model_class``)."""
    libraries = [f"{name} {version}" for name, version in sorted(told["versions"].items())]
    observed = _("{model} loaded in {seconds:.2f} s on Python {python} with {libraries}").format(
        model=str(told["model_class"]).rpartition(".")[2],
        seconds=told["load_s"],
        python=told["python"],
        libraries=", ".join(libraries[:5]) or _("no known library"),
    )
    evidence = {
        "load_s": told["load_s"],
        "python": told["python"],
        "libraries": libraries,
        "model_class": told["model_class"],
        "format": manifest.format,
        "trusted": manifest.trusted,
    }
    return Check("load", "pass", observed, _("the model loads in its own environment"), evidence=evidence)


def load_failed_check(failure: Failure, kind: str) -> Check:
    """Return the failed Check ``load``; ``kind`` is the worker's word: ``digest import load protocol``."""
    if kind == "import" and "No module named" in failure.message:
        found = diagnose(failure, ())
        observed, advice = found.cause, found.cure
    else:
        observed = _("the model could not be loaded: {type}: {message}").format(
            type=failure.type, message=failure.message[:300]
        )
        advice = _(
            "Load it in a fresh kernel first. Then deploy again, naming the exact versions with requirements=[...] "
            "and the local modules with code=[...]."
        )
    expected = _("the model loads in its own environment")
    return Check("load", "fail", observed, expected, advice, {"error": failure.type, "kind": kind})
