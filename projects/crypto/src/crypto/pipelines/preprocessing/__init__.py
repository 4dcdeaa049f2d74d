"""Preprocessing: candles become a series, by stated rules."""

from crypto.pipelines.preprocessing.pipeline import create_pipeline, create_pipeline_alone

__all__ = ["create_pipeline", "create_pipeline_alone"]
