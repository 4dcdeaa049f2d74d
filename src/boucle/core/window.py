"""Window: a model that answers once for many rows, as forecasters do; and how rows become windows.

One rule for requests, builds and pages: rows are put in order, holes are refused or filled as the schema says, and
what remains is cut into windows. Pure functions of tables, so that the gateway and the build cannot differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, Optional

import numpy as np

from boucle.core.errors import InvalidRequest, InvalidRows, RowProblem, shown
from boucle.core.i18n import _
from boucle.core.table import Column, Table, cells, concat, missing_mask

Gaps = Literal["refuse", "fill"]


@dataclass(frozen=True)
class Window:
    """One answer for the newest ``rows`` rows of each group (of all rows without ``group_by``).

    ``order_by`` is a column of dates or numbers that puts rows in order. ``step`` is the distance from row to row
    (seconds for dates, else the column's own unit); None means that neighbours are neighbours whatever lies between,
    as with markets that close. Where a step is stated, a hole is refused or, with ``gaps="fill"``, filled with
    at most ``most_filled`` rows a window: each column takes the last value of the column that ``fill`` names for
    it, of itself when none is named.

    >>> Window(120, "timestamp", step=3600, gaps="fill", fill={"open": "close"}, most_filled=6).rows
    120
    """

    rows: int
    order_by: str
    group_by: Optional[str] = None
    step: Optional[float] = None
    gaps: Gaps = "refuse"
    fill: dict[str, str] = field(default_factory=dict)
    most_filled: int = 0


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows one after the other: ``table`` has ``n * window.rows`` rows.

    ``groups`` are the groups that the windows belong to, as JSON values, one for each window; None without groups.
    """

    table: Table
    n: int
    groups: Optional[tuple[Any, ...]] = None


def require_window(window: Window, kinds: dict[str, str]) -> None:
    """Raise InvalidRequest unless the window can be cut from columns of these kinds."""
    for role, name in (("order_by", window.order_by), ("group_by", window.group_by)):
        if name is not None and name not in kinds:
            raise _unusual(
                _("{role} names the column {name}, which is not there. Columns: {there}").format(
                    role=role, name=shown(name), there=shown(list(kinds))
                )
            )
    if kinds[window.order_by] not in ("datetime", "int", "float"):
        raise _unusual(
            _("order_by needs a column of dates or numbers; {name} is {kind}.").format(
                name=shown(window.order_by), kind=kinds[window.order_by]
            )
        )
    if not 1 <= window.rows <= 100_000:
        raise _unusual(_("A window has 1 to 100,000 rows, not {rows}.").format(rows=window.rows))
    if window.gaps not in ("refuse", "fill"):
        raise _unusual(_("gaps is {found}, expected refuse or fill.").format(found=shown(window.gaps)))
    if window.step is not None and not window.step > 0:
        raise _unusual(_("The step of a window is above 0, not {step}.").format(step=window.step))
    if window.gaps == "fill" and (window.step is None or window.most_filled < 1):
        raise _unusual(_("To fill holes, give the step from row to row and most_filled, the most rows to fill."))
    strangers = sorted({*window.fill, *window.fill.values()} - set(kinds))
    if strangers:
        raise _unusual(_("fill names columns that are not there: {names}").format(names=shown(strangers)))


def newest(table: Table, window: Window) -> Windows:
    """Return the newest window of each group, groups in the order in which they first come.

    Raises InvalidRows: too few rows, two rows at one time, a time between the steps, a hole that may not be filled.
    """
    found = [(key, _newest(series, positions, window)) for key, series, positions in _series(table, window)]
    return _joined(found, window)


def sliding(table: Table, window: Window) -> Windows:
    """Return every window of neighbouring rows, in order, group after group; those with too large a hole are left out.

    Without holes a group of ``n`` rows has ``n - window.rows + 1`` windows. Raises InvalidRows for two rows at one
    time or a time between the steps.
    """
    found = []
    for key, series, positions in _series(table, window):
        whole, is_filled = _regular(series, positions, window, whole=True)
        counts = np.concatenate([[0], np.cumsum(is_filled)])
        starts = np.arange(max(0, whole.n_rows - window.rows + 1))
        most = window.most_filled if window.gaps == "fill" else 0
        usable = starts[counts[starts + window.rows] - counts[starts] <= most]
        found += [(key, whole.take(slice(start, start + window.rows))) for start in usable.tolist()]
    return _joined(found, window)


Found = list[tuple[Any, Table]]


def _joined(found: Found, window: Window) -> Windows:
    groups = None if window.group_by is None else tuple(key for key, _table in found)
    if not found:
        return Windows(Table({}), 0, groups)
    return Windows(concat([table for _key, table in found]), len(found), groups)


def _series(table: Table, window: Window) -> Iterator[tuple[Any, Table, Any]]:
    """Yield each group: its key, its rows in order, and where each stood among the rows given."""
    order = table.columns[window.order_by]
    gone = np.flatnonzero(missing_mask(order))
    if len(gone):
        raise _problem("missing-value", window.order_by, int(gone[0]), _("a time or number in each row"), _("null"))
    keys = [None] * table.n_rows if window.group_by is None else cells(table.columns[window.group_by])
    places: dict[Any, list[int]] = {}
    for position, key in enumerate(keys):
        places.setdefault(key, []).append(position)
    for key, listed in places.items():
        positions = np.array(listed)
        positions = positions[np.argsort(order.values[positions], kind="stable")]
        yield key, table.take(positions), positions


def _newest(series: Table, positions: Any, window: Window) -> Table:
    whole, is_filled = _regular(series, positions, window, whole=False)
    if whole.n_rows < window.rows:
        expected = _("at least {n} rows for one answer").format(n=window.rows)
        raise _problem("too-few-rows", window.order_by, None, expected, _("{n} rows").format(n=whole.n_rows))
    n_filled = int(is_filled[-window.rows :].sum())
    if n_filled > window.most_filled:
        expected = _("at most {n} rows missing in a window").format(n=window.most_filled)
        raise _problem("hole", window.order_by, None, expected, _("{n} missing").format(n=n_filled))
    return whole.take(slice(whole.n_rows - window.rows, None))


def _regular(series: Table, positions: Any, window: Window, *, whole: bool) -> tuple[Table, Any]:
    """Return the rows with holes filled, and which were; ``whole`` fills every hole, to be left out later."""
    order = series.columns[window.order_by]
    times = order.values.view(np.int64) if order.kind == "datetime" else order.values
    gaps = np.diff(times)
    same = np.flatnonzero(gaps == 0)
    if len(same):
        row = int(positions[same[0] + 1])
        expected = _("one row at each time")
        raise _problem("duplicate-row", window.order_by, row, expected, _told(series, window, int(same[0])))
    if window.step is None or series.n_rows < 2:
        return series, np.zeros(series.n_rows, bool)
    step = window.step * 1_000_000 if order.kind == "datetime" else window.step
    steps = np.rint(gaps / step).astype(np.int64)
    off = np.flatnonzero((steps < 1) | (np.abs(gaps - steps * step) > 1e-9 * step))
    if len(off):
        row, expected = int(positions[off[0] + 1]), _("a row each {step:g}").format(step=window.step)
        raise _problem("off-step", window.order_by, row, expected, _told(series, window, int(off[0]) + 1))
    return _filled(series, positions, steps, window, whole=whole)


def _filled(series: Table, positions: Any, steps: Any, window: Window, *, whole: bool) -> tuple[Table, Any]:
    first = _first_needed(steps, window)
    holes = np.flatnonzero(steps > 1)
    if not whole:
        holes = holes[holes >= first]
    largest = window.rows if whole else window.most_filled
    too_large = holes[steps[holes] - 1 > largest]
    if not whole and len(holes) and (window.gaps == "refuse" or len(too_large)):
        at = int(holes[0] if window.gaps == "refuse" else too_large[0])
        expected = (
            _("no hole inside the window")
            if window.gaps == "refuse"
            else _("no hole of over {n} rows").format(n=window.most_filled)
        )
        found = _("{n} rows missing after {time}").format(n=int(steps[at]) - 1, time=_told(series, window, at))
        raise _problem("hole", window.order_by, int(positions[at + 1]), expected, found)
    counts = np.ones(series.n_rows, dtype=np.int64)
    counts[holes] = np.minimum(steps[holes], largest + 1)
    source = np.repeat(np.arange(series.n_rows), counts)
    is_filled = np.concatenate([[False], source[1:] == source[:-1]])
    return _carried(series, source, is_filled, window), is_filled


def _first_needed(steps: Any, window: Window) -> int:
    """Return the first gap that lies inside the newest window."""
    back = np.cumsum(steps[::-1])
    inside = int(np.searchsorted(back, window.rows - 1, side="left")) + 1
    return max(0, len(steps) - inside)


def _carried(series: Table, source: Any, is_filled: Any, window: Window) -> Table:
    """Return rows with each filled one made from the last that was there."""
    if not is_filled.any():
        return series.take(source)
    columns = {}
    for name, column in series.columns.items():
        own = Table({name: column}).take(source).columns[name]
        filler = series.columns[window.fill.get(name, name)]
        if name == window.order_by:
            columns[name] = _stepped(own, is_filled, window)
        else:
            columns[name] = _mixed(own, Table({name: filler}).take(source).columns[name], is_filled)
    return Table(columns)


def _stepped(times: Column, is_filled: Any, window: Window) -> Column:
    run = np.arange(len(is_filled)) - np.maximum.accumulate(np.where(is_filled, 0, np.arange(len(is_filled))))
    if times.kind == "datetime":
        added = (run * round((window.step or 0) * 1_000_000)).astype("timedelta64[us]")
        return Column(times.kind, times.values + added, times.missing)
    return Column(times.kind, (times.values + run * (window.step or 0)).astype(times.values.dtype), times.missing)


def _mixed(own: Column, filler: Column, is_filled: Any) -> Column:
    missing = None
    if own.missing is not None or filler.missing is not None:
        missing = np.where(is_filled, missing_mask(filler), missing_mask(own))
    return Column(own.kind, np.where(is_filled, filler.values, own.values).astype(own.values.dtype), missing)


def _told(series: Table, window: Window, position: int) -> str:
    return str(cells(series.take(slice(position, position + 1)).columns[window.order_by])[0])


def _problem(code: str, column: str, row: Optional[int], expected: str, found: str) -> InvalidRows:
    where = "" if row is None else _("Row {row}: ").format(row=row)
    text = where + _("column '{column}': expected {expected}, found {found}.").format(
        column=column[:80], expected=expected, found=found
    )
    return InvalidRows([RowProblem(code, column, text, row, expected)], 1)


def _unusual(text: str) -> InvalidRequest:
    return InvalidRequest("unusual-window", text)
