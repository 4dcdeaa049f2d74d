"""What packaging needs from outside: something that answers rows, and something that writes faithful ONNX."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from boucle.core.coding import Coding
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


Inside = Callable[[Columns], Mapping[str, Any]]
"""Raw rows in, the values inside a graph at which the model changes its mind, by their names."""


@dataclass(frozen=True)
class Mark:
    """The model changes its mind when column ``column`` of the value ``value`` crosses one of ``thresholds``."""

    value: str
    column: int
    thresholds: Any


@dataclass(frozen=True)
class Converted:
    """An ONNX file that should answer as the model: what is still to be proven.

    ``signature`` tells its tensors; ``marks`` say where parity has to look, ``inside`` what the graph holds there.
    ``is_single`` is true of models that compute in single precision themselves. ``joined`` are values inside the graph
    whose columns should be of like scales, each with the estimator they reach; ``supervised`` the transformers that
    were fitted on the target.
    """

    file: bytes
    signature: Signature
    coding: Coding
    marks: tuple[Mark, ...] = ()
    inside: Inside | None = None
    is_single: bool = False
    joined: tuple[tuple[str, str], ...] = ()
    supervised: tuple[str, ...] = ()


class Converter(Protocol):
    """Writes the ONNX of a fitted model. It never loads the model itself: it asks the worker to describe it."""

    def convert(self, ask: Ask, signature: Signature, rows: Table) -> Converted | Cannot:
        """Return a graph that should answer as the model does, or why there is none. ``rows`` are a few real ones."""
        ...

    def recoded(self, made: Converted, coding: Coding) -> Converted:
        """Return the same graph with another coding: one that knows what the model refuses."""
        ...
