"""Training: a series becomes a forecaster that has been judged."""

from crypto.pipelines.training.pipeline import create_pipeline

__all__ = ["create_pipeline"]
