"""All cases of `onnx_faithful.py` by name; a drawn one is told by its recipe."""

from __future__ import annotations

from typing import Any

from onnx_drawn import case_of
from onnx_estimators import ESTIMATORS
from onnx_pipelines import FACTS, Case
from onnx_preparations import PREPARATIONS

CASES = [*FACTS, *PREPARATIONS, *ESTIMATORS]


def find(told: Any) -> Case:
    """Return the case of a name, or of a recipe. Raises StopIteration when no case bears the name."""
    if isinstance(told, dict):
        return case_of(told)
    return next(case for case in CASES if case.name == told)
