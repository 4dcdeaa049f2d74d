"""The sample of a window model: a series of rows whose sliding windows are answered one by one.

``core.window.sliding`` cuts windows; here they are only counted, by the same rule, so that a table of any length
costs no copies.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Optional

import numpy as np

from boucle.client.capture.answers import MAX_SAMPLE
from boucle.core.errors import InvalidRequest
from boucle.core.i18n import _
from boucle.core.table import Table, cells, concat
from boucle.core.window import Window, sliding

MAX_CELLS = 2_000_000  # of one column in all windows of the sample: wide windows come in smaller numbers


@dataclass(frozen=True, eq=False)
class SeriesSample:
    """``table``: the rows, group after group, each in order; ``answers``: the position of the answer to each window."""

    table: Table
    answers: Any


@dataclass(frozen=True, eq=False)
class _Group:
    """``positions`` of its rows in the table, in order; ``places``: where each stands once holes are filled;
    ``starts``: the places where a whole window begins."""

    positions: Any
    places: Any
    starts: Any

    def windows_from(self, row: int) -> int:
        """Return how many windows begin at a row or later."""
        return len(self.starts) - int(np.searchsorted(self.starts, self.places[row]))

    def first_row(self, most_windows: int, most_rows: int) -> int:
        """Return the first row from which at most so many windows begin, of the last rows where those have any."""
        beginning = len(self.starts) - np.searchsorted(self.starts, self.places)
        first = int(np.argmax(beginning <= most_windows))
        late = max(first, len(self.positions) - most_rows)
        return late if self.windows_from(late) else first


def series_sample(table: Table, window: Window, n_answers: Optional[int] = None) -> SeriesSample:
    """Return the newest rows whose sliding windows are answered: at most 1,000 windows, shared by the groups.

    ``n_answers``: answers are given for that many of the last windows of the table; None when none are.
    Raises InvalidRequest when the table has no whole window or fewer than answers, InvalidRows for rows that are
    no series.
    """
    keys = table.select([name for name in (window.order_by, window.group_by) if name is not None])
    sliding(keys, replace(window, rows=table.n_rows + 1, step=None, fill={}))  # refuses two rows at one time
    groups = list(_groups(table, window))
    total = sum(len(group.starts) for group in groups)
    _require_windows(table, window, total, n_answers)
    covered = list(_covered(groups, total if n_answers is None else n_answers))
    most = max(1, min(MAX_SAMPLE, MAX_CELLS // window.rows))
    share = max(1, most // max(1, len(covered)))
    parts, answers = [], []
    for group, n_covered, stop in covered[-most:]:
        row = group.first_row(min(n_covered, share), share - 1 + window.rows)
        n_windows = group.windows_from(row)
        if n_windows:
            parts.append(table.take(group.positions[row:]))
            answers.append(np.arange(stop - n_windows, stop))
    if not parts:
        raise _unusual(_("The answers are to windows that begin in a hole of the example. Give more of them."))
    sample = concat(parts)
    sliding(sample.select(keys.names), replace(window, fill={}))  # refuses a time between the steps
    return SeriesSample(sample, np.concatenate(answers))


def newest_rows(table: Table, window: Window, most: int) -> Table:
    """Return the rows with the largest ``order_by``, at most so many, as they stood."""
    order = table.columns[window.order_by].values
    return table.take(np.sort(np.argsort(order, kind="stable")[-most:]))


def _covered(groups: list[_Group], n_answers: int) -> Iterator[tuple[_Group, int, int]]:
    """Yield each group that has answers: how many of its last windows, and the position after their last answer."""
    stop = n_answers - sum(len(group.starts) for group in groups)
    for group in groups:
        start, stop = stop, stop + len(group.starts)
        if stop > max(start, 0):
            yield group, stop - max(start, 0), stop


def _groups(table: Table, window: Window) -> Iterator[_Group]:
    order = table.columns[window.order_by]
    times = order.values.view(np.int64) if order.kind == "datetime" else order.values
    for members in _members(table, window):
        positions = members[np.argsort(times[members], kind="stable")]
        if window.step is None:
            yield _Group(positions, np.arange(len(positions)), np.arange(len(positions) - window.rows + 1))
            continue
        step = window.step * 1_000_000 if order.kind == "datetime" else window.step
        steps = np.rint(np.diff(times[positions]) / step).clip(1, window.rows + 1).astype(np.int64)
        yield _regular(positions, steps, window)


def _members(table: Table, window: Window) -> Iterator[Any]:
    if window.group_by is None:
        if table.n_rows:
            yield np.arange(table.n_rows)
        return
    found: dict[Any, list[int]] = {}
    for position, key in enumerate(cells(table.columns[window.group_by])):
        found.setdefault(key, []).append(position)
    for positions in found.values():
        yield np.array(positions)


def _regular(positions: Any, steps: Any, window: Window) -> _Group:
    """Return a group whose rows are so many steps apart: a window lacks no more rows than may be filled, nor does it
    hold any of a longer hole."""
    most = window.most_filled if window.gaps == "fill" else 0
    is_joined = steps <= most + 1
    places = np.append(0, np.cumsum(np.where(is_joined, steps, 1)))
    stretch = np.append(0, np.cumsum(~is_joined))
    starts = np.arange(places[-1] - window.rows + 2)
    stops = np.searchsorted(places, starts + window.rows)
    n_there = stops - np.searchsorted(places, starts)
    first = np.searchsorted(places, starts, side="right") - 1
    is_whole = (stretch[first] == stretch[stops - 1]) & (window.rows - n_there <= most)
    return _Group(positions, places, starts[is_whole])


def _require_windows(table: Table, window: Window, total: int, n_answers: Optional[int]) -> None:
    if total == 0:
        raise _unusual(
            _("The example has {found} rows and no whole window: give at least {n} consecutive rows.").format(
                found=table.n_rows, n=window.rows
            )
        )
    if n_answers is not None and not 1 <= n_answers <= total:
        raise _unusual(
            _(
                "There are {n} answers, but the example has {total} windows of {rows} rows. Expected one answer for "
                "each of the last windows: predictions of shape (n,), n from 1 to {total}."
            ).format(n=n_answers, total=total, rows=window.rows)
        )


def _unusual(text: str) -> InvalidRequest:
    return InvalidRequest("unusual-rows", text)
