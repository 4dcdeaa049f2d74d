"""Which of the installed interpreters a model runs on."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from boucle.core.check import Check
from boucle.core.i18n import _
from boucle.core.version import Manifest, ModelFormat


def minor_of(python: str) -> str:
    """Return the minor version of a full one.

    >>> minor_of("3.11.7")
    '3.11'
    """
    return ".".join(python.split(".")[:2])


def choose_interpreter(python: str, model_format: ModelFormat, installed: Collection[str]) -> str | None:
    """Return the minor version to run on, or None when none of the installed ones will do.

    cloudpickle carries bytecode, so it needs the notebook's own minor version; skops does not, so the nearest one
    serves (of two as near, the older: the exact pins of the notebook have wheels for it more often).

    >>> choose_interpreter("3.10.4", "skops", ["3.9", "3.11", "3.13"])
    '3.9'
    >>> choose_interpreter("3.10.4", "cloudpickle", ["3.9", "3.11"]) is None
    True
    """
    wanted = minor_of(python)
    if wanted in installed:
        return wanted
    if model_format == "cloudpickle":
        return None
    return min(installed, key=lambda minor: (_distance(minor, wanted), _number(minor)), default=None)


def environment_check(manifest: Manifest, interpreter: str, figures: dict[str, Any]) -> Check:
    """Return the Check ``environment`` of one that was made; ``figures`` hold ``packages``, ``lock_s``, ``make_s``."""
    wanted = minor_of(manifest.python)
    is_same = interpreter == wanted
    observed = _("Python {found} with {n} locked packages, ready in {seconds:.1f} s").format(
        found=interpreter, n=figures["packages"], seconds=figures["lock_s"] + figures["make_s"]
    )
    advice = _("Python {wanted} is not installed here, the nearest one runs instead. Install it to have the same.")
    return Check(
        "environment",
        "pass" if is_same else "warn",
        observed,
        _("Python {wanted}, as in the notebook").format(wanted=wanted),
        "" if is_same else advice.format(wanted=wanted),
        {"interpreter": interpreter, "notebook": manifest.python, **figures},
    )


def no_interpreter_check(manifest: Manifest, installed: Collection[str]) -> Check:
    """Return the failed Check ``environment`` when no interpreter will do: it lists those that are there."""
    wanted = minor_of(manifest.python)
    there = sorted(installed, key=_number)
    found = ", ".join(there) or _("none")
    if manifest.format == "cloudpickle":
        advice = _(
            "A model pickled by cloudpickle loads in its own minor version only. Install Python {wanted} on the "
            "server (uv python install {wanted}), deploy from a notebook on one of: {found}, or install skops in the "
            "notebook, whose files load in any of them."
        )
    else:
        advice = _("Install Python {wanted} on the server: uv python install {wanted}")
    return Check(
        "environment",
        "fail",
        _("Python {wanted} is not installed on the server; found: {found}").format(wanted=wanted, found=found),
        _("Python {wanted}, as in the notebook").format(wanted=wanted),
        advice.format(wanted=wanted, found=found),
        {"notebook": manifest.python, "installed": there},
    )


def _number(minor: str) -> tuple[int, ...]:
    return tuple(int(part) for part in minor.split("."))


def _distance(one: str, other: str) -> int:
    (major, minor), (major_there, minor_there) = _number(one)[:2], _number(other)[:2]
    return abs((major - major_there) * 100 + minor - minor_there)
