"""Rows that make one answer travel together: the newest of each group, and no group in two requests."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any, Callable, Optional

import numpy as np


def needed(order: Sequence[Any], keys: Optional[Sequence[Any]], n_rows: int) -> list[list[int]]:
    """Return the positions of the newest rows of each group, ``n_rows`` at most, groups as they first come.

    ``order`` holds cells as JSON or CSV has them. Where they cannot be read here, every row is needed: the gateway
    reads them by the schema, or says what is wrong with them.

    >>> needed([3, 1, 2, 9], ["a", "a", "a", "b"], 2)
    [[0, 2], [3]]
    """
    groups: dict[Any, list[int]] = {}
    for position, key in enumerate([None] * len(order) if keys is None else keys):
        groups.setdefault(key, []).append(position)
    values = _sortable(order)
    if values is None:
        return list(groups.values())
    return [_newest(np.array(positions), values, n_rows) for positions in groups.values()]


def batches(groups: Sequence[list[int]], most: int) -> Iterator[list[list[int]]]:
    """Yield neighbouring groups of at most ``most`` rows together; a larger group comes alone.

    >>> list(batches([[0, 1], [2], [3, 4, 5]], 3))
    [[[0, 1], [2]], [[3, 4, 5]]]
    """
    batch: list[list[int]] = []
    n_rows = 0
    for group in groups:
        if batch and n_rows + len(group) > most:
            yield batch
            batch, n_rows = [], 0
        batch.append(group)
        n_rows += len(group)
    if batch:
        yield batch


def _newest(positions: Any, values: Any, n_rows: int) -> list[int]:
    in_order = positions[np.argsort(values[positions], kind="stable")]
    found: list[int] = np.sort(in_order[-n_rows:]).tolist()
    return found


def _sortable(cells: Sequence[Any]) -> Any:
    """Return numbers, or instants as microseconds, of cells that all are one or the other; else None."""
    if all(isinstance(cell, (int, float)) for cell in cells):
        return np.array(cells)
    if not all(isinstance(cell, str) for cell in cells):
        return None
    readers: tuple[Callable[[str], Any], ...] = (int, float, _instant)
    for read in readers:
        try:
            return np.array([read(cell) for cell in cells])
        except (ValueError, OverflowError):
            continue
    return None


def _instant(text: str) -> int:
    time = dt.datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith(("Z", "z")) else text)
    since = (time if time.tzinfo else time.replace(tzinfo=dt.timezone.utc)) - _EPOCH
    return since // dt.timedelta(microseconds=1)


_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)
