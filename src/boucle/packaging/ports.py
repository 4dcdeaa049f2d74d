"""What packaging needs from outside: something that answers rows, and something that writes faithful ONNX."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from boucle.core.signature import Signature
from boucle.core.table import Table
from boucle_worker.frames import Columns

Predict = Callable[[Table], Table]
"""Rows in, answers out (columns ``prediction``, ``probabilities``, ``intervals``), in the order of the rows."""

Ask = Callable[[dict[str, Any], Columns], tuple[dict[str, Any], Columns]]
"""One request to the worker that holds the fitted model: header and columns in, header and columns out."""


@dataclass(frozen=True)
class Cannot:
    """Why a model has no faithful ONNX: a sentence for the version page, such as ``it holds a TfidfVectorizer``."""

    reason: str


class Converter(Protocol):
    """Writes the ONNX of a fitted model. It never loads the model itself: it asks the worker to describe it."""

    def convert(self, ask: Ask, signature: Signature) -> bytes | Cannot:
        """Return the bytes of a graph that answers as the model does, or why there is none."""
        ...
