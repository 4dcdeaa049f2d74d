"""Fetching, wired: ``candles``, as the exchange tells them, and ``source``, what they are."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node

from crypto.pipelines.fetching.nodes import fetch_candles


def create_pipeline(**_options: object) -> Pipeline:
    """Return the pipeline."""
    return Pipeline([node(fetch_candles, "params:fetching", ["candles", "source"], name="fetch_candles")])
