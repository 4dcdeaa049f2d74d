"""Preprocessing, wired: ``series``, clean candles, and ``market``, what they are and what was mended."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node

from crypto.pipelines.fetching.nodes import stored_or_fetched
from crypto.pipelines.preprocessing.nodes import prepare_series


def create_pipeline(**_options: object) -> Pipeline:
    """Return the pipeline, to run after fetching."""
    inputs = ["candles", "source", "params:preprocessing"]
    return Pipeline([node(prepare_series, inputs, ["series", "market"], name="prepare_series")])


def create_pipeline_alone() -> Pipeline:
    """Return the pipeline with its candles, stored or fetched."""
    candles = node(stored_or_fetched, "params:fetching", ["candles", "source"], name="stored_or_fetched")
    return Pipeline([candles]) + create_pipeline()
