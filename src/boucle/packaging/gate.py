"""The gate of a version, seen: which bounds its metrics keep."""

from __future__ import annotations

from boucle.core.check import Check
from boucle.core.gate import Bound
from boucle.core.i18n import _
from boucle.core.version import Manifest
from boucle.packaging.figures import finite


def gate_check(manifest: Manifest) -> Check | None:
    """Return the Check ``gate``; None for a manifest without a gate.

    It never fails: a version that does not keep its gate is built and can be asked, only nobody promotes it but
    a person.
    """
    if manifest.gate is None:
        return None
    bounds, metrics = manifest.gate.bounds, manifest.metrics
    broken = manifest.gate.broken(metrics)
    told = "; ".join(_told(bound, metrics.get(bound.metric)) for bound in broken or bounds)
    expected = ", ".join(map(str, bounds))
    values = {bound.metric: _figure(metrics.get(bound.metric)) for bound in bounds}
    evidence = {**values, "bounds": [str(bound) for bound in bounds]}
    if not broken:
        return Check("gate", "pass", told, expected, evidence=evidence)
    advice = _("It will not be promoted by itself. Deploy a better one, or promote this one with: boucle promote")
    return Check("gate", "warn", told, expected, advice, evidence)


def _told(bound: Bound, value: float | None) -> str:
    """Return a value beside its bound, with the sign that holds between them: ``naive_ratio 12.1 > 1.005``."""
    if value is None:
        return _("{metric} was not told, expected {bound}").format(metric=bound.metric, bound=bound)
    is_upper = bound.at_most is not None
    limit = bound.at_most if is_upper else bound.at_least
    sign = ("<=" if is_upper else ">=") if bound.holds(value) else (">" if is_upper else "<")
    return f"{bound.metric} {_digits(bound, value)} {sign} {limit:g}"


def _digits(bound: Bound, value: float) -> str:
    """Return a number with as few digits as still show on which side of its bound it lies, four at least."""
    texts = (f"{value:.{digits}g}" for digits in (4, 6, 9, 12))
    return next((text for text in texts if bound.holds(float(text)) == bound.holds(value)), repr(value))


def _figure(value: float | None) -> float | None:
    return None if value is None else finite(value)
