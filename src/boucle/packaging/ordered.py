"""Numbers in order: each double as the integer that counts it among all doubles, so that one can halve between two."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

_LOWEST = np.iinfo(np.int64).min


def float_keys(values: Any) -> Any:
    """Return the place of each double among all: neighbours differ by 1, and 0.0 has 0.

    >>> float_keys(np.array([0.0, 5e-324, -5e-324])).tolist()
    [0, 1, -1]
    """
    bits = np.ascontiguousarray(values, dtype=np.float64).view(np.int64)
    return np.where(bits >= 0, bits, _LOWEST - bits)


def floats_at(keys: Any) -> Any:
    """Return the doubles at places.

    >>> floats_at(float_keys(np.array([-1.5, 1e300]))).tolist()
    [-1.5, 1e+300]
    """
    keys = np.asarray(keys, dtype=np.int64)
    return np.where(keys >= 0, keys, _LOWEST - keys).view(np.float64)


def middles(low: Any, high: Any) -> Any:
    """Return the integers halfway, rounded down, without the overflow of a sum.

    >>> middles(np.array([-(2**63)]), np.array([2**63 - 1])).tolist()
    [-1]
    """
    return (low & high) + ((low ^ high) >> 1)


def _whole(values: Any) -> Any:
    return np.asarray(values).astype(np.int64)


KEYS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "float": (float_keys, floats_at),
    "int": (_whole, _whole),
    "datetime": (_whole, _whole),
}
"""By kind of column: from cells to places, and back."""
