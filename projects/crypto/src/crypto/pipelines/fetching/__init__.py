"""Fetching: candles from the exchange."""

from crypto.pipelines.fetching.pipeline import create_pipeline

__all__ = ["create_pipeline"]
