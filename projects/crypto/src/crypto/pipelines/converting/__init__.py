"""Converting: the forecaster becomes one ONNX graph that is proven to answer as it does."""

from crypto.pipelines.converting.pipeline import create_pipeline

__all__ = ["create_pipeline"]
