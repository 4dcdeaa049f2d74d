"""Describe a fitted model as the nodes and arrays of an ONNX graph, without any ONNX library.

The platform turns the description into a file, checks it and proves it; here, inside the model's own environment,
the fitted objects are read with the standard library and the model's own numpy only.
"""

from __future__ import annotations

from boucle_worker.describe.description import Description, describe
from boucle_worker.describe.errors import Cannot

__all__ = ["Cannot", "Description", "describe"]
