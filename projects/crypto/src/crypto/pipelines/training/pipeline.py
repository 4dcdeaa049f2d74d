"""Training, wired: ``forecaster``, a torch module from raw candles to close and interval, and ``training_report``."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node

from crypto.pipelines.training.nodes import train_forecaster


def create_pipeline(**_options: object) -> Pipeline:
    """Return the pipeline, to run after preprocessing."""
    inputs = ["series", "market", "parameters"]
    return Pipeline([node(train_forecaster, inputs, ["forecaster", "training_report"], name="train_forecaster")])
