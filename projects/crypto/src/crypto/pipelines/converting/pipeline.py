"""Converting, wired: ``onnx_model``, the bytes of data/model.onnx, and ``report``, training's with the parity."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node

from crypto.pipelines.converting.nodes import convert_forecaster, windows_to_compare


def create_pipeline(**_options: object) -> Pipeline:
    """Return the pipeline, to run after training."""
    windows = node(windows_to_compare, ["series", "market", "parameters"], "windows", name="windows_to_compare")
    inputs = ["forecaster", "training_report", "windows", "parameters"]
    return Pipeline([windows, node(convert_forecaster, inputs, ["onnx_model", "report"], name="convert_forecaster")])
