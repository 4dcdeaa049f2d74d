"""Exporting, wired: ``deployed``, what boucle made of the graph; then the working files go."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node

from crypto.pipelines.exporting.nodes import clean_files, make_proof, upload_files


def create_pipeline(**_options: object) -> Pipeline:
    """Return the pipeline, to run after converting."""
    made = node(make_proof, ["forecaster", "series", "market", "parameters"], "proof", name="make_proof")
    inputs = ["onnx_model", "report", "proof", "parameters"]
    return Pipeline(
        [
            made,
            node(upload_files, inputs, "deployed", name="upload_files"),
            node(clean_files, ["deployed", "parameters"], None, name="clean_files"),
        ]
    )
