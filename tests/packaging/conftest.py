"""A clock that moves at each look."""

from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.fixture
def clock() -> Callable[[], float]:
    """Seconds that grow by one at each look."""
    now = 0.0

    def look() -> float:
        nonlocal now
        now += 1
        return now

    return look
