"""Counting rows into profiles. Each row falls into the same bins alone as among a million, so profiles can be added.

Rows are counted in chunks that fit the processor's cache, all columns of a chunk in the same few array operations:
small batches pay for a handful of calls, large ones for the search of their bins.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from boucle.core.freezing import FALSE, TRUE
from boucle.core.grid import MOST, Grid, Part
from boucle.core.profile import Profile
from boucle.core.table import Column, Table, missing_mask
from boucle.core.words import words_of

_CHUNK_ROWS = 8_192
_CHUNK_KEYS = 256
_DAY_US = 86_400_000_000
_HOUR_US = 3_600_000_000
_FIRST_WEEKDAY = 3  # 1 January 1970 was a Thursday
_NOT_A_TIME = np.iinfo(np.int64).min
_MISSING = -1
_OF_TEXTS, _OF_DATES = frozenset({"length", "unknown_words", "keywords"}), frozenset({"hour", "weekday"})


def count(grid: Grid, table: Table) -> Profile:
    """Return the profile of the rows of a table.

    NaN and infinite numbers count as missing; so do all cells of a column that the table lacks, and of one that
    holds texts where the grid has numbers. Of keywords each bin counts the rows that hold the word (``other`` and
    ``unseen``: at least one such word).

    >>> from boucle.core.grid import Part
    >>> grid = Grid((Part("age", "number", edges=(18.0,)), Part("city", "level", levels=("Lyon",))))
    >>> rows = Table({"age": Column("int", np.array([7, 41])), "city": Column("text", np.array(["Rome", None]))})
    >>> profile = count(grid, rows)
    >>> profile.counts.tolist(), profile.missing.tolist()
    ([1, 1, 0, 0, 1], [0, 1])
    """
    found = count_by(grid, table, np.zeros(table.n_rows, dtype=np.int64))
    return found[0] if found else Profile.empty(grid)


def count_by(grid: Grid, table: Table, keys: Any) -> dict[int, Profile]:
    """Return the profile of the rows of each key. ``keys`` is int64, shape ``(n_rows,)``; sorted ones are quicker."""
    keys = np.asarray(keys, dtype=np.int64)
    if len(keys) > 1 and bool((keys[1:] < keys[:-1]).any()):
        order = np.argsort(keys, kind="stable")
        keys, table = keys[order], table.take(order)
    found: dict[int, Profile] = {}
    for start, stop in _chunks(keys):
        rows = table if stop - start == len(keys) else table.take(slice(start, stop))
        for key, profile in _counted(grid, rows, keys[start:stop]):
            found[key] = found[key] + profile if key in found else profile
    return found


def level_of(value: Any) -> str:
    """Return the level of a value that is not a text: ``true``, ``3`` (of 3.0 too), ``0.5``."""
    if isinstance(value, (bool, np.bool_)):
        return TRUE if value else FALSE
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value)


def _chunks(keys: Any) -> Iterator[tuple[int, int]]:
    """Yield where the chunks of sorted keys lie: bounded in rows and in keys."""
    if len(keys) == 0:
        return
    begins = np.concatenate([[0], np.flatnonzero(keys[1:] != keys[:-1]) + 1])
    start = 0
    while start < len(keys):
        stop = min(start + _CHUNK_ROWS, len(keys))
        beyond = int(np.searchsorted(begins, start, side="right")) - 1 + _CHUNK_KEYS
        if beyond < len(begins):
            stop = min(stop, int(begins[beyond]))
        yield start, stop
        start = stop


class _Cells(NamedTuple):
    """The cells of a chunk, by part: ``bins`` and ``missing`` (n_parts, n_rows), ``values`` (n_number_parts, n_rows).

    ``bins`` tell the place in a profile's counts; ``pairs`` are the (rows, bins) of keywords, of which one row may
    hold many. ``values`` are 0 where missing.
    """

    bins: Any
    missing: Any
    values: Any
    pairs: list[tuple[Any, Any]]


def _counted(grid: Grid, table: Table, keys: Any) -> Iterator[tuple[int, Profile]]:
    """Yield key and profile of each run of equal keys."""
    begins = np.concatenate([[0], np.flatnonzero(keys[1:] != keys[:-1]) + 1])
    ends = np.append(begins[1:], len(keys))
    n_bins, nowhere = grid.n_bins, len(begins) * grid.n_bins
    cells = _read(grid, table)
    bases = np.repeat(np.arange(len(begins)) * n_bins, ends - begins)
    bins = np.where(cells.bins < 0, nowhere, cells.bins + np.array(grid.offsets[:-1], dtype=np.int64)[:, None] + bases)
    counts = np.bincount(bins.ravel(), minlength=nowhere + 1)[:-1]
    sums = np.bincount(bins[grid.numbers].ravel(), cells.values.ravel(), nowhere + 1)[:-1]
    for rows, found in cells.pairs:
        counts += np.bincount(bases[rows] + found, minlength=nowhere)
    counts, sums = (held.reshape(len(begins), n_bins) for held in (counts, sums))
    missing, squares, low, high = _moments(grid, cells, begins)
    for i, (key, n_rows) in enumerate(zip(keys[begins].tolist(), (ends - begins).tolist())):
        yield key, Profile(grid, n_rows, counts[i], sums[i], missing[i], squares[i], low[i], high[i])


def _moments(grid: Grid, cells: _Cells, begins: Any) -> tuple[Any, Any, Any, Any]:
    """Return missing, squares, low and high of each run, each (n_runs, n_parts)."""
    numbers, shape = grid.numbers, (len(begins), len(grid.parts))
    missing = np.add.reduceat(cells.missing, begins, axis=1, dtype=np.int64).T
    squares, low, high = np.zeros(shape), np.full(shape, np.inf), np.full(shape, -np.inf)
    if len(numbers):
        values, gone = cells.values, cells.missing[numbers]
        squares[:, numbers] = np.add.reduceat(values * values, begins, axis=1).T
        some = bool(gone.any())
        low[:, numbers] = np.minimum.reduceat(np.where(gone, np.inf, values) if some else values, begins, axis=1).T
        high[:, numbers] = np.maximum.reduceat(np.where(gone, -np.inf, values) if some else values, begins, axis=1).T
    return missing, squares, low, high


def _read(grid: Grid, table: Table) -> _Cells:
    shape = (len(grid.parts), table.n_rows)
    cells = _Cells(np.full(shape, _MISSING), np.ones(shape, dtype=bool), np.zeros((len(grid.numbers), shape[1])), [])
    texts: dict[str, _Texts] = {}
    row = dict(zip(grid.numbers.tolist(), range(len(grid.numbers))))
    for place, part in enumerate(grid.parts):
        column = table.columns.get(part.column)
        if column is None:
            continue
        if part.aspect in _OF_TEXTS and part.column not in texts:
            texts[part.column] = _Texts(grid.parts, part.column, column)
        if part.aspect == "keywords":
            text = texts[part.column]
            cells.missing[place] = text.missing
            cells.pairs.append((text.rows, text.bins + grid.offsets[place]))
        elif part.kind == "number":
            found = texts[part.column].numbers(part.aspect) if part.aspect in _OF_TEXTS else _numbers(column)
            _put_numbers(part, found, (cells.bins[place], cells.missing[place], cells.values[row[place]]))
        else:
            cells.bins[place] = _dated(part, column) if part.aspect in _OF_DATES else _levels(part, column)
            np.less(cells.bins[place], 0, out=cells.missing[place])
    return cells


def _put_numbers(part: Part, found: Any, out: tuple[Any, Any, Any]) -> None:
    """Put numbers (NaN when missing) into their bins."""
    bins, missing, values = out
    np.clip(found, -MOST, MOST, out=values)
    bins[:] = np.searchsorted(part.cuts, values, side="left")
    np.logical_not(np.isfinite(found), out=missing)
    if missing.any():
        bins[missing] = _MISSING
        values[missing] = 0.0


def _numbers(column: Column) -> Any:
    """Return the cells as float64, NaN when missing or not a number."""
    kind, values, missing = column
    if kind == "float":
        return values
    if kind == "datetime":
        stamps = values.astype("datetime64[us]").astype(np.int64)
        return np.where(stamps == _NOT_A_TIME, np.nan, stamps)
    if kind not in ("int", "bool"):
        return np.full(len(values), np.nan)
    numbers = values.astype(np.float64)
    if missing is not None:
        numbers[missing] = np.nan
    return numbers


def _levels(part: Part, column: Column) -> Any:
    """Return the bin of each cell, -1 when missing."""
    kind, values, missing = column
    find, unseen = part.bins.get, part.n_bins - 1
    if kind == "text":
        codes = np.array(
            [find(value, unseen) if value is not None else _MISSING for value in values.tolist()], np.int64
        )
        return codes.reshape(len(values))
    if kind == "matrix":
        return np.full(len(values), _MISSING)
    if kind == "bool":
        codes = np.where(values, find(TRUE, unseen), find(FALSE, unseen))
    else:
        distinct, places = np.unique(values, return_inverse=True)
        codes = np.array([find(level_of(value), unseen) for value in distinct.tolist()], np.int64)[places]
        missing = missing_mask(column)
    return codes if missing is None else np.where(missing, _MISSING, codes)


def _dated(part: Part, column: Column) -> Any:
    """Return the hour or the weekday of each date, -1 when missing."""
    if column.kind != "datetime":
        return np.full(len(column.values), _MISSING)
    stamps = column.values.astype("datetime64[us]").astype(np.int64)
    found = stamps // _HOUR_US % 24 if part.aspect == "hour" else (stamps // _DAY_US + _FIRST_WEEKDAY) % 7
    return np.where(stamps == _NOT_A_TIME, _MISSING, found)


class _Texts:
    """A column of texts, cut into words once for all its parts."""

    def __init__(self, parts: tuple[Part, ...], name: str, column: Column) -> None:
        part = next(part for part in parts if part.column == name and part.aspect == "keywords")
        cells = column.values.tolist() if column.kind == "text" else [None] * len(column.values)
        find, unseen = part.bins.get, part.n_bins - 1
        self.missing = np.array([cell is None for cell in cells], dtype=bool)
        self._lengths = [np.nan if cell is None else len(cell) for cell in cells]
        self._unknown = [np.nan] * len(cells)
        rows: list[int] = []
        bins: list[int] = []
        for row, cell in enumerate(cells):
            if cell is None:
                continue
            found = [find(word, unseen) for word in words_of(cell)]
            self._unknown[row] = found.count(unseen) / len(found) if found else 0.0
            held = set(found)
            rows += [row] * len(held)
            bins += held
        self.rows, self.bins = np.array(rows, dtype=np.int64), np.array(bins, dtype=np.int64)

    def numbers(self, aspect: str) -> Any:
        """Return ``length`` or ``unknown_words`` of each cell, NaN when missing."""
        return np.array(self._lengths if aspect == "length" else self._unknown, dtype=np.float64)
