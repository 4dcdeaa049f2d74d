"""Small tables of answers and rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from boucle.core.table import Column, Table


def floats(values: Sequence[float]) -> Column:
    return Column("float", np.array(values, dtype=np.float64))


def texts(values: Sequence[str | None]) -> Column:
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return Column("text", out)


def matrix(values: Sequence[Sequence[float]]) -> Column:
    return Column("matrix", np.array(values, dtype=np.float64))


def answers(**columns: Any) -> Table:
    return Table(columns)
