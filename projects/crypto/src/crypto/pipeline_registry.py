"""The pipelines by their names, each runnable alone; all five make a forecaster from candles."""

from __future__ import annotations

from kedro.framework.project import find_pipelines
from kedro.pipeline import Pipeline

from crypto.pipelines.preprocessing import create_pipeline_alone

STEPS = ("fetching", "preprocessing", "training", "converting", "exporting")


def register_pipelines() -> dict[str, Pipeline]:
    """Return each pipeline, and ``__default__``: one after the other.

    Alone, ``preprocessing`` takes the candles that ``fetching.store`` names, or fetches some; those after it read what
    the one before left under ``data/``.
    """
    found = find_pipelines(raise_errors=True)
    steps = {name: found[name] for name in STEPS if name in found}
    return {**steps, "preprocessing": create_pipeline_alone(), "__default__": sum(steps.values(), Pipeline([]))}
