"""The sample of a window model: a series of rows whose sliding windows are answered one by one.

Windows are counted, not cut, so that a table of any length costs no copies.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np

from boucle.client.capture.answers import MAX_SAMPLE
from boucle.core.cutting import Series, series
from boucle.core.errors import InvalidRequest
from boucle.core.i18n import _
from boucle.core.table import Table, concat
from boucle.core.window import Window

MAX_CELLS = 2_000_000  # of one column in all windows of the sample: wide windows come in smaller numbers


@dataclass(frozen=True, eq=False)
class SeriesSample:
    """``table``: the rows, group after group, each in order; ``answers``: the position of the answer to each window."""

    table: Table
    answers: Any


def series_sample(table: Table, window: Window, n_answers: Optional[int] = None) -> SeriesSample:
    """Return the newest rows whose sliding windows are answered: at most 1,000 windows, shared by the groups.

    ``n_answers``: answers are given for that many of the last windows of the table; None when none are.
    Raises InvalidRequest when the table has no whole window or fewer than answers, InvalidRows for rows that are
    no series.
    """
    groups = list(series(table, window))
    total = sum(len(group.starts) for group in groups)
    _require_windows(table, window, total, n_answers)
    covered = list(_covered(groups, total if n_answers is None else n_answers))
    most = max(1, min(MAX_SAMPLE, MAX_CELLS // window.rows))
    share = max(1, most // max(1, len(covered)))
    parts, answers = [], []
    for group, n_covered, stop in covered[-most:]:
        row = _first_row(group, min(n_covered, share), share - 1 + window.rows)
        n_windows = _windows_from(group, row)
        if n_windows:
            parts.append(table.take(group.positions[row:]))
            answers.append(np.arange(stop - n_windows, stop))
    if not parts:
        raise _unusual(_("The answers are to windows that begin in a hole of the example. Give more of them."))
    return SeriesSample(concat(parts), np.concatenate(answers))


def newest_rows(table: Table, window: Window, most: int) -> Table:
    """Return the rows with the largest ``order_by``, at most so many, as they stood."""
    order = table.columns[window.order_by].values
    return table.take(np.sort(np.argsort(order, kind="stable")[-most:]))


def _covered(groups: list[Series], n_answers: int) -> Iterator[tuple[Series, int, int]]:
    """Yield each group that has answers: how many of its last windows, and the position after their last answer."""
    stop = n_answers - sum(len(group.starts) for group in groups)
    for group in groups:
        start, stop = stop, stop + len(group.starts)
        if stop > max(start, 0):
            yield group, stop - max(start, 0), stop


def _windows_from(group: Series, row: int) -> int:
    """Return how many windows begin at a row or later."""
    return len(group.starts) - int(np.searchsorted(group.starts, group.places[row]))


def _first_row(group: Series, most_windows: int, most_rows: int) -> int:
    """Return the first row from which at most so many windows begin, of the last rows where those have any."""
    beginning = len(group.starts) - np.searchsorted(group.starts, group.places)
    first = int(np.argmax(beginning <= most_windows))
    late = max(first, len(group.positions) - most_rows)
    return late if _windows_from(group, late) else first


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
