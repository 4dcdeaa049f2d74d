"""Columns of pandas categories: XGBoost and LightGBM take the codes of the categories, not their names."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable, List, Tuple

import numpy as np

from boucle_worker.describe.frame import Frame, Part

Code = Callable[[int, Any], Any]
"""Codes of a Series of categories, float64 ``(n,)`` with NaN for missing ones, after its place among such."""


def coded(rows: Frame, code: Code) -> Tuple[Frame, List[int]]:
    """Return a frame whose columns of categories hold codes, and the places of these columns."""
    places = [place for place, part in enumerate(rows.parts) if _is_category(rows, part, place)]
    if not places:
        return rows, places
    parts = [replace(p, dtype=np.dtype(np.float64)) if i in places else p for i, p in enumerate(rows.parts)]
    probes = {source: _replaced(container, places, code) for source, container in rows.probes.items()}
    return Frame(parts, probes, rows.codes), places


def _is_category(rows: Frame, part: Part, place: int) -> bool:
    container = rows.probes.get(str(part.source))
    if part.value is not None or not hasattr(container, "iloc"):
        return False
    return hasattr(container.iloc[:, place], "cat")  # type: ignore[union-attr]  # it is a DataFrame


def _replaced(container: Any, places: List[int], code: Code) -> Any:
    """Return a DataFrame with codes at some places; its columns are named by their place."""
    columns = {j: container.iloc[:, j] for j in range(container.shape[1])}
    columns.update({j: code(nth, columns[j]) for nth, j in enumerate(places)})
    return type(container)(columns)
