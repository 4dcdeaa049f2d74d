"""Exporting: the graph becomes a version in boucle."""

from crypto.pipelines.exporting.pipeline import create_pipeline

__all__ = ["create_pipeline"]
