"""The families of estimators that have an exact graph, one module each beside the formulas it writes."""

from __future__ import annotations

from boucle_worker.describe.families import composition, linear, preprocessing

FAMILIES = (
    composition,
    linear,
    preprocessing,
)
