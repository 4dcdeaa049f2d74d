"""The gate's step of a build: are the metrics within their bounds? It never fails a version; promotion asks it."""

from __future__ import annotations

from boucle.core.version import Manifest
from boucle.loop.progress import Progress
from boucle.packaging.gate import gate_check


def tell_gate(progress: Progress, manifest: Manifest) -> None:
    """Tell the Check ``gate`` of a version that has one; nothing of a version without."""
    check = gate_check(manifest)
    if check is not None:
        progress.check("gate", lambda: check)
