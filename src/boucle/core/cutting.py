"""How rows become windows: one rule for requests, builds and pages.

Rows are put in order, holes are refused or filled as the schema says, and what remains is cut into windows. Pure
functions of tables, so that the gateway and the build cannot differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Optional

import numpy as np

from boucle.core.errors import InvalidRows, RowProblem, shown
from boucle.core.i18n import _
from boucle.core.table import Column, Table, cells, missing_mask
from boucle.core.window import Window

_MOST_STEPS = 1e15  # a hole beyond is one of so many rows, however many more there are
_MOST_TOLD = 20


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows one after the other: ``table`` has ``n * window.rows`` rows.

    ``groups`` are the groups that the windows belong to, as JSON values, one for each window; None without groups.
    """

    table: Table
    n: int
    groups: Optional[tuple[Any, ...]] = None


def newest(table: Table, window: Window) -> Windows:
    """Return the newest window of each group, groups in the order in which they first come.

    Raises InvalidRows: too few rows, two rows at one time, a time between the steps, a hole that may not be filled.
    Holes before the window are no harm.
    """
    if table.n_rows == 0:
        raise InvalidRows([_too_few(window, 0, None)], 1)
    line = _line(table, window)
    last = np.append(np.flatnonzero(line.group[1:] != line.group[:-1]), table.n_rows - 1)
    starts = line.place[last] - window.rows + 1
    _refuse_broken(line, starts, last, window)
    return _cut(table, line, starts, window)


def sliding(table: Table, window: Window) -> Windows:
    """Return every window of neighbouring rows, in order, group after group; those with too large a hole are left out.

    Without holes a group of ``n`` rows has ``n - window.rows + 1`` windows. Raises InvalidRows for two rows at one
    time or a time between the steps.
    """
    if table.n_rows == 0:
        return Windows(table, 0, None if window.group_by is None else ())
    line = _line(table, window)
    return _cut(table, line, _whole(line, window), window)


@dataclass(frozen=True, eq=False)
class Series:
    """The rows of one group. ``positions``: where each stood in the table, in order; ``places``: where it stands once
    holes are filled; ``starts``: the places where a whole window begins."""

    positions: Any
    places: Any
    starts: Any


def series(table: Table, window: Window) -> Iterator[Series]:
    """Yield each group with the windows that ``sliding`` would cut from it, uncut: for counting them in long tables.

    Raises InvalidRows as ``sliding`` does.
    """
    if table.n_rows == 0:
        return
    line = _line(table, window)
    starts = _whole(line, window)
    for rows in np.split(np.arange(table.n_rows), np.flatnonzero(np.diff(line.group)) + 1):
        places = line.place[rows]
        low, high = np.searchsorted(starts, [places[0], places[-1] + 1])
        yield Series(line.index[rows], places, starts[low:high])


def outset(row: Table, window: Window) -> Table:
    """Return one window that begins with the only row of a table and repeats it, a step on each time.

    For warming a model up: without a step, rows lie an hour, or 1, apart. Raises InvalidRows without a time.
    """
    _times(row.columns[window.order_by], window)
    stepped = window
    if window.step is None:
        stepped = replace(window, step=3600.0 if row.columns[window.order_by].kind == "datetime" else 1.0)
    ahead = np.arange(window.rows)
    repeated = row.take(np.zeros(window.rows, dtype=np.int64))
    times = _stepped(repeated.columns[window.order_by], ahead, stepped)
    return Table({**repeated.columns, window.order_by: times})


@dataclass(frozen=True, eq=False)
class _Line:
    """All rows on one line, group after group, each group in its order; every array has one entry a row.

    ``index`` is where the row stood among the rows given; ``time`` what puts it in order, as numbers; ``group`` the
    number of its group, whose name is in ``keys``; ``steps`` how far it is from the row before it. ``place`` is where
    it stands: neighbours are one apart, a hole to be filled leaves places free. ``stretch`` grows by one wherever no
    window may reach across: between groups, and at a hole that is not to be filled.
    """

    index: Any
    time: Any
    group: Any
    keys: Sequence[Any]
    steps: Any
    place: Any
    stretch: Any

    def rows_at(self, places: Any) -> Any:
        """Return the row at each place of the line: the last before it, where none stands."""
        if self.place[-1] == len(self.place) - 1:
            return places
        return np.searchsorted(self.place, places, side="right") - 1

    def n_filled(self, starts: Any, last: Any, window: Window) -> Any:
        """Return how many places are free in windows from ``starts`` whose last place follows the row ``last``."""
        return window.rows - (last - np.searchsorted(self.place, starts, side="left") + 1)


def _line(table: Table, window: Window) -> _Line:
    times = _times(table.columns[window.order_by], window)
    keys, groups = _groups(table, window)
    index = np.lexsort((times, groups))
    time, group = times[index], groups[index]
    is_same = group[1:] == group[:-1]
    with np.errstate(over="ignore"):
        gaps = np.diff(time)
    gaps = gaps if gaps.dtype.kind == "f" else gaps.view(np.uint64)  # of sorted whole numbers: never wraps
    twice = np.flatnonzero(is_same & (gaps == 0)) + 1
    _refuse(table, window, index[twice], "duplicate-row", _("one row at each time"))
    steps = np.ones(len(gaps), dtype=np.int64)
    if window.step is not None:
        is_date = table.columns[window.order_by].kind == "datetime"
        steps, is_off = _steps(time, gaps, _microseconds(window) if is_date else window.step)
        told = f"{window.step:g} s" if is_date else f"{window.step:g}"
        expected = _("a whole number of steps of {step} after the row before").format(step=told)
        _refuse(table, window, index[np.flatnonzero(is_same & is_off) + 1], "off-step", expected)
    is_joined = is_same & (steps <= _most(window) + 1)
    return _Line(
        index=index,
        time=time,
        group=group,
        keys=keys,
        steps=np.append(1, steps),
        place=np.append(0, np.cumsum(np.where(is_joined, steps, 1))),
        stretch=np.append(0, np.cumsum(~is_joined)),
    )


def _times(order: Column, window: Window) -> Any:
    """Return what puts rows in order as numbers. Raises InvalidRows where it is missing."""
    is_gone = ~np.isfinite(order.values) if order.kind == "float" else missing_mask(order)
    if is_gone.any():
        rows, expected = np.flatnonzero(is_gone), _("a time or number in each row")
        problems = [
            _problem("missing-value", window, _Where(row), expected, _("none")) for row in rows[:_MOST_TOLD].tolist()
        ]
        raise InvalidRows(problems, len(rows))
    return order.values.view(np.int64) if order.kind == "datetime" else order.values


def _groups(table: Table, window: Window) -> tuple[Sequence[Any], Any]:
    """Return the names of the groups as they first come, and the number of the group of each row."""
    if window.group_by is None:
        return (), np.zeros(table.n_rows, dtype=np.int64)
    numbers: dict[Any, int] = {}
    of_rows = [numbers.setdefault(key, len(numbers)) for key in cells(table.columns[window.group_by])]
    return tuple(numbers), np.array(of_rows, dtype=np.int64)


def _microseconds(window: Window) -> int:
    return round((window.step or 0) * 1_000_000)


def _steps(time: Any, gaps: Any, step: float) -> tuple[Any, Any]:
    """Return how many steps each gap is, and whether it lies between two steps: by more than rounding explains."""
    gaps = gaps.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        exact = np.clip(gaps / step, 0, _MOST_STEPS)
        steps = np.rint(exact).astype(np.int64)
        rounding = 1e-9 * (step + gaps)
        if time.dtype.kind == "f":
            rounding = rounding + 4 * np.finfo(np.float64).eps * np.abs(time).max()
        is_between = np.abs(gaps - steps * float(step)) > rounding
    return steps, (exact < _MOST_STEPS) & ((steps < 1) | is_between)


def _whole(line: _Line, window: Window) -> Any:
    """Return the places where a window begins that reaches across nothing and lacks no more rows than may be filled."""
    starts = np.arange(max(0, int(line.place[-1]) + 2 - window.rows))
    first, last = line.rows_at(starts), line.rows_at(starts + window.rows - 1)
    is_whole = line.stretch[first] == line.stretch[last]
    return starts[is_whole & (line.n_filled(starts, last, window) <= _most(window))]


def _most(window: Window) -> int:
    return window.most_filled if window.gaps == "fill" else 0


def _cut(table: Table, line: _Line, starts: Any, window: Window) -> Windows:
    """Return the windows that begin at these places, one after the other."""
    places = (starts[:, None] + np.arange(window.rows)).ravel()
    rows = line.rows_at(places)
    cut = table.take(line.index[rows])
    ahead = places - line.place[rows]
    if ahead.any():
        cut = _filled(cut, ahead, window)
    groups = None
    if window.group_by is not None:
        groups = tuple([line.keys[number] for number in line.group[rows[:: window.rows]].tolist()])
    return Windows(cut, len(starts), groups)


def _filled(cut: Table, ahead: Any, window: Window) -> Table:
    """Return the rows with those that stand ``ahead`` (in steps) of where they were made into filled ones."""
    columns = {}
    for name, column in cut.columns.items():
        filler = cut.columns[window.fill.get(name, name)]
        if name == window.order_by:
            columns[name] = _stepped(column, ahead, window)
        else:
            columns[name] = column if filler is column else _mixed(column, filler, ahead > 0)
    return Table(columns)


def _stepped(times: Column, ahead: Any, window: Window) -> Column:
    step = window.step or 0
    if times.kind == "datetime":
        added = (ahead * _microseconds(window)).astype("timedelta64[us]")
    else:
        added = ahead * int(step) if times.kind == "int" else ahead * step
    return Column(times.kind, times.values + added, times.missing)


def _mixed(own: Column, filler: Column, is_filled: Any) -> Column:
    given = filler.values
    if own.kind == "float" and filler.missing is not None:
        given = np.where(filler.missing, np.nan, given)
    missing = None
    if own.kind in ("int", "bool") and not (own.missing is None and filler.missing is None):
        missing = np.where(is_filled, missing_mask(filler), missing_mask(own))
    return Column(own.kind, np.where(is_filled, given, own.values).astype(own.values.dtype, copy=False), missing)


class _Where(NamedTuple):
    """What a problem is about: a row, else a group, else all rows."""

    row: Optional[int] = None
    group: Any = None


def _refuse_broken(line: _Line, starts: Any, last: Any, window: Window) -> None:
    """Raise InvalidRows for each window from ``starts`` to the row ``last`` that lacks rows or has too many holes."""
    first = np.searchsorted(line.stretch, line.stretch[last], side="left")
    is_short = starts < line.place[first]
    broken = np.flatnonzero(is_short | (line.n_filled(starts, last, window) > _most(window)))
    if not len(broken):
        return
    problems = []
    for at in broken[:_MOST_TOLD].tolist():
        row, n_rows = int(first[at]), int(last[at] - np.searchsorted(line.group, line.group[last[at]]) + 1)
        key = line.keys[line.group[last[at]]] if line.keys else None
        is_cut = last[at] - row + 1 < n_rows and n_rows >= window.rows - _most(window)
        if is_short[at] and is_cut:
            problems.append(_hole(window, int(line.index[row]), int(line.steps[row]) - 1))
        elif is_short[at]:
            problems.append(_too_few(window, n_rows, key))
        else:
            expected = _("at most {n} rows missing in a window").format(n=_most(window))
            n_filled = int(line.n_filled(starts[at], last[at], window))
            problems.append(_problem("hole", window, _Where(None, key), expected, _("{n} missing").format(n=n_filled)))
    raise InvalidRows(problems, len(broken))


def _hole(window: Window, row: int, n_missing: int) -> RowProblem:
    expected = _("no hole inside the window")
    if _most(window):
        expected = _("no hole of over {n} rows inside the window").format(n=_most(window))
    found = _("{n} missing before it").format(n=n_missing if n_missing < _MOST_STEPS - 1 else "…")
    return _problem("hole", window, _Where(row), expected, found)


def _too_few(window: Window, n_rows: int, key: Any) -> RowProblem:
    expected = _("at least {n} rows for one answer").format(n=window.rows)
    return _problem("too-few-rows", window, _Where(None, key), expected, _("{n} rows").format(n=n_rows))


def _refuse(table: Table, window: Window, rows: Any, code: str, expected: str) -> None:
    """Raise InvalidRows naming these rows, when there are any, with their times."""
    if not len(rows):
        return
    told = cells(table.select([window.order_by]).take(rows[:_MOST_TOLD]).columns[window.order_by])
    problems = [
        _problem(code, window, _Where(row), expected, str(time)) for row, time in zip(rows[:_MOST_TOLD].tolist(), told)
    ]
    raise InvalidRows(problems, len(rows))


def _problem(code: str, window: Window, where: _Where, expected: str, found: str) -> RowProblem:
    text = _("Column '{column}': expected {expected}, found {found}.")
    if where.row is not None:
        text = _("Row {row}, column '{column}': expected {expected}, found {found}.")
    elif where.group is not None:
        text = _("Group {group}, column '{column}': expected {expected}, found {found}.")
    told = text.format(
        row=where.row, group=shown(where.group), column=window.order_by[:80], expected=expected, found=found
    )
    return RowProblem(code, window.order_by, told, where.row, expected)
